"""The folder of a training run: its name, its lock and its `run.json`."""

import contextlib
import hashlib
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

import joblib

import fer_tf
from fer_tf.errors import UserError
from fer_tf.expressions import EXPRESSIONS, PATHS, TASKS
from fer_tf.files import exclusive
from fer_tf.models.networks import classes_of
from fer_tf.provenance import commit, package_versions
from fer_tf.records.run import RUN_FILE, Run, RunSetup, read_run, write_run
from fer_tf.training.recipe import Recipe

SEED = "-seed"
"""Separates the recipe's name from the seed in a folder's name, unless the seed is 0."""
TRAINING_PRECISIONS = ("float32", "float16", "bfloat16")
"""The types in which a network can compute while it is trained; its weights are always float32."""
BEST = "best.keras"


@dataclass(frozen=True)
class RunKey:
    """What a run is made of; only networks that agree in all of it are combined.

    Attributes:
        database: "concat_db", "bconcat_db", "eye_cdb" or "uncovered".
        config: the database's config, e.g. "fer2013-leakfree".
        fingerprint: hash of the database's faces, labels and splits.
        occlusion: "upper", "lower", "eyes" or "none".
        recipe: the recipe.
        seed: the seed of all random numbers.
        precision: one of `TRAINING_PRECISIONS`.
        origin_fingerprint: the fingerprint of the recipe's `init_database`, or None.
    """

    database: str
    config: str
    fingerprint: str
    occlusion: str
    recipe: Recipe
    seed: int = 0
    precision: str = "float32"
    origin_fingerprint: str | None = None

    @classmethod
    def of(cls, database, recipe: Recipe, seed: int = 0, precision: str = "float32") -> "RunKey":
        """Returns the key of runs on a `fer_tf.data.database.Database`."""
        origin_fingerprint = None
        if recipe.init_database:
            origin_fingerprint = database.beside(recipe.init_database).fingerprint()
        return cls(
            database=database.name,
            config=database.config,
            fingerprint=database.fingerprint(),
            occlusion=database.occlusion,
            recipe=recipe.on(database.name),
            seed=seed,
            precision=precision,
            origin_fingerprint=origin_fingerprint,
        )

    def folder(self, runs_dir: Path, network: str) -> Path:
        """Returns the run folder of one network under the runs directory."""
        folder = run_name(self.recipe.name, self.seed)
        return runs_dir / self.database / self.config / folder / network

    def setup(self, network: str) -> RunSetup:
        """Returns one network's setup, with which its run can continue."""
        recipe = self.recipe.record(network)
        if self.occlusion not in ("eyes", "mixed"):
            recipe = replace(recipe, usual_eyes=0.0)  # The other databases do not use it.
        if self.database == self.recipe.init_database:
            recipe = replace(recipe, init_database=None)
        has_expressions = network in TASKS
        return RunSetup(
            database=self.database,
            config=self.config,
            data_fingerprint=self.fingerprint,
            occlusion=self.occlusion,
            recipe=recipe,
            seed=self.seed,
            training_precision=self.precision,
            network=network,
            classes=list(classes_of(network)),
            labels=list(EXPRESSIONS) if has_expressions else None,
            paths={path: list(names) for path, names in PATHS.items()} if has_expressions else None,
        )


def run_name(recipe: str, seed: int) -> str:
    """Returns the name of the folder of a recipe's runs with a seed."""
    return f"{recipe}{SEED}{seed}" if seed else recipe


def beside(parent: Path, suffix: str) -> Path:
    """Returns the folder of a changed recipe, e.g. ".../quick-no_attention-seed1".

    Args:
        parent: the folder of the recipe, e.g. ".../quick-seed1".
        suffix: the end of the changed recipe's name, e.g. "-no_attention".
    """
    name, separator, seed = parent.name.partition(SEED)
    return parent.with_name(f"{name}{suffix}{separator}{seed}")


def open_run(folder: Path, setup: RunSetup, restart: bool = False) -> Run:
    """Reads the run in a folder, or begins one.

    Args:
        folder: the run's folder.
        setup: what the run is made of.
        restart: delete what the folder contains.

    Raises:
        UserError: if the folder contains a run that was made of something else, or an unfinished
            one of another Keras backend.
    """
    if restart:
        (folder / RUN_FILE).unlink(missing_ok=True)
    import keras

    backend = keras.backend.backend()
    run = read_run(folder)
    if run is None:
        _empty(folder)  # After a kill in this line the folder has no run.json: the run begins anew.
        run = Run(
            **vars(setup),
            fer_tf=fer_tf.__version__,
            packages=package_versions(),
            begun=now(),
            commit=commit(),
            python=platform.python_version(),
            backend=backend,
            machine=f"{platform.system()} {platform.machine()}, {joblib.cpu_count()} CPU cores",
            command=" ".join(sys.argv),
        )
        write_run(folder, run)
        return run
    if change := first_difference(asdict(run.setup), asdict(setup)):
        field, before, after = change
        raise UserError(
            f"{folder} holds a run with {field} {_short(before)}, now it is {_short(after)}; "
            "train again with --restart, or into another --runs-dir."
        )
    if not run.finished and run.backend != backend:
        raise UserError(
            f"{folder} holds a run that was begun with Keras' backend {run.backend}, now it is "
            f"{backend}; go on with KERAS_BACKEND={run.backend}, or train again with --restart."
        )
    for leftover in folder.glob("writing-*"):  # Written by a killed process.
        leftover.unlink()
    return run


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks a run's folder against other processes; the lock ends with the process, even killed.

    Raises:
        UserError: if another process trains in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(exclusive(folder, wait=False))
        except BlockingIOError:
            raise UserError(
                f"Another process trains in {folder}; wait for it or end it, or train into another "
                "--runs-dir."
            ) from None
        yield


def other_versions(run: Run) -> str | None:
    """Returns a sentence on the packages whose versions have changed since a run began, or None."""
    before, today = run.packages, package_versions()
    changed = [
        f"{name} {version} (now {today.get(name, 'missing')})"
        for name, version in before.items()
        if version != today.get(name)
    ]
    if not changed:
        return None
    return f"The run was begun with {', '.join(changed)}; its numbers may differ a little."


def now() -> str:
    """Returns the time for `run.json`, to the second, with its zone."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _empty(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _short(value):
    text = str(value)
    return text if len(text) < 60 else f"{text[:57]}..."


def first_difference(one, other, name: str = "") -> tuple | None:
    """Returns the first difference of two JSON values: its dotted name and both; None if equal."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one | other:
            dotted = f"{name}.{key}" if name else key
            if difference := first_difference(one.get(key), other.get(key), dotted):
                return difference
        return None
    return None if one == other else (name, one, other)


def checkpoint_sha256(run_folder: Path) -> str:
    """Returns the SHA-256 of a run's checkpoint, in hexadecimal digits."""
    return hashlib.sha256((run_folder / BEST).read_bytes()).hexdigest()
