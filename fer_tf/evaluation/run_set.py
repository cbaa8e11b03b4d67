"""The finished runs of a recipe on a database, and the logits of their networks."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np

from fer_tf.data.database import Database
from fer_tf.data.face_groups import connected_groups
from fer_tf.data.input_pipeline import evaluation_batches
from fer_tf.data.inspection_report import read_inspection
from fer_tf.data.tfrecords import Split
from fer_tf.errors import UserError
from fer_tf.evaluation.ensembles import FLAT, FLAT_LONGER, FLAT_NO_ATTENTION
from fer_tf.expressions import TASKS
from fer_tf.records.evaluation import TrainingSummary
from fer_tf.records.run import is_finished, read_run
from fer_tf.training.compatibility import (
    refuse_mixture,
    refuse_other_backbone,
    refuse_other_faces,
    refuse_other_origin,
    refuse_partition,
)
from fer_tf.training.recipe_changes import NO_ATTENTION
from fer_tf.training.run_folder import SEED, beside

LONGER = "-longer"
"""Ends the recipe name of runs that `benchmarks/studies/flat_or_paths.py` trained longer."""

_BESIDE = {FLAT_NO_ATTENTION: NO_ATTENTION, FLAT_LONGER: LONGER}


def find_runs(parent: Path) -> dict[str, Path]:
    """Finds the finished runs of one recipe.

    Args:
        parent: the recipe's folder, e.g. `runs/concat_db/fer2013/quick`.

    Returns:
        Network -> its run's folder, in the order of `TASKS`; then `FLAT_NO_ATTENTION` and
        `FLAT_LONGER`, whose folders are next to the recipe's.

    Raises:
        UserError: if no run is finished.
    """
    runs = {network: parent / network for network in TASKS if is_finished(parent / network)}
    if not runs:
        raise UserError(
            f"{parent} holds no trained network; run `python cli.py train all` first, or name "
            "another --recipe or --runs-dir."
        )
    others = {name: beside(parent, suffix) / FLAT for name, suffix in _BESIDE.items()}
    return runs | {name: folder for name, folder in others.items() if is_finished(folder)}


def training_summary(folder: Path) -> TrainingSummary:
    """Returns how a finished run was trained."""
    run = read_run(folder)
    return TrainingSummary(
        **{each.name: getattr(run, each.name) for each in fields(TrainingSummary)}
    )


def other_seeds(parent: Path) -> dict[str, dict[str, Path]]:
    """Finds the runs that differ only in their seed: seed -> network -> its run's folder."""
    base, runs_of_seed = parent.name.partition(SEED)[0], {}
    for folder in sorted(parent.parent.glob(f"{base}*")):
        name, _, seed = folder.name.partition(SEED)
        if name == base and folder != parent:
            folders = {n: folder / n for n in TASKS if _same_recipe(folder / n, parent / n)}
            if folders:
                runs_of_seed[seed or "0"] = folders
    return runs_of_seed


def _same_recipe(folder, other):
    """Whether a run is finished and has the recipe of the other run, if that one exists."""
    run, other_run = read_run(folder), read_run(other)
    finished = run is not None and run.finished
    return finished and (other_run is None or run.recipe == other_run.recipe)


def check_runs(database: Database, folders: Mapping[str, Path]) -> None:
    """Refuses runs that do not belong together or to a database.

    Args:
        database: the database of the evaluation.
        folders: from `find_runs`.

    Raises:
        UserError: if a network was trained on other faces or for another partition; if it was
            initialised from a network that has been trained anew since; if the recipes of two
            networks differ in more than the schedule; or if the backbone of `FLAT_NO_ATTENTION` or
            `FLAT_LONGER` differs.
    """
    runs = {name: read_run(folder) for name, folder in folders.items()}
    for name, run in runs.items():
        refuse_other_faces(run, folders[name], str(database), database.fingerprint())
        refuse_partition(run, folders[name])
        refuse_other_origin(run, folders[name])
    first, *others = (name for name in folders if name in TASKS)
    for name in others:
        refuse_mixture(runs, folders, first, name, ["recipe"])
    for name in folders.keys() - TASKS.keys():
        refuse_other_backbone(runs[first], folders[first], runs[name], folders[name])


def predict_logits(folders: Mapping[str, Path], *splits: Split) -> list[dict[str, np.ndarray]]:
    """Computes the logits of each network for all images of splits.

    Args:
        folders: network -> its run's folder.
        *splits: the images.

    Returns:
        For each split: network -> float32 [N, classes of its task].
    """
    from fer_tf.training.checkpoint import load_best

    batches = [evaluation_batches(split.images, split.labels) for split in splits]
    logits = [{} for _ in splits]
    for name, folder in folders.items():
        network = load_best(folder)
        for logits_of_split, images in zip(logits, batches, strict=True):
            logits_of_split[name] = network.predict(images, verbose=0)
    return logits


def groups_of(database: Database, data: Split) -> np.ndarray:
    """Numbers the groups that a `Bootstrap` resamples: images of a person, and near duplicates.

    Returns:
        int [N].

    Raises:
        UserError: if the database was built without an inspection.
    """
    count = len(data.ids)
    row_of = {name: row for row, name in enumerate(data.ids)}
    _, person = np.unique(np.array(data.subjects, object).astype(str), return_inverse=True)
    edges = [(row, count + person[row]) for row, subject in enumerate(data.subjects) if subject]
    duplicates = read_inspection(database.folder).near_duplicates.groups
    for node, names in enumerate(duplicates, start=2 * count):
        edges += [(row_of[name], node) for name in names if name in row_of]
    return connected_groups(count, np.array(edges, int).reshape(-1, 2))
