"""Combines four trained networks into the next version of a served model."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from fer_tf.errors import InputError
from fer_tf.export import USUAL_OPTIONS, ExportOptions
from fer_tf.expressions import MULTI_NETWORK, PATHS
from fer_tf.files import read_json, require
from fer_tf.runs import RUN_FILE, difference, read_run
from fer_tf.versions import add_evaluation, publish, refuse_stranger

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


def combine(
    run_folders: dict[str, Path],
    folder: Path,
    replace: bool = False,
    options: ExportOptions = USUAL_OPTIONS,
) -> Path:
    """Writes the next version of a SavedModel from the best checkpoints of four runs.

    The version is written beside, answers its warm-up requests there, and is renamed when it is
    whole, so a server that watches the folder sees neither half of one nor one that cannot answer.

    Args:
        run_folders: run folder of each network in `MULTI_NETWORK`.
        folder: the model's folder, e.g. `saved_models/concat_db`; its versions are its integer
            sub-folders.
        replace: whether a version of another database, config or recipe may become the newest.
        options: how the networks are served.

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
        lambda beside: export(networks, begin["occlusion"], beside, options),
        made | asdict(options),
    )


def finished_runs(run_folders: Mapping[str, Path]) -> dict[str, dict]:
    """What the `run.json` of the four networks hold.

    Args:
        run_folders: run folder of each network in `MULTI_NETWORK`.

    Raises:
        InputError: if a network is not trained, if the four do not belong together, or if one
            started from a network that has been trained anew since.
    """
    runs = {
        network: finished_run(network, run_folders[network], (*_SAME, *_RECORDED))
        for network in MULTI_NETWORK
    }
    for network, run in runs.items():
        refuse_other_start(run, run_folders[network])
    refuse_partition(runs["begin"], run_folders["begin"] / RUN_FILE)
    for network in MULTI_NETWORK[1:]:
        refuse_mixture(runs, run_folders, "begin", network, _SAME)
    return runs


def checkpoint_sha256(run_folder: Path) -> str:
    """SHA-256 of a run's best checkpoint, in hexadecimal digits: which network it is."""
    from fer_tf.checkpoint import BEST

    return hashlib.sha256((run_folder / BEST).read_bytes()).hexdigest()


def refuse_other_start(run: dict, folder: Path) -> None:
    """Refuses a run that started from another network than the one that is there now.

    Runs whose `run.json` does not record it, and those without that network beside, pass.

    Args:
        run: what its `run.json` holds.
        folder: of the run.

    Raises:
        InputError: if they differ.
    """
    from fer_tf.checkpoint import BEST

    origin = folder.parent / (run["recipe"].get("start_from") or "")
    if database := run["recipe"].get("start_database"):
        runs_dir, (config, recipe, network) = folder.parents[3], folder.parts[-3:]
        origin = runs_dir / database / config / recipe / network
    started_from = run.get("started_from")
    if not started_from or not (origin / BEST).is_file():
        return
    if checkpoint_sha256(origin) != started_from:
        raise InputError(
            f"{folder} started from a {origin.name} that is gone: {origin} has been trained anew "
            f"since. Train {folder.name} again with --restart, or put the former {origin.name} "
            "back."
        )


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
    own = ("schedule", "start_from", "start_database", "shared_stages", "expression_logits")
    return {**value, **dict.fromkeys(own)} if isinstance(value, dict) else value


def finished_run(network: str, folder: Path, fields: Sequence[str] = _RECORDED) -> dict:
    """What the `run.json` of a trained network holds.

    Args:
        network: its name.
        folder: of the run.
        fields: keys that are needed besides those on the program that wrote it.

    Raises:
        InputError: if it is not trained to its end, or by another version of this program.
    """
    run = read_run(folder)
    if run is None or not run.get("finished"):
        state = "is not finished" if run else "is missing"
        raise InputError(
            f"The run of {network} in {folder} {state}; run `python cli.py train {network}` first."
        )
    cure = f"train {network} again with --restart"
    require(run, (*fields, "fer_tf", "packages"), folder / RUN_FILE, cure)
    return run


def _manifest(runs, run_folders):
    begin = runs["begin"]
    manifest = {
        **{name: begin[name] for name in _SAME},
        **common_facts(begin),
        "networks": describe_networks(runs, run_folders, begin),
        "evaluation": None,
    }
    if numbers := read_evaluation(run_folders["begin"].parent):
        add_evaluation(manifest, numbers)
    return manifest


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


def read_evaluation(folder: Path) -> dict | None:
    """What `evaluate` wrote into the folder of a recipe's runs, None where it was not run.

    Raises:
        InputError: if it is damaged or of another version of this program.
    """
    path = folder / "evaluation.json"
    if not path.is_file():
        return None
    cure = "give `python cli.py evaluate` again, or remove it"
    numbers = read_json(path, cure)
    require(numbers, ("split", "results"), path, cure)
    return numbers
