"""ONE model for all occlusions: OcclusionNet and the multi-networks among which it picks."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from fer_tf.data.input_pipeline import KINDS, UNCOVERED
from fer_tf.errors import UserError
from fer_tf.export.combine import common_facts, describe_networks, read_evaluation
from fer_tf.export.contract import USUAL_OPTIONS, ExportOptions
from fer_tf.export.model_store import add_evaluation, publish, refuse_stranger
from fer_tf.expressions import MULTI_NETWORK
from fer_tf.models.networks import OCCLUSION_NET
from fer_tf.occlusion.kinds import ANY_OCCLUSION, DATABASES
from fer_tf.training.compatibility import finished_run, finished_runs
from fer_tf.training.recipes import RECOGNISER
from fer_tf.training.run_folder import RUN_FILE, is_finished

_SAME = ("config", "training_precision", "labels", "paths")
"""What all runs must share, by their keys in `run.json`."""


def occlusion_folder(runs_dir: Path, config: str) -> Path:
    """The folder of OcclusionNet's run, which has a recipe of its own."""
    return runs_dir / UNCOVERED / config / RECOGNISER / OCCLUSION_NET


def find_run_folders(runs_dir: Path, config: str, recipe: str) -> dict[str, dict[str, Path]]:
    """The folders of the runs of which the model is made.

    Args:
        runs_dir: where runs live.
        config: of the databases, e.g. "fer2013-leakfree".
        recipe: the name of the multi-networks' runs.

    Returns:
        Database -> network in `MULTI_NETWORK` -> run's folder, for each of `DATABASES`, and for
        `UNCOVERED` where all four were trained on it too.

    Raises:
        UserError: if one of the others is not trained to its end.
    """
    folders = {
        name: {network: runs_dir / name / config / recipe / network for network in MULTI_NETWORK}
        for name in (*DATABASES, UNCOVERED)
    }
    if not all(map(is_finished, folders[UNCOVERED].values())):
        del folders[UNCOVERED]
    for name, own in folders.items():
        for network, folder in own.items():
            if not is_finished(folder):
                raise UserError(
                    f"{folder} holds no {network} that is trained to its end; give `python cli.py "
                    f"train all --database {name}/{config}` with the recipe of the others first."
                )
    return folders


def combine_any_occlusion(
    recogniser_folder: Path,
    run_folders: Mapping[str, Mapping[str, Path]],
    folder: Path,
    replace: bool = False,
    options: ExportOptions = USUAL_OPTIONS,
) -> Path:
    """Writes the next version of a SavedModel that recognises the occlusion itself.

    Args:
        recogniser_folder: run folder of OcclusionNet.
        run_folders: of `find_run_folders`.
        folder: the model's folder, e.g. `saved_models/any_occlusion`.
        replace: whether a version of another config or recipe may become the newest.
        options: how the networks are served.

    Returns:
        The new version's folder; see `fer_tf.export.combine.combine`.

    Raises:
        UserError: if a network is not trained, if the runs do not belong together, if the newest
            version there is made of another config or recipe, or if the model fails a warm-up
            request.
    """
    from fer_tf.export.signatures import export_any_occlusion
    from fer_tf.training.checkpoint import load_best

    recogniser = finished_run(OCCLUSION_NET, recogniser_folder)
    runs = {name: finished_runs(folders) for name, folders in run_folders.items()}
    first = runs["concat_db"]["begin"]
    for name, own in runs.items():
        _refuse_strangers(first, own["begin"], run_folders[name]["begin"])
    begins = {name: (own["begin"], run_folders[name]["begin"]) for name, own in runs.items()}
    del begins["eye_cdb"]  # Its fingerprint is of the black boxes too.
    for run, folder_of_run in (*begins.values(), (recogniser, recogniser_folder)):
        # The same faces, hence the same splits: no face that one network learnt is another's test.
        if run["data_fingerprint"] != first["data_fingerprint"]:
            raise UserError(
                f"{folder_of_run / RUN_FILE} was trained on other faces than "
                f"{run_folders['concat_db']['begin']}; build the databases again where they are "
                f"old, then give `python cli.py train {run['network']} --database "
                f"{run['database']}/{run['config']} --restart`."
            )
    networks = describe_networks(
        {OCCLUSION_NET: recogniser}, {OCCLUSION_NET: recogniser_folder}, first
    )
    for name, own in runs.items():
        described = describe_networks(own, run_folders[name], first)
        networks |= {f"{name}/{network}": row for network, row in described.items()}
    answering = {kind: name for name, kind in DATABASES.items()}
    answering = {"none": UNCOVERED if UNCOVERED in runs else answering["eyes"], **answering}
    made = {
        "database": ANY_OCCLUSION,
        "occlusion": "any",
        "data_fingerprint": first["data_fingerprint"],
        **{name: first[name] for name in _SAME},
        **common_facts(first),
        "answering": answering,
        "usual_eyes": runs["eye_cdb"]["begin"]["recipe"]["usual_eyes"],
        "networks": networks,
        "evaluation": None,
        **asdict(options),
    }
    for own in run_folders.values():
        if numbers := read_evaluation(own["begin"].parent):
            add_evaluation(made, numbers)
    if not replace:
        refuse_stranger(folder, made)
    loaded = {
        KINDS[name]: {network: load_best(each) for network, each in folders.items()}
        for name, folders in run_folders.items()
    }
    net = load_best(recogniser_folder)
    return publish(folder, lambda beside: export_any_occlusion(net, loaded, beside, options), made)


def _refuse_strangers(first, run, folder):
    """Refuses a multi-network that was trained otherwise than the first one."""
    one, other = (
        {**r, "recipe": r["recipe"]["name"], "backbone": r["recipe"]["backbone"]}
        for r in (first, run)
    )
    for name in (*_SAME, "recipe", "backbone"):
        if one[name] != other[name]:
            raise UserError(
                f"{folder} was trained with {name} {other[name]}, concat_db with {one[name]}; only "
                "networks trained alike can be combined: train them again with one recipe."
            )
