"""The folder of a training run: what it was made of, who works in it, how far it is."""

import contextlib
import json
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import joblib

import fer_tf
from fer_tf.errors import UserError
from fer_tf.expressions import EXPRESSIONS, PAPER_PATHS, PATHS, TASKS
from fer_tf.files import exclusive, read_json, write_json
from fer_tf.models.networks import OCCLUSION_NET, classes_of
from fer_tf.provenance import commit, package_versions
from fer_tf.training.recipes import Recipe

RUN_FILE = "run.json"
SEED = "-seed"
"""Between the recipe's name and the seed in the name of a folder, where the seed is not 0."""
PRECISIONS = ("float32", "float16", "bfloat16")
"""In which a network may compute while it is trained; weights are float32 always."""


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
        precision: one of `PRECISIONS`.
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
        """Of what is trained on a `fer_tf.data.input_pipeline.Database`."""
        faces = database.name, database.config, database.fingerprint(), database.occlusion
        origin = None
        if recipe.init_database:
            origin = database.beside(recipe.init_database).fingerprint()
        return cls(*faces, recipe.on(database.name), seed, precision, origin)

    def folder(self, runs_dir: Path, network: str) -> Path:
        """Where the run of one network lives under the runs directory."""
        folder = run_name(self.recipe.name, self.seed)
        return runs_dir / self.database / self.config / folder / network

    def as_dict(self, network: str) -> dict:
        """Plain values that go into `run.json` and must not change while a run goes on."""
        recipe = self.recipe.as_dict(network)
        if self.occlusion not in ("eyes", "mixed"):
            recipe["usual_eyes"] = 0.0  # Nothing to the others.
        if self.database == self.recipe.init_database:
            recipe["init_database"] = None
        values = {
            "database": self.database,
            "config": self.config,
            "data_fingerprint": self.fingerprint,
            "occlusion": self.occlusion,
            "recipe": recipe,
            "seed": self.seed,
            "training_precision": self.precision,
            "network": network,
            "classes": list(classes_of(network)),
        }
        if network in TASKS:  # OcclusionNet knows of no expression.
            values |= {"labels": list(EXPRESSIONS), "paths": PATHS}
        return json.loads(json.dumps(values))  # Tuples become lists, as they are read back.


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


def is_finished(folder: Path) -> bool:
    """Whether a run's folder holds a trained network."""
    return bool((read_run(folder) or {}).get("finished"))


def read_run(folder: Path) -> dict | None:
    """What `run.json` in a run's folder holds, or None where no run was begun.

    Raises:
        UserError: if it is damaged.
    """
    path = folder / RUN_FILE
    if not path.is_file():
        return None
    return _completed(read_json(path, "train again with --restart"))


_RENAMED = {"start_from": "init_from", "start_database": "init_database"}
"""Fields of a recipe in `run.json` that had other names."""


def _completed(run):
    """A run begun before there was a choice, with what was then the only one."""
    only = {"training_precision": "float32", "paths": PAPER_PATHS, "backend": "tensorflow"}
    run = only | run
    if run.get("network") == "occlusion":
        run["network"] = OCCLUSION_NET
    if "recipe" in run:
        recipe = run["recipe"].items()
        run["recipe"] = {_RENAMED.get(name, name): value for name, value in recipe}
    if "backbone" in run.get("recipe", {}):
        usual = {"init_from": None, "usual_eyes": 0.0, "optimizer": "sgd"}
        usual |= {"init_database": None, "shared_stages": 0, "distillation": None}
        usual |= {"expression_logits": False}
        run["recipe"] = usual | {"covers_anew": False, "keeps": "best"} | run["recipe"]
        usual = {"expansion": 2, "bottleneck": True, "batch_norm_momentum": 0.9}
        usual |= {"widths": None, "stem_strides": 2, "pool_stages": False}
        run["recipe"]["backbone"] = usual | run["recipe"]["backbone"]
    return json.loads(json.dumps(run))  # As they are read back.


def open_run(folder: Path, key: dict, restart: bool = False) -> dict:
    """Reads the run in a folder or begins it.

    Args:
        folder: of the run.
        key: what it is made of, `RunKey.as_dict`.
        restart: throw away what the folder holds.

    Returns:
        What `run.json` holds.

    Raises:
        UserError: if the folder holds a run that was made of something else, or an unfinished one
            of another Keras backend.
    """
    import keras

    if restart:
        (folder / RUN_FILE).unlink(missing_ok=True)
    backend = keras.backend.backend()
    run = read_run(folder)
    if run is None:
        _empty(folder)  # Killed here, it is emptied the next time: the key is written last.
        run = key | {
            "finished": False,
            "begun": now(),
            "fer_tf": fer_tf.__version__,
            "commit": commit(),
            "python": platform.python_version(),
            "packages": package_versions(),
            "backend": backend,
            "machine": f"{platform.system()} {platform.machine()}, {joblib.cpu_count()} CPU cores",
            "command": " ".join(sys.argv),
        }
        write_json(folder / RUN_FILE, run)
        return run
    for name, value in key.items():
        if found := difference(run.get(name), value, name):
            field, before, after = found
            raise UserError(
                f"{folder} holds a run with {field} {_short(before)}, now it is {_short(after)}; "
                "train again with --restart, or into another --runs-dir."
            )
    if not run["finished"] and run["backend"] != backend:
        raise UserError(
            f"{folder} holds a run that was begun with Keras' backend {run['backend']}, now it is "
            f"{backend}; go on with KERAS_BACKEND={run['backend']}, or train again with --restart."
        )
    for leftover in folder.glob("writing-*"):  # Of a write that was killed.
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


def other_versions(run: dict) -> str | None:
    """One sentence on packages that have another version than when the run was begun, or None."""
    then, today = run["packages"], package_versions()
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


def difference(one, other, name: str) -> tuple | None:
    """Where two JSON values differ first: its dotted name and both values; None where equal."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one | other:
            if found := difference(one.get(key), other.get(key), f"{name}.{key}"):
                return found
        return None
    return None if one == other else (name, one, other)
