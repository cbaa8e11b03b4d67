"""Combines four trained networks into the next version of a served model."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from fer_tf.export.contract import USUAL_OPTIONS, ExportOptions
from fer_tf.export.model_store import publish, refuse_stranger, with_evaluation
from fer_tf.expressions import MULTI_NETWORK
from fer_tf.records.evaluation import read_evaluation
from fer_tf.records.manifest import Manifest, NetworkEntry
from fer_tf.records.run import Run
from fer_tf.training.compatibility import finished_runs
from fer_tf.training.run_folder import checkpoint_sha256


def combine(
    run_folders: dict[str, Path],
    folder: Path,
    replace: bool = False,
    options: ExportOptions = USUAL_OPTIONS,
) -> Path:
    """Writes the next version of a SavedModel from the best checkpoints of four runs.

    The version is written into a temporary folder, answers its warm-up requests and is renamed, so
    a server that watches the model's folder never loads an incomplete or broken version.

    Args:
        run_folders: network in `MULTI_NETWORK` -> its run's folder.
        folder: the model's folder, e.g. `saved_models/concat_db`.
        replace: whether the version may replace one of another database, config or recipe as the
            newest.
        options: how the networks are exported.

    Returns:
        The new version's folder.

    Raises:
        UserError: if a network is not trained, if the runs do not belong together, if the newest
            version is made of another database, config or recipe, or if the model fails a warm-up
            request.
    """
    from fer_tf.export.signatures import export
    from fer_tf.training.checkpoint import load_best

    runs = finished_runs(run_folders)
    begin = runs["begin"]
    manifest = Manifest(
        database=begin.database,
        occlusion=begin.occlusion,
        networks=network_entries(runs, run_folders, begin),
        **common_facts(begin),
        **asdict(options),
    )
    if numbers := read_evaluation(run_folders["begin"].parent):
        manifest = with_evaluation(manifest, numbers) or manifest
    if not replace:
        refuse_stranger(folder, manifest)
    networks = {network: load_best(run_folders[network]) for network in MULTI_NETWORK}
    return publish(
        folder, lambda version: export(networks, begin.occlusion, version, options), manifest
    )


def common_facts(run: Run) -> dict:
    """Returns the fields of `Manifest` that are equal for all networks, from one network's run."""
    return {
        "config": run.config,
        "data_fingerprint": run.data_fingerprint,
        "recipe": run.recipe.name,
        "image_size": run.recipe.image_size,
        "training_precision": run.training_precision,
        "labels": run.labels,
        "paths": run.paths,
        "fer_tf": run.fer_tf,
        "packages": run.packages,
    }


def network_entries(
    runs: Mapping[str, Run], folders: Mapping[str, Path], first: Run
) -> dict[str, NetworkEntry]:
    """Returns the entries of networks for a manifest.

    Args:
        runs: network -> its run.
        folders: network -> its run's folder.
        first: the run whose program the manifest names; an entry names its program only where it
            differs.
    """
    return {
        network: NetworkEntry(
            seed=run.seed,
            training_images=run.training_images,
            best_epoch=run.best_epoch,
            best_validation_loss=run.best_validation_loss,
            sha256=checkpoint_sha256(folders[network]),
            fer_tf=run.fer_tf if run.fer_tf != first.fer_tf else None,
            packages=run.packages if run.packages != first.packages else None,
        )
        for network, run in runs.items()
    }
