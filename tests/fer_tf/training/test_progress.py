import io
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

import fer_tf
from fer_tf.records.run import Run
from fer_tf.training import progress as module
from fer_tf.training.progress import Progress
from fer_tf.training.run_folder import RunKey
from tests.networks import TINY_RECIPE

ROOT = Path(fer_tf.__file__).parents[1]
RESULTS = {"loss": 0.91234, "accuracy": 0.5, "val_loss": 0.81234, "val_accuracy": 0.612}
RUN = Run(
    **vars(RunKey("concat_db", "drawn", "", "upper", TINY_RECIPE).setup("begin")),
    best_epoch=2,
    epochs_done=3,
    best_validation_loss=0.7,
    images_per_second=1234.5,
)


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test moves on."""
    now = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


def plain(networks=("begin",), width=40):
    out = io.StringIO()
    return Progress("concat_db/drawn", networks, Console(file=out, width=width)), out


def table(width):
    """What stands on a terminal of some width while one network is done and one trained."""
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None)
    progress = Progress("concat_db/drawn", ("begin", "subnet_x", "subnet_y"), console)
    progress.finish("begin", RUN, [{**RESULTS, "loss": loss} for loss in (1, 0.5, 0.25)])
    progress.begin("subnet_x", images=100, epochs=12, epochs_done=4)
    progress.step("subnet_x", 50, {"loss": 1.25, "accuracy": 0.5})
    console.print(progress._table())
    return out.getvalue()


def test_outside_a_terminal_each_epoch_is_one_line(clock):
    progress, out = plain()
    with progress:
        progress.begin("begin", images=100, epochs=3)
        for epoch in (1, 2, 3):
            for images in (50, 100):
                clock[0] += 10
                progress.step("begin", images, {"loss": 2.0})
            progress.end_epoch("begin", epoch, RESULTS)
        progress.finish("begin", RUN, [RESULTS] * 3)
    first, *epochs, done = out.getvalue().splitlines()
    assert "3 epochs of 100 images" in first
    assert epochs[1] == (
        "concat_db/drawn, BeginNet: epoch 2 of 3, loss 0.9123, accuracy 50.0%, validation loss "
        "0.8123, validation accuracy 61.2%, 5 images/s, 0:20 left"
    )
    assert len(epochs) == 3 and epochs[2].endswith("5 images/s")
    assert "done, best epoch 2 of 3" in done and "validation loss 0.7000" in done


def test_speed_and_time_left_are_those_of_this_process(clock):
    """The first step, in which the network is traced, and epochs done before do not count."""
    progress, out = plain()
    progress.begin("begin", images=100, epochs=1000, epochs_done=990, values=RESULTS)
    for seconds, images in ((500, 20), (1, 70), (1, 120 - 20)):
        clock[0] += seconds
        progress.step("begin", images)
    clock[0] += 8  # Validation takes its time too.
    progress.end_epoch("begin", 991, RESULTS)
    first, line = out.getvalue().splitlines()
    assert "goes on after epoch 990" in first
    assert line.endswith(" 8 images/s, 1:52 left")  # 900 images at 80 in 10 s


def test_after_an_epoch_the_next_one_begins(clock):
    progress, _ = plain()
    progress.begin("begin", images=100, epochs=3)
    progress.end_epoch("begin", 1, RESULTS)
    progress.step("begin", 40, {"loss": 0.5})
    cells = progress._rows["begin"].cells()
    assert cells["epoch"] == "2/3  40%" and cells["loss"] == "0.5000"
    assert cells["validation loss"] == "0.8123"


def test_the_table_has_every_network_in_its_state():
    lines = table(80).splitlines()
    heading = " ".join(lines[:4]).split()
    for name in ("loss", "accuracy", "valid."):
        assert heading.count(name) == 2
    assert "images/s" in heading and "left" in heading
    done, training, waiting = (line for line in lines if "Net" in line or "Subnet" in line)
    assert "best 2/3" in done and "0.5000" in done and "1,234" in done and "done" in done
    assert "5/12  50%" in training and "1.2500" in training
    assert "waiting" in waiting


@pytest.mark.parametrize("width", [24, 40, 60, 80, 120])
def test_a_narrow_terminal_shows_fewer_columns_rather_than_cut_ones(width):
    drawn = table(width)
    assert max(len(line) for line in drawn.splitlines()) <= width
    assert "…" not in drawn
    assert "SubnetX" in drawn and "5/12  50%" in drawn
    assert ("waiting" in drawn) == (width > 24)
    assert ("0.5000" in drawn) == (width > 60)


CTRL_C = """
import os, signal
from fer_tf.training.progress import Progress
signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell's background ignores it.
try:
    with Progress("concat_db/drawn", ["begin"]) as progress:
        progress.begin("begin", images=100, epochs=3)
        print("a line of others")
        os.kill(os.getpid(), signal.SIGINT)
        signal.pause()
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_leaves_the_table_and_a_clean_terminal():
    terminal, program = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [sys.executable, "-c", CTRL_C], stdin=program, stdout=program, stderr=program,
        env=environment,
    ) as child:  # fmt: skip
        # Its end stays open here: what is written just before it closes may be lost.
        written, ended = b"", False
        while not ended:
            ended = child.poll() is not None
            while select.select([terminal], [], [], 0.2)[0]:
                written += os.read(terminal, 4096)
    os.close(program)
    os.close(terminal)
    written = written.decode()
    assert child.returncode == 0
    assert written.count("\x1b[?25h") >= written.count("\x1b[?25l") == 1  # The cursor is back.
    assert "a line of others\r\n" in written
    table, _, after = written.rpartition("\x1b[?25h")
    assert "BeginNet" in table and after.strip() == "interrupted"
