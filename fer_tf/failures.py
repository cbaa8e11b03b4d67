"""Turns what goes wrong in the middle of training into one sentence that says what to do."""

import contextlib
import errno
import math
import os
from pathlib import Path

import keras

from fer_tf.errors import InputError
from fer_tf.recipes import Schedule

_NO_MEMORY = ("RESOURCE_EXHAUSTED", "OOM when allocating", "OUT_OF_MEMORY", "Out of memory")
_PEER_LOST = ("UnavailableError", "AbortedError", "CancelledError", "InternalError")


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
            InputError: if it is not finite.
        """
        self._check(float(logs["loss"]), f"in step {batch + 1} of")

    def on_epoch_end(self, epoch, logs=None):
        """Looks at the validation loss, which shows what the epoch's last step did.

        Raises:
            InputError: if it is not finite.
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
        raise InputError(
            f"The loss became {loss} {when} epoch {self.epoch + 1} at learning rate {rate:.2g}. "
            f"{kept} in {self.folder}. Train again with a smaller one, e.g. --learning-rate "
            f"{self.schedule.learning_rate / 4:g} --restart{other}."
        )


@contextlib.contextmanager
def explained(network: str, schedule: Schedule, workers: int = 1):
    """Raises an `InputError` in the place of errors that a user can do something about.

    Args:
        network: which is trained.
        schedule: its batch size and learning rate.
        workers: how many processes train together.

    Raises:
        InputError: for memory or room on the disk that ran out, and for a worker that no longer
            answers.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if os.strerror(errno.ENOSPC) in str(error):  # Of Python as of TensorFlow.
            raise InputError(
                f"The disk is full, so training of {network} ended ({error}); make room, then give "
                "the same command without --restart: it goes on from the last finished epoch."
            ) from error
        if isinstance(error, MemoryError) or any(sign in str(error) for sign in _NO_MEMORY):
            raise InputError(_no_memory(network, schedule)) from error
        if workers > 1 and type(error).__name__ in _PEER_LOST:
            raise InputError(
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
