"""Checks that runs belong together: one database, one split, one partition, one recipe."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fer_tf.errors import UserError
from fer_tf.expressions import MULTI_NETWORK, PATHS
from fer_tf.files import require
from fer_tf.training.checkpoint import checkpoint_sha256
from fer_tf.training.run_folder import RUN_FILE, difference, read_run

SAME = (
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

RECORDED = ("seed", "training_images", "best_epoch", "best_validation_loss")
"""What the manifest takes over from each run."""


def finished_runs(run_folders: Mapping[str, Path]) -> dict[str, dict]:
    """What the `run.json` of the four networks hold.

    Args:
        run_folders: run folder of each network in `MULTI_NETWORK`.

    Raises:
        UserError: if a network is not trained, if the four do not belong together, or if one
            started from a network that has been trained anew since.
    """
    runs = {
        network: finished_run(network, run_folders[network], (*SAME, *RECORDED))
        for network in MULTI_NETWORK
    }
    for network, run in runs.items():
        refuse_other_start(run, run_folders[network])
    refuse_partition(runs["begin"], run_folders["begin"] / RUN_FILE)
    for network in MULTI_NETWORK[1:]:
        refuse_mixture(runs, run_folders, "begin", network, SAME)
    return runs


def finished_run(network: str, folder: Path, fields: Sequence[str] = RECORDED) -> dict:
    """What the `run.json` of a trained network holds.

    Args:
        network: its name.
        folder: of the run.
        fields: keys that are needed besides those on the program that wrote it.

    Raises:
        UserError: if it is not trained to its end, or by another version of this program.
    """
    run = read_run(folder)
    if run is None or not run.get("finished"):
        state = "is not finished" if run else "is missing"
        raise UserError(
            f"The run of {network} in {folder} {state}; run `python cli.py train {network}` first."
        )
    cure = f"train {network} again with --restart"
    require(run, (*fields, "fer_tf", "packages"), folder / RUN_FILE, cure)
    return run


def refuse_other_start(run: dict, folder: Path) -> None:
    """Refuses a run that started from another network than the one that is there now.

    Runs whose `run.json` does not record it, and those without that network beside, pass.

    Args:
        run: what its `run.json` holds.
        folder: of the run.

    Raises:
        UserError: if they differ.
    """
    from fer_tf.training.checkpoint import BEST

    origin = folder.parent / (run["recipe"].get("init_from") or "")
    if database := run["recipe"].get("init_database"):
        runs_dir, (config, recipe, network) = folder.parents[3], folder.parts[-3:]
        origin = runs_dir / database / config / recipe / network
    started_from = run.get("started_from")
    if not started_from or not (origin / BEST).is_file():
        return
    if checkpoint_sha256(origin) != started_from:
        raise UserError(
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
        UserError: naming the first difference.
    """
    for name in fields:
        found = difference(_shared(runs[one][name]), _shared(runs[other][name]), name)
        if found:
            field, ours, theirs = found
            raise UserError(
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
        UserError: naming both partitions.
    """
    ours = {name: list(expressions) for name, expressions in PATHS.items()}
    if run["paths"] != ours:
        then, today = (
            " | ".join(", ".join(names) for names in paths.values())
            for paths in (run["paths"], ours)
        )
        raise UserError(
            f"{path} was trained for the paths {then}; fer_tf/expressions.py now has {today}. Put "
            "those back, or train again with --restart."
        )


def _shared(value):
    """A recipe without what each network has of its own; else the value."""
    own = ("schedule", "init_from", "init_database", "shared_stages", "expression_logits")
    return {**value, **dict.fromkeys(own)} if isinstance(value, dict) else value
