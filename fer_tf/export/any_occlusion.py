"""Combines OcclusionNet and the multi-networks of all occlusions into one model."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from fer_tf.data.database import KINDS, UNCOVERED
from fer_tf.errors import UserError
from fer_tf.export.combine import common_facts, network_entries
from fer_tf.export.contract import USUAL_OPTIONS, ExportOptions
from fer_tf.export.model_store import publish, refuse_stranger, with_evaluation
from fer_tf.expressions import MULTI_NETWORK
from fer_tf.models.networks import OCCLUSION_NET
from fer_tf.occlusion.kinds import ANY_OCCLUSION, DATABASES
from fer_tf.records.evaluation import read_evaluation
from fer_tf.records.manifest import Manifest
from fer_tf.records.run import is_finished
from fer_tf.training.compatibility import (
    finished_run,
    finished_runs,
    refuse_other_recipe,
    refuse_other_split,
)
from fer_tf.training.recipes import RECOGNISER


def occlusion_folder(runs_dir: Path, config: str) -> Path:
    """Returns the folder of OcclusionNet's run, whose recipe is `RECOGNISER`."""
    return runs_dir / UNCOVERED / config / RECOGNISER / OCCLUSION_NET


def find_run_folders(runs_dir: Path, config: str, recipe: str) -> dict[str, dict[str, Path]]:
    """Finds the runs of which the model is made.

    Args:
        runs_dir: the directory of the runs.
        config: the databases' config, e.g. "fer2013-leakfree".
        recipe: the name of the multi-networks' recipe.

    Returns:
        Database -> network in `MULTI_NETWORK` -> run's folder, for each of `DATABASES`, and for
        `UNCOVERED` if all four networks are trained on it.

    Raises:
        UserError: if a network on one of `DATABASES` is not trained to its end.
    """
    folders = {
        name: {network: runs_dir / name / config / recipe / network for network in MULTI_NETWORK}
        for name in (*DATABASES, UNCOVERED)
    }
    if not all(map(is_finished, folders[UNCOVERED].values())):
        del folders[UNCOVERED]
    for database, folders_of_database in folders.items():
        for network, folder in folders_of_database.items():
            if not is_finished(folder):
                raise UserError(
                    f"{folder} holds no {network} that is trained to its end; give `python cli.py "
                    f"train all --database {database}/{config}` with the recipe of the others "
                    "first."
                )
    return folders


def combine_any_occlusion(
    recogniser_folder: Path,
    run_folders: Mapping[str, Mapping[str, Path]],
    folder: Path,
    replace: bool = False,
    options: ExportOptions = USUAL_OPTIONS,
) -> Path:
    """Writes the next version of a SavedModel that recognises the occlusion.

    Args:
        recogniser_folder: the folder of OcclusionNet's run.
        run_folders: from `find_run_folders`.
        folder: the model's folder, e.g. `saved_models/any_occlusion`.
        replace: whether the version may replace one of another config or recipe as the newest.
        options: how the networks are exported.

    Returns:
        The new version's folder; see `fer_tf.export.combine.combine`.

    Raises:
        UserError: if a network is not trained, if the runs do not belong together, if the newest
            version is made of another config or recipe, or if the model fails a warm-up
            request.
    """
    from fer_tf.export.signatures import export_any_occlusion
    from fer_tf.training.checkpoint import load_best

    recogniser = finished_run(OCCLUSION_NET, recogniser_folder)
    runs = {database: finished_runs(folders) for database, folders in run_folders.items()}
    first = runs["concat_db"]["begin"]
    first_folder = run_folders["concat_db"]["begin"]
    for database, runs_of_database in runs.items():
        begin, begin_folder = runs_of_database["begin"], run_folders[database]["begin"]
        refuse_other_recipe(first, begin, begin_folder)
        if database != "eye_cdb":  # Its fingerprint also depends on the black boxes.
            refuse_other_split(first, first_folder, begin, begin_folder)
    refuse_other_split(first, first_folder, recogniser, recogniser_folder)
    entries = network_entries(
        {OCCLUSION_NET: recogniser}, {OCCLUSION_NET: recogniser_folder}, first
    )
    for database, runs_of_database in runs.items():
        entries_of_database = network_entries(runs_of_database, run_folders[database], first)
        for network, entry in entries_of_database.items():
            entries[f"{database}/{network}"] = entry
    answering = {kind: database for database, kind in DATABASES.items()}
    uncovered = UNCOVERED if UNCOVERED in runs else answering["eyes"]
    manifest = Manifest(
        database=ANY_OCCLUSION,
        occlusion="any",
        networks=entries,
        answering={"none": uncovered, **answering},
        usual_eyes=runs["eye_cdb"]["begin"].recipe.usual_eyes,
        **common_facts(first),
        **asdict(options),
    )
    for folders in run_folders.values():
        if numbers := read_evaluation(folders["begin"].parent):
            manifest = with_evaluation(manifest, numbers) or manifest
    if not replace:
        refuse_stranger(folder, manifest)
    networks = {
        KINDS[database]: {network: load_best(each) for network, each in folders.items()}
        for database, folders in run_folders.items()
    }
    occlusion_net = load_best(recogniser_folder)
    return publish(
        folder,
        lambda version: export_any_occlusion(occlusion_net, networks, version, options),
        manifest,
    )
