"""Combines four trained networks into the next version of a served model."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from fer_tf.export.contract import USUAL_OPTIONS, ExportOptions
from fer_tf.export.model_store import add_evaluation, publish, refuse_stranger
from fer_tf.expressions import MULTI_NETWORK
from fer_tf.files import read_json, require
from fer_tf.training.checkpoint import checkpoint_sha256
from fer_tf.training.compatibility import RECORDED, SAME, finished_runs


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
        UserError: if a network is not trained, if the runs do not belong together, if the newest
            version there is made of another database, config or recipe, or if the combined model
            fails a warm-up request.
    """
    from fer_tf.export.signatures import export
    from fer_tf.training.checkpoint import load_best

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


def _manifest(runs, run_folders):
    begin = runs["begin"]
    manifest = {
        **{name: begin[name] for name in SAME},
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
            **{key: run[key] for key in RECORDED},
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
        UserError: if it is damaged or of another version of this program.
    """
    path = folder / "evaluation.json"
    if not path.is_file():
        return None
    cure = "give `python cli.py evaluate` again, or remove it"
    numbers = read_json(path, cure)
    require(numbers, ("split", "results"), path, cure)
    return numbers
