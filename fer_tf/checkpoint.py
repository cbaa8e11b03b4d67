"""Checkpoints of a training run: the best network so far, and the state to go on from."""

import json
import os
import zipfile
import zlib
from pathlib import Path
from time import monotonic

import keras
import numpy as np

from fer_tf.errors import InputError
from fer_tf.runs import written_beside

BEST = "best.keras"
STATE = "state.npz"
FORMAT = 1
"""Of the state file; another one is refused."""


class Checkpoint(keras.callbacks.Callback):
    """After each epoch saves the network if it is the best so far, then the run's whole state.

    The state is one file: all variables of the model and its optimizer (seed generators are among
    the model's), the epochs done and the best validation loss. Both files are written beside and
    renamed, so a run that is killed at any moment finds the last finished epoch.
    (`keras.callbacks.BackupAndRestore` writes in place and forgets the seed generators.)

    Args:
        network: the network to save; `fit` may run on a model around it that also augments.
        folder: the run's folder; `best.keras` and `state.npz` appear in it.
        monitor: the value in the logs that is to become small.
        saved_as: a network of the same weights that is saved in its place, for one device and
            float32; None where the network itself is that.
        writes: whether this process writes; of several workers only the chief does.

    Attributes:
        epochs_done: finished epochs, 0 for a new run.
        best: the lowest value of `monitor` so far.
        best_epoch: the epoch, counted from 1, that had it; 0 for a new run.
        seconds: that the finished epochs took, over all sittings.
    """

    def __init__(
        self,
        network: keras.Model,
        folder: Path,
        monitor: str = "val_loss",
        saved_as: keras.Model | None = None,
        writes: bool = True,
    ):
        super().__init__()
        self.network = network
        self.folder = folder
        self.monitor = monitor
        self.saved_as = saved_as
        self.writes = writes
        self.seconds = 0.0
        self._begun = monotonic()
        self.epochs_done = 0
        self.best = float("inf")
        self.best_epoch = 0

    def restore(self, model: keras.Model) -> None:
        """Puts the saved state, if there is one, into a model whose optimizer is built.

        Raises:
            InputError: if the state is damaged, has another format or is of another network.
        """
        path = self.folder / STATE
        if not path.is_file():
            return
        _refuse_damage(path)
        with np.load(path) as state:
            meta = _meta(path, state)
            variables = _variables(model)
            shapes = [list(v.shape) for v in variables]
            if meta["shapes"] != shapes:
                raise InputError(
                    f"{path} belongs to a network of another shape; train again with --restart or "
                    "into another --runs-dir."
                )
            for i, variable in enumerate(variables):
                variable.assign(state[str(i)])
        self.epochs_done = meta["epochs_done"]
        self.best, self.best_epoch = meta["best"], meta["best_epoch"]
        self.seconds = meta.get("seconds", 0.0)  # Older states do not tell.

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock."""
        self._begun = monotonic()

    def on_epoch_end(self, epoch, logs=None):
        """Saves the best network first: killed in between, the epoch is done again."""
        if logs[self.monitor] < self.best:
            self.best, self.best_epoch = float(logs[self.monitor]), epoch + 1
            if self.writes:
                self._save_network()
        self.epochs_done = epoch + 1
        self.seconds += monotonic() - self._begun
        if self.writes:
            self._save()

    def _save_network(self):
        network = self.network
        if self.saved_as is not None:
            self.saved_as.set_weights(self.network.get_weights())
            network = self.saved_as
        beside = self.folder / f"writing-{BEST}"
        network.save(beside)
        os.replace(beside, self.folder / BEST)

    def _save(self):
        variables = [keras.ops.convert_to_numpy(v) for v in _variables(self.model)]
        meta = {
            "format": FORMAT,
            "epochs_done": self.epochs_done,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "seconds": self.seconds,
            "shapes": [list(v.shape) for v in variables],
        }
        arrays = {str(i): v for i, v in enumerate(variables)}
        with written_beside(self.folder / STATE) as out:
            np.savez(out, meta=np.array(json.dumps(meta)), **arrays)


def epochs_done(folder: Path) -> int:
    """How many epochs of a run are finished.

    Raises:
        InputError: if the state is damaged or has another format.
    """
    path = folder / STATE
    if not path.is_file():
        return 0
    _refuse_damage(path)
    with np.load(path) as state:
        return _meta(path, state)["epochs_done"]


def load_best(folder: Path) -> keras.Model:
    """Loads the best network of a run's folder, see `load_network`."""
    return load_network(folder / BEST)


def load_network(path: Path | str) -> keras.Model:
    """Loads a trained network, ready to answer, not to be trained on.

    Args:
        path: a file that training wrote, e.g. `runs/.../best.keras`.

    Returns:
        A network whose input is uint8 [B, 48, 48, 1], its output float32 [B, classes]: logits.

    Raises:
        InputError: if the file is missing, damaged or copied in part, or is of another version.
    """
    # Registers the layers that the file names.
    import fer_tf.models.expression_net  # noqa: F401

    _refuse_damage(Path(path))
    try:
        return keras.models.load_model(path, compile=False)
    except (KeyError, TypeError, ValueError) as error:
        reason = str(error).rpartition("Exception encountered: ")[2].partition("\n")[0]
        raise InputError(
            f"{path} is whole, but Keras {keras.__version__} cannot load it ({reason}): another "
            "version wrote it, or it is no network of this program. Train it again with --restart."
        ) from error


def _refuse_damage(path):
    """Refuses a ZIP archive, as Keras and NumPy write them, that is missing or not whole."""
    if not path.is_file():
        raise InputError(f"{path} is missing; copy the run again, or train it with --restart.")
    with open(path, "rb") as file:
        try:
            damaged = zipfile.ZipFile(file).testzip()
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
            damaged = str(error)
    if damaged:
        raise InputError(
            f"{path} is damaged or was copied in part ({damaged}); copy the run again, or train it "
            "with --restart."
        )


def _meta(path, state):
    meta = json.loads(str(state["meta"]))
    if meta["format"] != FORMAT:
        raise InputError(
            f"{path} has format {meta['format']}, this program reads {FORMAT}; train again with "
            "--restart, or go on with the version of fer_tf that wrote it."
        )
    return meta


def _variables(model):
    return [*model.variables, *model.optimizer.variables]
