import sys

import pytest
import tensorflow as tf

from fer_tf.errors import UserError
from fer_tf.training.gpu_processes import run_on_gpus, visible_gpus

TELL = "import os, sys; print(os.environ['CUDA_VISIBLE_DEVICES'], sys.argv[1])"


def command(code, *arguments):
    return [sys.executable, "-c", code, *arguments]


def test_each_network_sees_one_gpu_and_its_lines_are_named():
    lines = []
    commands = {name: command(TELL, name) for name in "abcd"}
    run_on_gpus(commands, ["2", "5"], lines.append)
    told = sorted(line.split() for line in lines)
    assert [(name, word) for name, _, word in told] == [(f"[{n}]", n) for n in "abcd"]
    assert {device for _, device, _ in told} == {"2", "5"}


def test_two_run_at_a_time(tmp_path):
    """The first waits for a file that the second writes."""
    wait = (
        "import pathlib, sys, time\nwhile not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.01)"
    )
    write = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch()"
    file = str(tmp_path / "written")
    run_on_gpus({"a": command(wait, file), "b": command(write, file)}, ["0", "1"])


def test_one_that_fails_is_named_and_the_others_go_on():
    lines = []
    commands = {"bad": command("import sys; sys.exit('no')"), "good": command("print('yes')")}
    with pytest.raises(UserError, match="bad did not finish.*without --restart"):
        run_on_gpus(commands, ["0"], lines.append)
    assert lines == ["[bad] no", "[good] yes"]


@pytest.mark.parametrize(
    ("count", "variable", "names"),
    [(0, "", []), (2, "", ["0", "1"]), (2, "2,5", ["2", "5"]), (1, "GPU-1a", ["GPU-1a"])],
)
def test_gpus_are_named_as_the_processes_will_have_to(monkeypatch, count, variable, names):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind] * count)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    assert visible_gpus() == names
