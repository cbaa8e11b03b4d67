"""What a training run tells: a history as CSV, TensorBoard, and its `fer_tf.progress.Progress`."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import keras

from fer_tf.checkpoint import Checkpoint
from fer_tf.errors import InputError
from fer_tf.networks import title_of
from fer_tf.progress import Progress
from fer_tf.runs import written_beside

HISTORY = "history.csv"


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
    """Tells a `Progress` how one network's training goes.

    Args:
        progress: whom to tell.
        network: a name in `fer_tf.networks.NETWORKS`.
        checkpoint: of the run, restored if it goes on.
        images: in an epoch.
        batch_size: images per step at most, over all replicas.
        epochs: of the whole run.
    """

    def __init__(
        self,
        progress: Progress,
        network: str,
        checkpoint: Checkpoint,
        images: int,
        batch_size: int,
        epochs: int,
    ):
        super().__init__()
        self._progress = progress
        self._network = network
        self._images = images
        self._steps = -(-images // batch_size)
        last = read_history(checkpoint.folder)[-1:]
        progress.begin(network, images, epochs, checkpoint.epochs_done, *last)

    def on_train_batch_end(self, batch, logs=None):
        """Counts the batch."""
        self._progress.step(self._network, self._images * (batch + 1) // self._steps, logs)

    def on_epoch_end(self, epoch, logs=None):
        """Shows the epoch's results."""
        self._progress.end_epoch(self._network, epoch + 1, logs)


def read_history(folder: Path) -> list[dict[str, float]]:
    """The rows of a run's history, one for each epoch; empty where there is none.

    Raises:
        InputError: if it is damaged.
    """
    path = folder / HISTORY
    try:
        with open(path, newline="") as file:
            return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, csv.Error) as error:  # TypeError: a row without all its fields
        raise InputError(
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
