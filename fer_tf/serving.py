"""Combines four trained networks into the next version of a served model."""

import hashlib
import json
import os
import shutil
from pathlib import Path

from fer_tf.errors import InputError
from fer_tf.expressions import MULTI_NETWORK
from fer_tf.runs import read_run, write_json

MANIFEST = Path("assets.extra") / "manifest.json"
"""What a version is made of, beside its graph; servers ignore the folder's other files."""

MODEL_CARD = Path("assets.extra") / "model_card.md"
"""The same for readers."""

_SAME = (
    "database",
    "config",
    "data_fingerprint",
    "occlusion",
    "recipe",
    "training_precision",
    "labels",
)
"""What the four runs must share, by their keys in `run.json`."""


def combine(
    run_folders: dict[str, Path], folder: Path, replace: bool = False, precision: str = "float32"
) -> Path:
    """Writes the next version of a SavedModel from the best checkpoints of four runs.

    The version is written beside, answers its warm-up requests there, and is renamed when it is
    whole, so a server that watches the folder sees neither half of one nor one that cannot answer.

    Args:
        run_folders: run folder of each network in `MULTI_NETWORK`.
        folder: the model's folder, e.g. `saved_models/concat_db`; its versions are its integer
            sub-folders.
        replace: whether a version of another database, config or recipe may become the newest.
        precision: in which the served networks compute, see `fer_tf.folding.fold`.

    Returns:
        The new version's folder.

    Raises:
        InputError: if a network is not trained, if the runs do not belong together, if the newest
            version there is made of another database, config or recipe, or if the combined model
            fails a warm-up request.
    """
    from fer_tf.checkpoint import load_best
    from fer_tf.export import export
    from fer_tf.model_card import model_card
    from fer_tf.warmup import write_warm_up

    runs = {network: _finished_run(network, run_folders[network]) for network in MULTI_NETWORK}
    for network in MULTI_NETWORK[1:]:
        _refuse_mixture(runs, run_folders, network)
    versions = find_versions(folder)
    if versions and not replace:
        _refuse_stranger(runs["begin"], versions[-1])

    networks = {network: load_best(run_folders[network]) for network in MULTI_NETWORK}
    number = int(versions[-1].name) + 1 if versions else 1
    beside = folder / f"writing-{number}"
    shutil.rmtree(beside, ignore_errors=True)
    try:
        export(networks, runs["begin"]["occlusion"], beside, precision)
        made = {"precision": precision, "warm_up_paths": write_warm_up(beside)}
        manifest = _manifest(runs, run_folders) | made
        write_json(beside / MANIFEST, manifest)
        (beside / MODEL_CARD).write_text(model_card(folder.name, number, manifest))
        os.replace(beside, folder / str(number))
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder / str(number)


def find_versions(folder: Path) -> list[Path]:
    """The versions of a model, oldest first: its integer sub-folders."""
    found = [path for path in folder.glob("*") if path.name.isdecimal() and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name))


def read_manifest(version: Path) -> dict:
    """What a version was made of.

    Raises:
        InputError: if the version holds no manifest, so was not written by `combine`.
    """
    path = version / MANIFEST
    if not path.is_file():
        raise InputError(f"{path} is missing; make the model again with `python cli.py combine`.")
    return json.loads(path.read_text())


def checkpoint_sha256(run_folder: Path) -> str:
    """SHA-256 of a run's best checkpoint, in hexadecimal digits: which network it is."""
    from fer_tf.checkpoint import BEST

    return hashlib.sha256((run_folder / BEST).read_bytes()).hexdigest()


def _refuse_mixture(runs, run_folders, network):
    """Refuses a network that was not trained on the data and by the recipe of BeginNet."""
    for name in _SAME:
        difference = _difference(_shared(runs["begin"][name]), _shared(runs[network][name]), name)
        if difference:
            field, begins, its = difference
            raise InputError(
                f"{run_folders['begin']} and {run_folders[network]} differ in {field}: {begins} "
                f"and {its}. Only networks trained alike can be combined: train them again with "
                "one recipe on one database."
            )


def _difference(one, other, name):
    """The first value in which two JSON values differ, by its dotted name; None where equal."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one | other:
            if found := _difference(one.get(key), other.get(key), f"{name}.{key}"):
                return found
        return None
    return None if one == other else (name, one, other)


def _shared(value):
    """A recipe without the schedule, which each network has of its own; else the value."""
    return {**value, "schedule": None} if isinstance(value, dict) else value


def _finished_run(network, folder):
    run = read_run(folder)
    if run is None or not run["finished"]:
        state = "is not finished" if run else "is missing"
        raise InputError(
            f"The run of {network} in {folder} {state}; run `python cli.py train {network}` first."
        )
    return run


def _refuse_stranger(run, newest):
    manifest = read_manifest(newest)
    for name in ("database", "config", "recipe"):
        new = run["recipe"]["name"] if name == "recipe" else run[name]
        if manifest[name] != new:
            raise InputError(
                f"{newest} was made with {name} {manifest[name]}, the new version with {new}: it "
                "would become the newest served. Choose another --name, or give --replace."
            )


def _manifest(runs, run_folders):
    begin = runs["begin"]
    sha256 = {network: checkpoint_sha256(run_folders[network]) for network in MULTI_NETWORK}
    return {
        **{name: begin[name] for name in _SAME if name != "recipe"},
        "recipe": begin["recipe"]["name"],
        "image_size": begin["recipe"]["image_size"],
        "fer_tf": begin["fer_tf"],
        "packages": begin["packages"],
        "networks": {
            network: {
                "seed": run["seed"],
                "training_images": run["training_images"],
                "best_epoch": run["best_epoch"],
                "best_validation_loss": run["best_validation_loss"],
                "sha256": sha256[network],
            }
            for network, run in runs.items()
        },
        "evaluation": _evaluation(run_folders["begin"].parent / "evaluation.json", sha256),
    }


def _evaluation(path, sha256):
    """What `evaluate` measured, None where it has not measured these very networks."""
    if not path.is_file():
        return None
    numbers = json.loads(path.read_text())
    measured = numbers.get("sha256", {})
    if any(measured.get(network) != value for network, value in sha256.items()):
        return None
    return {"split": numbers["split"], "results": numbers["results"]}
