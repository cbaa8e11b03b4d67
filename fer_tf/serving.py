"""Combines four trained networks into the next version of a served model."""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fer_tf.errors import InputError
from fer_tf.expressions import MULTI_NETWORK, PATHS
from fer_tf.runs import RUN_FILE, difference, read_run, write_json, written_beside

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
    "paths",
)
"""What the four runs must share, by their keys in `run.json`."""

_RECORDED = ("seed", "training_images", "best_epoch", "best_validation_loss")
"""What the manifest takes over from each run."""

_STALE = 24 * 60 * 60
"""Seconds after which what an interrupted `combine` left is removed; none takes as long."""


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

    runs = finished_runs(run_folders)
    begin = runs["begin"]
    made = _manifest(runs, run_folders)
    if not replace:
        refuse_stranger(folder, made)
    networks = {network: load_best(run_folders[network]) for network in MULTI_NETWORK}
    return publish(
        folder,
        lambda beside: export(networks, begin["occlusion"], beside, precision),
        made | {"precision": precision},
    )


def finished_runs(run_folders: Mapping[str, Path]) -> dict[str, dict]:
    """What the `run.json` of the four networks hold.

    Args:
        run_folders: run folder of each network in `MULTI_NETWORK`.

    Raises:
        InputError: if a network is not trained, or the four do not belong together.
    """
    runs = {
        network: finished_run(network, run_folders[network], (*_SAME, *_RECORDED))
        for network in MULTI_NETWORK
    }
    refuse_partition(runs["begin"], run_folders["begin"] / RUN_FILE)
    for network in MULTI_NETWORK[1:]:
        refuse_mixture(runs, run_folders, "begin", network, _SAME)
    return runs


def publish(folder: Path, write: Callable[[Path], None], manifest: dict) -> Path:
    """Writes the next version of a model beside and renames it when it is whole.

    Args:
        folder: the model's, e.g. `saved_models/concat_db`.
        write: writes a SavedModel into a folder that does not exist.
        manifest: what the version is made of; "warm_up_paths" is added.

    Returns:
        The new version's folder.

    Raises:
        InputError: if the model fails a warm-up request.
    """
    from fer_tf.warmup import write_warm_up

    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("writing-*"):
        if time.time() - left.stat().st_mtime > _STALE:
            shutil.rmtree(left, ignore_errors=True)
    # A folder of its own for each process; the version within has the usual permissions.
    with tempfile.TemporaryDirectory(dir=folder, prefix="writing-") as own:
        beside = Path(own) / "version"
        write(beside)
        return _publish(beside, folder, manifest | {"warm_up_paths": write_warm_up(beside)})


def _publish(beside, folder, manifest):
    """Renames a finished version to the next number that is free when it is finished."""
    while True:
        number = max((int(version.name) for version in find_versions(folder)), default=0) + 1
        _describe(beside, folder.name, number, manifest)
        try:
            os.rename(beside, folder / str(number))
        except OSError:
            if (folder / str(number)).is_dir():
                continue  # Another process was faster.
            raise
        return folder / str(number)


def _describe(version, name, number, manifest):
    """Writes manifest and model card, each beside and renamed."""
    from fer_tf.model_card import model_card

    write_json(version / MANIFEST, manifest)
    with written_beside(version / MODEL_CARD) as out:
        out.write(model_card(name, number, manifest).encode())


def record_evaluation(models_dir: Path, numbers: dict) -> list[Path]:
    """Writes test accuracies into manifest and card of the versions that were measured.

    Args:
        models_dir: holds `<name>/<integer version>/`.
        numbers: what `fer_tf.evaluation.evaluate` returned.

    Returns:
        The versions made of the very networks that were measured, by their SHA-256.
    """
    recorded = []
    for version in sorted(path for name in models_dir.glob("*") for path in find_versions(name)):
        if not (version / MANIFEST).is_file():
            continue
        manifest = read_manifest(version)
        sha256 = {network: row["sha256"] for network, row in manifest["networks"].items()}
        if evaluation := _of_these(numbers, sha256):
            manifest["evaluation"] = evaluation
            _describe(version, version.parent.name, int(version.name), manifest)
            recorded.append(version)
    return recorded


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


def refuse_mixture(
    runs: Mapping[str, dict],
    folders: Mapping[str, Path],
    one: str,
    other: str,
    fields: Sequence[str],
) -> None:
    """Refuses two networks that were not trained alike.

    Args:
        runs: network -> what its `run.json` holds.
        folders: network -> its run's folder.
        one: a network.
        other: another.
        fields: keys of `run.json` that must agree; of recipes all but what each has of its own.

    Raises:
        InputError: naming the first difference.
    """
    for name in fields:
        found = difference(_shared(runs[one][name]), _shared(runs[other][name]), name)
        if found:
            field, ours, theirs = found
            raise InputError(
                f"{folders[one]} and {folders[other]} differ in {field}: {ours} and {theirs}. Only "
                "networks trained alike can be combined: train them again with one recipe on one "
                "database."
            )


