import io
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fer_tf.errors import UserError
from fer_tf.training import callbacks
from fer_tf.training.callbacks import HISTORY, read_history, reports
from fer_tf.training.progress import Progress
from fer_tf.training.replicated_model import ReplicatedModel
from tests.tiny_training import KEY, train, weights


def watched(runs_dir):
    """Trains and returns the lines that were printed."""
    out = io.StringIO()
    with Progress("tiny", ["subnet_y"], Console(file=out)) as progress:
        train(runs_dir, progress=progress)
    return out.getvalue().splitlines()


def test_the_progress_displays_the_history(tmp_path):
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


def test_after_a_kill_the_history_has_each_epoch_once(interrupted):
    folder = KEY.folder(interrupted, "subnet_y")
    (first,) = read_history(folder)
    with open(folder / HISTORY, "a") as file:
        file.write("1,0.5,0.5,0.5,0.5\n")
    begin, *epochs, done = watched(interrupted)
    assert "goes on after epoch 1 of 2" in begin and len(epochs) == 1
    rows = read_history(folder)
    assert [row["epoch"] for row in rows] == [0, 1] and rows[0] == first


def test_an_incomplete_row_of_the_history_is_removed(tmp_path):
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


def test_an_empty_history_is_overwritten(tmp_path):
    (tmp_path / HISTORY).touch()
    reports(tmp_path, 2)
    assert read_history(tmp_path) == []


def test_tensorboard_has_losses_accuracies_and_the_learning_rate(finished_run):
    folder = KEY.folder(finished_run, "subnet_y")
    rows = read_history(folder)
    for split, prefix in (("train", ""), ("validation", "val_")):
        events = EventAccumulator(str(folder / "tensorboard" / split)).Reload()
        for name in ("loss", "accuracy"):
            values = scalars(events, f"epoch_{name}")
            assert values == pytest.approx([row[prefix + name] for row in rows], rel=1e-5)
    events = EventAccumulator(str(folder / "tensorboard" / "train")).Reload()
    rates = scalars(events, "epoch_learning_rate")
    assert rates[0] > rates[1] >= 0  # The cosine falls.


def test_a_nan_loss_ends_the_run_and_keeps_the_last_epoch(interrupted):
    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            weight = self.model.trainable_variables[-1]
            weight.assign(weight * np.nan)

    folder = KEY.folder(interrupted, "subnet_y")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks, "reports", lambda *_: [Spoil()])
        with pytest.raises(UserError, match="nan in step 1 of epoch 2 at learning rate") as error:
            train(interrupted)
    assert f"Epoch 1, the last finished one, stays in {folder}" in str(error.value)
    assert "--learning-rate 0.0125 --restart" in str(error.value)
    assert train(interrupted).epochs_done == 2
    assert all(np.isfinite(array).all() for array in weights(interrupted))


def test_out_of_memory_suggests_a_smaller_batch(tmp_path, monkeypatch):
    def no_memory(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(ReplicatedModel, "train_step", no_memory)
    with pytest.raises(UserError, match="--batch-size 8 --learning-rate 0.025 --restart"):
        train(tmp_path)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("RESOURCE_EXHAUSTED: events.v2: No space left on device"),
        OSError(28, "No space left on device"),
    ],
)
def test_a_full_disk_has_its_own_message(tmp_path, monkeypatch, error):
    monkeypatch.setattr("fer_tf.training.train._fit", mock.Mock(side_effect=error))
    with pytest.raises(UserError, match="disk is full.*make room.*without --restart"):
        train(tmp_path)


def scalars(events, tag):
    """The values of a tag, as `tf.summary` writes them."""
    from tensorboard.util.tensor_util import make_ndarray

    return [float(make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]
