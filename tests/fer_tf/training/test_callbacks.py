import io

import pytest
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fer_tf.errors import UserError
from fer_tf.training.callbacks import HISTORY, read_history, reports
from fer_tf.training.checkpoint import Checkpoint
from fer_tf.training.progress import Progress
from tests.fer_tf.training.test_train import KEY, train


def watched(runs_dir):
    """Trains and returns the lines that were printed."""
    out = io.StringIO()
    with Progress("tiny", ["subnet_y"], Console(file=out)) as progress:
        train(runs_dir, progress=progress)
    return out.getvalue().splitlines()


def test_a_run_says_what_its_history_says(tmp_path):
    begin, *epochs, done = watched(tmp_path)
    rows = read_history(KEY.folder(tmp_path, "subnet_y"))
    assert "2 epochs of 40 images" in begin
    for number, (line, row) in enumerate(zip(epochs, rows, strict=True), 1):
        assert f"epoch {number} of 2, loss {row['loss']:.4f}" in line
        assert f"validation accuracy {row['val_accuracy']:.1%}" in line
        assert "images/s" in line
    best = min(rows, key=lambda row: row["val_loss"])
    assert f"best epoch {rows.index(best) + 1} of 2" in done
    assert f"accuracy {best['accuracy']:.1%}" in done
    (again,) = watched(tmp_path)
    assert again == done


def test_after_a_kill_between_report_and_checkpoint_each_epoch_stands_once(tmp_path, monkeypatch):
    save, saved = Checkpoint._save, []

    def killed(self):
        if saved:
            raise KeyboardInterrupt
        saved.append(save(self))

    monkeypatch.setattr(Checkpoint, "_save", killed)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path)
    monkeypatch.setattr(Checkpoint, "_save", save)
    history = KEY.folder(tmp_path, "subnet_y") / HISTORY
    first, *reported = read_history(history.parent)
    assert len(reported) == 1
    begin, *epochs, done = watched(tmp_path)
    assert "goes on after epoch 1 of 2" in begin and len(epochs) == 1
    rows = read_history(history.parent)
    assert [row["epoch"] for row in rows] == [0, 1] and rows[0] == first


def test_a_row_that_a_kill_cut_short_goes(tmp_path):
    rows = [f"{epoch},0.5,1.5,0.5,1.5" for epoch in range(10)]
    text = "\n".join(["epoch,accuracy,loss,val_accuracy,val_loss", *rows, "1"])  # ... of 10,0.5
    (tmp_path / HISTORY).write_text(text)
    reports(tmp_path, 10)
    assert [row["epoch"] for row in read_history(tmp_path)] == list(range(10))


@pytest.mark.parametrize(
    "text", ["epoch,loss\n0,half\n", "epoch,loss,val_loss\n0,1.5\n", "epoch,loss\n0,1,2\n"]
)
def test_a_damaged_history_is_named(tmp_path, text):
    (tmp_path / HISTORY).write_text(text)
    with pytest.raises(UserError, match="history.csv is damaged .*; remove it"):
        read_history(tmp_path)


def test_an_empty_history_is_begun_anew(tmp_path):
    (tmp_path / HISTORY).touch()
    reports(tmp_path, 2)
    assert read_history(tmp_path) == []


def test_tensorboard_has_losses_accuracies_and_the_learning_rate(tmp_path):
    train(tmp_path)
    folder = KEY.folder(tmp_path, "subnet_y")
    rows = read_history(folder)
    for split, prefix in (("train", ""), ("validation", "val_")):
        events = EventAccumulator(str(folder / "tensorboard" / split)).Reload()
        for name in ("loss", "accuracy"):
            values = scalars(events, f"epoch_{name}")
            assert values == pytest.approx([row[prefix + name] for row in rows], rel=1e-5)
    events = EventAccumulator(str(folder / "tensorboard" / "train")).Reload()
    rates = scalars(events, "epoch_learning_rate")
    assert rates[0] > rates[1] >= 0  # The cosine falls.


def scalars(events, tag):
    """The values of a tag, as `tf.summary` writes them."""
    from tensorboard.util.tensor_util import make_ndarray

    return [float(make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]
