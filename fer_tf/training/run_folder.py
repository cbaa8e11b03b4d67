"""The folder of a training run: what it was made of, who works in it, how far it is."""

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
from fer_tf.records.run import Run, RunSetup, read_run, write_run
from fer_tf.training.recipe import Recipe

RUN_FILE = "run.json"
SEED = "-seed"
"""Between the recipe's name and the seed in the name of a folder, where the seed is not 0."""
TRAINING_PRECISIONS = ("float32", "float16", "bfloat16")
"""The types in which a network can compute while it is trained; its weights are always float32."""


BEST = "best.keras"


@dataclass(frozen=True)
class RunKey:
    """What a run was made of; networks are combined only when all of it agrees.

    Attributes:
        database: "concat_db", "bconcat_db", "eye_cdb" or "uncovered".
        config: of the database, e.g. "fer2013-leakfree".
        fingerprint: hash of the database's faces, labels and splits.
        occlusion: "upper", "lower", "eyes" or "none".
        recipe: the recipe.
        seed: of everything random.
        precision: one of `TRAINING_PRECISIONS`.
        origin_fingerprint: the fingerprint of the database on which the network was trained from
            which the others begin; None where it is the same database.
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
        """Of what is trained on a `fer_tf.data.database.Database`."""
        faces = database.name, database.config, database.fingerprint(), database.occlusion
        origin = None
        if recipe.init_database:
            origin = database.beside(recipe.init_database).fingerprint()
        return cls(*faces, recipe.on(database.name), seed, precision, origin)

    def folder(self, runs_dir: Path, network: str) -> Path:
        """Where the run of one network lives under the runs directory."""
        folder = run_name(self.recipe.name, self.seed)
        return runs_dir / self.database / self.config / folder / network

    def setup(self, network: str) -> RunSetup:
        """What one network's run is made of: it must not change while the run goes on."""
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
    """The folder of runs of one recipe; seeds other than 0 have one of their own."""
    return recipe + (f"{SEED}{seed}" if seed else "")


def beside(parent: Path, suffix: str) -> Path:
    """The folder of the runs of a recipe with something changed: "quick-no_attention-seed1".

    Args:
        parent: the recipe's, e.g. ".../quick-seed1".
        suffix: what the recipe's name ends with then, e.g. "-no_attention".
    """
    name, mark, seed = parent.name.partition(SEED)
    return parent.with_name(f"{name}{suffix}{mark}{seed}")


def open_run(folder: Path, setup: RunSetup, restart: bool = False) -> Run:
    """Reads the run in a folder or begins it.

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
        _empty(folder)  # A process that is killed here leaves no key, so the next one starts anew.
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
    for leftover in folder.glob("writing-*"):  # A killed process left it.
        leftover.unlink()
    return run


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps a second process out of a run's folder; the lock ends with the process, killed or not.

    Raises:
        UserError: if another process trains there.
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
    """One sentence on packages that have another version than when the run was begun, or None."""
    then, today = run.packages, package_versions()
    changed = [
        f"{name} {before} (now {today.get(name, 'missing')})"
        for name, before in then.items()
        if before != today.get(name)
    ]
    if not changed:
        return None
    return f"The run was begun with {', '.join(changed)}; its numbers may differ a little."


def now() -> str:
    """The time for `run.json`, to the second, with its zone."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _empty(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _short(value):
    text = str(value)
    return text if len(text) < 60 else f"{text[:57]}..."


def first_difference(one, other, name: str = "") -> tuple | None:
    """Where two JSON values differ first: its dotted name and both values; None where equal."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one | other:
            dotted = f"{name}.{key}" if name else key
            if difference := first_difference(one.get(key), other.get(key), dotted):
                return difference
        return None
    return None if one == other else (name, one, other)


def checkpoint_sha256(run_folder: Path) -> str:
    """SHA-256 of a run's best checkpoint, in hexadecimal digits: which network it is."""
    from fer_tf.training.run_folder import BEST

    return hashlib.sha256((run_folder / BEST).read_bytes()).hexdigest()
