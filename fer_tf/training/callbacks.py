"""Callbacks of a training run: history as CSV, TensorBoard, progress, and errors as sentences."""

import contextlib
import csv
import errno
import io
import math
import os
from collections.abc import Mapping
from pathlib import Path

import keras

from fer_tf.errors import UserError
from fer_tf.files import written_beside
from fer_tf.models.networks import title_of
from fer_tf.training.checkpoint import Checkpoint
from fer_tf.training.progress import Progress
from fer_tf.training.recipe import Schedule

HISTORY = "history.csv"


_NO_MEMORY = ("RESOURCE_EXHAUSTED", "OOM when allocating", "OUT_OF_MEMORY", "Out of memory")

_PEER_LOST = ("UnavailableError", "AbortedError", "CancelledError", "InternalError")


def reports(folder: Path, epochs_done: int) -> list[keras.callbacks.Callback]:
    """Callbacks that write a run's history and, on TensorFlow, its `tensorboard` folder.

    The history has a row for each epoch, counted from 0: loss, accuracy, val_loss, val_accuracy.
    TensorBoard has the same and the learning rate at the end of each epoch.

    Args:
        folder: the run's.
        epochs_done: epochs behind the checkpoint that the run goes on from. A killed run may have
            reported one more; its row goes, for that epoch is done again.
    """
    _cut_history(folder / HISTORY, epochs_done)
    callbacks = [keras.callbacks.CSVLogger(folder / HISTORY, append=epochs_done > 0)]
    if keras.backend.backend() == "tensorflow":  # TensorBoard writes through TensorFlow.
        callbacks.append(keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False))
    return callbacks


class Watch(keras.callbacks.Callback):
    """Displays one network's training with a `Progress`.

    Args:
        progress: the display.
        network: a name in `fer_tf.models.networks.NETWORKS`.
        checkpoint: of the run, restored if the run continues.
        images: in an epoch.
        schedule: the network's.
    """

    def __init__(
        self,
        progress: Progress,
        network: str,
        checkpoint: Checkpoint,
        images: int,
        schedule: Schedule,
    ):
        super().__init__()
        self._progress = progress
        self._network = network
        self._images = images
        self._steps = -(-images // schedule.batch_size)
        last = read_history(checkpoint.folder)[-1:]
        progress.begin(network, images, schedule.epochs, checkpoint.epochs_done, *last)

    def on_train_batch_end(self, batch, logs=None):
        """Counts the batch."""
        self._progress.step(self._network, self._images * (batch + 1) // self._steps, logs)

    def on_epoch_end(self, epoch, logs=None):
        """Shows the epoch's results."""
        self._progress.end_epoch(self._network, epoch + 1, logs)


def read_history(folder: Path) -> list[dict[str, float]]:
    """The rows of a run's history, one for each epoch; empty where there is none.

    Raises:
        UserError: if it is damaged.
    """
    path = folder / HISTORY
    try:
        with open(path, newline="") as file:
            return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, csv.Error) as error:  # TypeError: a row without all its fields
        raise UserError(
            f"{path} is damaged ({error}); remove it: the networks do not need it."
        ) from error


def validation_losses(folders: Mapping[str, Path]) -> dict[str, list[float]]:
    """The validation loss after each epoch.

    Args:
        folders: network -> its run's folder.

    Returns:
        The network's title in the paper -> its losses; networks without a history are left out.
    """
    histories = {name: read_history(folder) for name, folder in folders.items()}
    return {
        title_of(name): [row["val_loss"] for row in rows]
        for name, rows in histories.items()
        if rows
    }


def _cut_history(path, epochs_done):
    """Keeps the rows of finished epochs; one that a kill cut short lacks its last fields."""
    if not epochs_done or not path.exists():
        return  # Begun anew.
    with open(path, newline="") as file:
        header, *rows = [*csv.reader(file)] or [[]]
    rows = [row for row in rows if len(row) == len(header) and int(row[0]) < epochs_done]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *rows])
    with written_beside(path) as out:
        out.write(text.getvalue().encode())


class StopOnBadLoss(keras.callbacks.Callback):
    """Ends training in the step in which the loss stops being a number, before it is saved.

    So the program waits for each step before it begins the next. On a CPU, whose steps return when
    they are done, that costs nothing that could be measured: with what is called after each step
    one of recipe quick takes 17.6 ms of a core, without 17.3, from 16.4 to 18.4 in nine epochs
    each. On GPUs it was not measured.

    Args:
        folder: of the run; its last finished epoch stays as it is.
        schedule: the rate and epochs that the run has.
        precision: in which the network computes.
    """

    def __init__(self, folder: Path, schedule: Schedule, precision: str):
        super().__init__()
        self.folder = folder
        self.schedule = schedule
        self.precision = precision
        self.epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        """Keeps the number of the epoch."""
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        """Looks at the loss of the epoch so far.

        Raises:
            UserError: if it is not finite.
        """
        self._check(float(logs["loss"]), f"in step {batch + 1} of")

    def on_epoch_end(self, epoch, logs=None):
        """Looks at the validation loss, which shows what the epoch's last step did.

        Raises:
            UserError: if it is not finite.
        """
        self._check(float(logs["val_loss"]), "on the validation split after")

    def _check(self, loss, when):
        if math.isfinite(loss):
            return
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        kept = f"Epoch {self.epoch}, the last finished one, stays"
        if not self.epoch:
            kept = "No epoch is finished"
        other = " or without --mixed-precision float16" if self.precision == "float16" else ""
        raise UserError(
            f"The loss became {loss} {when} epoch {self.epoch + 1} at learning rate {rate:.2g}. "
            f"{kept} in {self.folder}. Train again with a smaller one, e.g. --learning-rate "
            f"{self.schedule.learning_rate / 4:g} --restart{other}."
        )


@contextlib.contextmanager
def explained(network: str, schedule: Schedule, workers: int = 1):
    """Raises an `UserError` in the place of errors that a user can do something about.

    Args:
        network: which is trained.
        schedule: its batch size and learning rate.
        workers: how many processes train together.

    Raises:
        UserError: for memory or room on the disk that ran out, and for a worker that no longer
            answers.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if os.strerror(errno.ENOSPC) in str(error):  # Of Python as of TensorFlow.
            raise UserError(
                f"The disk is full, so training of {network} ended ({error}); make room, then give "
                "the same command without --restart: it goes on from the last finished epoch."
            ) from error
        if isinstance(error, MemoryError) or any(sign in str(error) for sign in _NO_MEMORY):
            raise UserError(_no_memory(network, schedule)) from error
        if workers > 1 and type(error).__name__ in _PEER_LOST:
            raise UserError(
                f"Another of the {workers} workers no longer answers, so training of {network} "
                "ended. Start all workers again with the same commands, without --restart: they "
                "go on from the last finished epoch."
            ) from error
        raise


def _no_memory(network, schedule):
    size = schedule.batch_size
    if size == 1:
        return f"Memory ran out while training {network}, even with one image per step."
    return (
        f"Memory ran out while training {network} with {size} images per step. Train again with "
        f"half of them and half the learning rate: --batch-size {size // 2} --learning-rate "
        f"{schedule.learning_rate / 2:g} --restart; --mixed-precision bfloat16 also saves memory."
    )