def refuse_partition(run: dict, path: Path) -> None:
    """Refuses a run that was trained for another partition than `PATHS`.

    Args:
        run: what its `run.json` holds.
        path: that file.

    Raises:
        InputError: naming both partitions.
    """
    ours = {name: list(expressions) for name, expressions in PATHS.items()}
    if run["paths"] != ours:
        then, today = (
            " | ".join(", ".join(names) for names in paths.values())
            for paths in (run["paths"], ours)
        )
        raise InputError(
            f"{path} was trained for the paths {then}; fer_tf/expressions.py now has {today}. Put "
            "those back, or train again with --restart."
        )


def _shared(value):
    """A recipe without what each network has of its own; else the value."""
    return {**value, "schedule": None, "start_from": None} if isinstance(value, dict) else value


def finished_run(network: str, folder: Path, fields: Sequence[str] = _RECORDED) -> dict:
    """What the `run.json` of a trained network holds.

    Args:
        network: its name.
        folder: of the run.
        fields: keys that are needed besides those on the program that wrote it.

    Raises:
        InputError: if it is not trained to its end, or by another version of this program.
    """
    try:
        run = read_run(folder)
    except ValueError as error:
        raise InputError(
            f"{folder / RUN_FILE} is no JSON ({error}); train {network} again with --restart."
        ) from error
    if run is None or not run.get("finished"):
        state = "is not finished" if run else "is missing"
        raise InputError(
            f"The run of {network} in {folder} {state}; run `python cli.py train {network}` first."
        )
    if missing := [key for key in (*fields, "fer_tf", "packages") if key not in run]:
        raise InputError(
            f"{folder / RUN_FILE} lacks {', '.join(missing)}, so another version of this program "
            f"wrote it; train {network} again with --restart."
        )
    return run


def refuse_stranger(folder: Path, manifest: dict) -> None:
    """Refuses a version beside others that are made of something else.

    Args:
        folder: the model's; may not exist.
        manifest: of the new version.

    Raises:
        InputError: if the newest version has another database, config or recipe.
    """
    for newest in find_versions(folder)[-1:]:
        there = read_manifest(newest)
        for name in ("database", "config", "recipe"):
            if there[name] != manifest[name]:
                raise InputError(
                    f"{newest} was made with {name} {there[name]}, the new version with "
                    f"{manifest[name]}: it would become the newest served. Choose another --name, "
                    "or give --replace."
                )


def _manifest(runs, run_folders):
    begin = runs["begin"]
    networks = describe_networks(runs, run_folders, begin)
    sha256 = {network: row["sha256"] for network, row in networks.items()}
    return {
        **{name: begin[name] for name in _SAME},
        **common_facts(begin),
        "networks": networks,
        "evaluation": _evaluation(run_folders["begin"].parent / "evaluation.json", sha256),
    }


def common_facts(run: dict) -> dict:
    """What a manifest tells of the recipe and the program that trained a run."""
    recipe = run["recipe"]
    facts = {"recipe": recipe["name"], "image_size": recipe["image_size"]}
    return facts | {"fer_tf": run["fer_tf"], "packages": run["packages"]}


def describe_networks(
    runs: Mapping[str, dict], folders: Mapping[str, Path], first: dict
) -> dict[str, dict]:
    """What a manifest tells of each network.

    Args:
        runs: network -> what its `run.json` holds.
        folders: network -> its run's folder.
        first: the run whose packages the manifest tells for all; others are told where they differ.
    """
    return {
        network: {
            **{key: run[key] for key in _RECORDED},
            "sha256": checkpoint_sha256(folders[network]),
            **_other_versions(first, run),
        }
        for network, run in runs.items()
    }


def _other_versions(begin, run):
    """A network's own "fer_tf" and "packages", where they are not BeginNet's."""
    return {key: run[key] for key in ("fer_tf", "packages") if run[key] != begin[key]}


def _evaluation(path, sha256):
    """What `evaluate` measured, None where it has not measured these very networks."""
    if not path.is_file():
        return None
    return _of_these(json.loads(path.read_text()), sha256)


def _of_these(numbers, sha256):
    """What the manifest tells of an evaluation, None where it was of other networks."""
    measured = numbers.get("sha256", {})
    if any(measured.get(network) != value for network, value in sha256.items()):
        return None
    return {"split": numbers["split"], "results": numbers["results"]}
