"""Checks that runs belong together: one database, one split, one partition, one recipe."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from fer_tf.errors import UserError
from fer_tf.expressions import MULTI_NETWORK, PATHS
from fer_tf.records.run import RUN_FILE, Run, read_run
from fer_tf.training.run_folder import BEST, checkpoint_sha256, first_difference

SAME = (
    *("database", "config", "data_fingerprint", "occlusion", "recipe", "training_precision"),
    *("labels", "paths"),
)
"""Fields of `Run` in which the four networks of one model agree."""

_OF_ONE_NETWORK = (
    *("schedule", "init_from", "init_database", "shared_stages"),
    "expression_logits",
)
"""Fields of a recipe in which networks that are trained alike may differ."""


def finished_runs(run_folders: Mapping[str, Path]) -> dict[str, Run]:
    """Reads the runs of the four networks and checks that they belong together.

    Args:
        run_folders: network in `MULTI_NETWORK` -> its run's folder.

    Raises:
        UserError: if a network is not trained, if the four do not belong together, or if one was
            initialised from a network that has been trained anew since.
    """
    runs = {network: finished_run(network, run_folders[network]) for network in MULTI_NETWORK}
    for network, run in runs.items():
        refuse_other_origin(run, run_folders[network])
    refuse_partition(runs["begin"], run_folders["begin"])
    for network in MULTI_NETWORK[1:]:
        refuse_mixture(runs, run_folders, "begin", network)
    return runs


def finished_run(network: str, folder: Path) -> Run:
    """Reads the run of a trained network.

    Raises:
        UserError: if the network is not trained to its last epoch, or if another version of this
            program wrote its `run.json`.
    """
    run = read_run(folder)
    if run is None or not run.finished:
        state = "is missing" if run is None else "is not finished"
        raise UserError(
            f"The run of {network} in {folder} {state}; run `python cli.py train {network}` first."
        )
    return run


def refuse_other_origin(run: Run, folder: Path) -> None:
    """Refuses a run that was initialised from a network which has been trained anew since.

    A run passes if it does not record its origin or if its origin is missing.

    Args:
        run: the run.
        folder: the run's folder.

    Raises:
        UserError: if the networks differ.
    """
    origin = folder.parent / (run.recipe.init_from or "")
    if run.recipe.init_database:
        runs_dir, (config, recipe, network) = folder.parents[3], folder.parts[-3:]
        origin = runs_dir / run.recipe.init_database / config / recipe / network
    if not run.init_sha256 or not (origin / BEST).is_file():
        return
    if checkpoint_sha256(origin) != run.init_sha256:
        raise UserError(
            f"{folder} started from a {origin.name} that is gone: {origin} has been trained anew "
            f"since. Train {folder.name} again with --restart, or put the former {origin.name} "
            "back."
        )


def refuse_mixture(
    runs: Mapping[str, Run],
    folders: Mapping[str, Path],
    one: str,
    other: str,
    fields: Sequence[str] = SAME,
) -> None:
    """Refuses two networks that were not trained alike.

    Args:
        runs: network -> its run.
        folders: network -> its run's folder.
        one: a network.
        other: another network.
        fields: fields of `Run` that must agree; recipes may differ in `_OF_ONE_NETWORK`.

    Raises:
        UserError: naming the first difference.
    """
    values = [{name: _shared(runs[network], name) for name in fields} for network in (one, other)]
    if difference := first_difference(*values):
        field, ours, theirs = difference
        raise UserError(
            f"{folders[one]} and {folders[other]} differ in {field}: {ours} and {theirs}. Only "
            "networks trained alike can be combined: train them again with one recipe on one "
            "database."
        )


def refuse_other_backbone(run: Run, folder: Path, other: Run, other_folder: Path) -> None:
    """Refuses two flat networks whose backbones differ.

    Raises:
        UserError: naming the first difference.
    """
    values = [{"backbone": each.recipe.backbone} for each in (run, other)]
    if difference := first_difference(*values):
        field, ours, theirs = difference
        raise UserError(
            f"{folder} and {other_folder} differ in {field}: {ours} and {theirs}; train them again "
            "with one recipe."
        )


def refuse_other_faces(run: Run, folder: Path, database: str, fingerprint: str) -> None:
    """Refuses a run that was trained on other faces than a database contains now.

    Args:
        run: the run.
        folder: the run's folder.
        database: the database's name for the message.
        fingerprint: the database's fingerprint.

    Raises:
        UserError: if the fingerprints differ.
    """
    if run.data_fingerprint != fingerprint:
        raise UserError(
            f"{folder} was trained on other faces than {database} holds now, or on "
            "another split of them; train again with --restart."
        )


def refuse_other_split(first: Run, first_folder: Path, run: Run, folder: Path) -> None:
    """Refuses runs on different faces: a training face of one run may be a test face of the other.

    Raises:
        UserError: if the fingerprints differ.
    """
    if run.data_fingerprint != first.data_fingerprint:
        raise UserError(
            f"{folder / RUN_FILE} was trained on other faces than {first_folder}; build the "
            "databases again where they are old, then give `python cli.py train "
            f"{run.network} --database {run.database}/{run.config} --restart`."
        )


def refuse_other_recipe(first: Run, run: Run, folder: Path) -> None:
    """Refuses a multi-network that was trained with another recipe than that of concat_db.

    Raises:
        UserError: naming the first field that differs.
    """
    ours, theirs = (
        vars(each) | {"recipe": each.recipe.name, "backbone": each.recipe.backbone}
        for each in (first, run)
    )
    for name in ("config", "training_precision", "labels", "paths", "recipe", "backbone"):
        if ours[name] != theirs[name]:
            raise UserError(
                f"{folder} was trained with {name} {theirs[name]}, concat_db with {ours[name]}; "
                "only networks trained alike can be combined: train them again with one recipe."
            )


def refuse_partition(run: Run, folder: Path) -> None:
    """Refuses a run that was trained for another partition than `PATHS`.

    Raises:
        UserError: naming both partitions.
    """
    today = {path: list(names) for path, names in PATHS.items()}
    if run.paths != today:
        trained_for, now_used = (
            " | ".join(", ".join(names) for names in paths.values()) for paths in (run.paths, today)
        )
        raise UserError(
            f"{folder / RUN_FILE} was trained for the paths {trained_for}; fer_tf/expressions.py "
            f"now has {now_used}. Put those back, or train again with --restart."
        )


def _shared(run, name):
    """A field of a run; of a recipe the values in which networks must agree."""
    if name != "recipe":
        return getattr(run, name)
    return asdict(run.recipe) | dict.fromkeys(_OF_ONE_NETWORK)
