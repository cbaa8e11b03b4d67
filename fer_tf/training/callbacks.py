"""Callbacks of a training run, and its errors as sentences for the user."""

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
    """Returns callbacks that write a run's history and, on TensorFlow, its `tensorboard` folder.

    The history has a row for each epoch, counted from 0: loss, accuracy, val_loss, val_accuracy.
    TensorBoard also records the learning rate at the end of each epoch.

    Args:
        folder: the run's folder.
        epochs_done: epochs of the checkpoint from which the run continues. The history of a killed
            run can have a row for one more epoch, which is repeated; that row is removed.
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
    """Reads the rows of a run's history, one for each epoch; empty if there is none.

    Raises:
        UserError: if the file is damaged.
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
    """Reads the validation loss after each epoch.

    Args:
        folders: network -> its run's folder.

    Returns:
        Title of the network -> its losses; networks without a history are left out.
    """
    histories = {name: read_history(folder) for name, folder in folders.items()}
    return {
        title_of(name): [row["val_loss"] for row in rows]
        for name, rows in histories.items()
        if rows
    }


def _cut_history(path, epochs_done):
    """Removes the rows of unfinished epochs; after a kill the last row can lack fields."""
    if not epochs_done or not path.exists():
        return  # The run begins, so CSVLogger overwrites the file.
    with open(path, newline="") as file:
        header, *rows = [*csv.reader(file)] or [[]]
    rows = [row for row in rows if len(row) == len(header) and int(row[0]) < epochs_done]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *rows])
    with written_beside(path) as out:
        out.write(text.getvalue().encode())


class StopOnBadLoss(keras.callbacks.Callback):
    """Ends training in the step in which the loss is no longer a number, before it is saved.

    Therefore the program waits for the result of each step. On a CPU this has no measurable cost:
    a step of recipe quick takes 17.6 ms of a core with all callbacks and 17.3 ms without, in a
    range of 16.4 to 18.4 ms over nine epochs each. On GPUs it was not measured.

    Args:
        folder: the run's folder; the checkpoint of the last finished epoch remains in it.
        schedule: the run's schedule.
        precision: the type in which the network computes.
    """

    def __init__(self, folder: Path, schedule: Schedule, precision: str):
        super().__init__()
        self.folder = folder
        self.schedule = schedule
        self.precision = precision
        self.epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        """Stores the number of the epoch."""
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        """Checks the loss of the epoch so far.

        Raises:
            UserError: if it is not finite.
        """
        self._check(float(logs["loss"]), f"in step {batch + 1} of")

    def on_epoch_end(self, epoch, logs=None):
        """Checks the validation loss, which depends on the epoch's last step too.

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
    """Replaces errors that a user can remedy by a `UserError`.

    Args:
        network: the network that is trained.
        schedule: its schedule.
        workers: number of processes that train together.

    Raises:
        UserError: if memory or disk space runs out, or if a worker does not answer any more.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if os.strerror(errno.ENOSPC) in str(error):  # In the errors of Python and of TensorFlow.
            raise UserError(
                f"The disk is full, so training of {network} ended ({error}); make room, then give "
                "the same command without --restart: it goes on from the last finished epoch."
            ) from error
        if isinstance(error, MemoryError) or any(text in str(error) for text in _NO_MEMORY):
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
