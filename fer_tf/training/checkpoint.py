"""Checkpoints of a training run: the best network, and the state from which the run continues."""

import contextlib
import json
import os
import zipfile
import zlib
from pathlib import Path
from time import monotonic

import keras
import numpy as np

from fer_tf.errors import UserError
from fer_tf.files import written_beside
from fer_tf.training.run_folder import BEST

STATE = "state.npz"
FORMAT = 1
"""Version of the state file; another version is refused."""


class Checkpoint(keras.callbacks.Callback):
    """Saves the network that the recipe keeps, and the whole state of the run, after each epoch.

    The state is one file with all variables of the model (with its seed generators) and of its
    optimizer, the number of finished epochs and the best validation loss. Both files are written
    under another name and renamed, so after a kill the files of the last finished epoch exist.
    (`keras.callbacks.BackupAndRestore` overwrites its file and omits the seed generators.)

    Args:
        network: the network to save; `fit` may run on a model that also augments.
        folder: the run's folder, for `best.keras` and `state.npz`.
        keeps: "best" keeps the network of the epoch with the lowest validation loss, "last" that of
            the last finished epoch.
        saved_as: a network for one device and float32 that is saved with the weights of `network`;
            None if `network` is one.
        writes: whether this process writes; of several workers only the chief does.

    Attributes:
        epochs_done: finished epochs, 0 for a new run.
        best: the validation loss of the network that is kept.
        best_epoch: the epoch of the network that is kept, counted from 1; 0 for a new run.
        seconds: duration of the finished epochs.
    """

    def __init__(
        self,
        network: keras.Model,
        folder: Path,
        keeps: str = "best",
        saved_as: keras.Model | None = None,
        writes: bool = True,
    ):
        super().__init__()
        self.network = network
        self.folder = folder
        self.keeps = keeps
        self.saved_as = saved_as
        self.writes = writes
        self.seconds = 0.0
        self._begun = monotonic()
        self.epochs_done = 0
        self.best = float("inf")
        self.best_epoch = 0

    def restore(self, model: keras.Model) -> None:
        """Restores the saved state, if there is one, into a model whose optimizer is built.

        Raises:
            UserError: if the state is damaged, has another format or belongs to another network.
        """
        path = self.folder / STATE
        if not path.is_file():
            return
        with _opened(path) as (state, meta):
            variables = _variables(model)
            shapes = [list(v.shape) for v in variables]
            if meta["shapes"] != shapes:
                raise UserError(
                    f"{path} belongs to a network of another shape; train again with --restart or "
                    "into another --runs-dir."
                )
            for i, variable in enumerate(variables):
                variable.assign(state[str(i)])
        self.epochs_done = meta["epochs_done"]
        self.best, self.best_epoch = meta["best"], meta["best_epoch"]
        self.seconds = meta.get("seconds", 0.0)  # Missing in older states.

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock."""
        self._begun = monotonic()

    def on_epoch_end(self, epoch, logs=None):
        """Saves the network, then the state: after a kill in between, the epoch is repeated."""
        if self.keeps == "last" or logs["val_loss"] < self.best:
            self.best, self.best_epoch = float(logs["val_loss"]), epoch + 1
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
        unfinished = self.folder / f"writing-{BEST}"
        network.save(unfinished)
        os.replace(unfinished, self.folder / BEST)

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
    """Reads the number of a run's finished epochs.

    Raises:
        UserError: if the state is damaged or has another format.
    """
    path = folder / STATE
    if not path.is_file():
        return 0
    with _opened(path) as (_, meta):
        return meta["epochs_done"]


def load_best(folder: Path) -> keras.Model:
    """Loads the best network of a run's folder, see `load_network`."""
    return load_network(folder / BEST)


def load_network(path: Path | str) -> keras.Model:
    """Loads a trained network for inference.

    Args:
        path: a file that training wrote, e.g. `runs/.../best.keras`.

    Returns:
        A network whose input is uint8 [B, 48, 48, 1], its output float32 [B, classes]: logits.

    Raises:
        UserError: if the file is missing, damaged or incomplete, or another version wrote it.
    """
    # Registers the layers that the file names.
    import fer_tf.models.expression_net  # noqa: F401

    _refuse_damage(Path(path))
    try:
        return keras.models.load_model(path, compile=False)
    except (KeyError, TypeError, ValueError) as error:
        reason = str(error).rpartition("Exception encountered: ")[2].partition("\n")[0]
        raise UserError(
            f"{path} is whole, but Keras {keras.__version__} cannot load it ({reason}): another "
            "version wrote it, or it is no network of this program. Train it again with --restart."
        ) from error


def _refuse_damage(path):
    """Refuses a missing, damaged or incomplete ZIP archive, the format of Keras and NumPy."""
    if not path.is_file():
        raise UserError(f"{path} is missing; copy the run again, or train it with --restart.")
    with open(path, "rb") as file:
        try:
            damaged = zipfile.ZipFile(file).testzip()
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
            damaged = str(error)
    if damaged:
        raise UserError(
            f"{path} is damaged or was copied in part ({damaged}); copy the run again, or train it "
            "with --restart."
        )


@contextlib.contextmanager
def _opened(path):
    """Yields the arrays of a state file and its "meta"."""
    _refuse_damage(path)
    try:
        with np.load(path) as state:
            meta = json.loads(str(state["meta"]))
            _refuse_format(path, meta)
            yield state, meta
    except UserError:
        raise
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} is damaged ({error}); train again with --restart, or put a copy in its place."
        ) from error


def _refuse_format(path, meta):
    if meta["format"] != FORMAT:
        raise UserError(
            f"{path} has format {meta['format']}, this program reads {FORMAT}; train again with "
            "--restart, or go on with the version of fer_tf that wrote it."
        )


def _variables(model):
    return [*model.variables, *model.optimizer.variables]
