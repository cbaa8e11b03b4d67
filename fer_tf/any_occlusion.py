"""ONE model for all occlusions: OcclusionNet and the multi-networks among which it picks."""

from collections.abc import Mapping
from pathlib import Path

from fer_tf.errors import InputError
from fer_tf.expressions import MULTI_NETWORK
from fer_tf.input_pipeline import UNCOVERED
from fer_tf.networks import OCCLUSION
from fer_tf.occlusion import ANY_OCCLUSION, DATABASES
from fer_tf.runs import RUN_FILE, is_finished
from fer_tf.serving import (
    common_facts,
    describe_networks,
    find_evaluation,
    finished_run,
    finished_runs,
)
from fer_tf.versions import publish, refuse_stranger

_SAME = ("config", "training_precision", "labels", "paths")
"""What all runs must share, by their keys in `run.json`."""


def find_run_folders(runs_dir: Path, config: str, recipe: str) -> dict[str, dict[str, Path]]:
    """The folders of the runs of which the model is made.

    Args:
        runs_dir: where runs live.
        config: of the databases, e.g. "fer2013-leakfree".
        recipe: the name of the multi-networks' runs.

    Returns:
        Database -> network in `MULTI_NETWORK` -> run's folder, for each of `DATABASES`, and for
        `UNCOVERED` where all four were trained on it too.
    """
    folders = {
        name: {network: runs_dir / name / config / recipe / network for network in MULTI_NETWORK}
        for name in (*DATABASES, UNCOVERED)
    }
    if not all(map(is_finished, folders[UNCOVERED].values())):
        del folders[UNCOVERED]
    return folders


def combine_any_occlusion(
    occlusion_folder: Path,
    run_folders: Mapping[str, Mapping[str, Path]],
    folder: Path,
    replace: bool = False,
    precision: str = "float32",
) -> Path:
    """Writes the next version of a SavedModel that recognises the occlusion itself.

    Args:
        occlusion_folder: run folder of OcclusionNet.
        run_folders: of `find_run_folders`.
        folder: the model's folder, e.g. `saved_models/any_occlusion`.
        replace: whether a version of another config or recipe may become the newest.
        precision: in which the served networks compute, see `fer_tf.folding.fold`.

    Returns:
        The new version's folder; see `fer_tf.serving.combine`.

    Raises:
        InputError: if a network is not trained, if the runs do not belong together, if the newest
            version there is made of another config or recipe, or if the model fails a warm-up
            request.
    """
    from fer_tf.checkpoint import load_best
    from fer_tf.export import export_any_occlusion

    recogniser = finished_run(OCCLUSION, occlusion_folder)
    runs = {name: finished_runs(folders) for name, folders in run_folders.items()}
    first = runs["concat_db"]["begin"]
    for name, own in runs.items():
        _refuse_strangers(first, own["begin"], run_folders[name]["begin"])
    # The same faces, hence the same splits: no face that one network learnt is another's test.
    if recogniser["data_fingerprint"] != first["data_fingerprint"]:
        raise InputError(
            f"{occlusion_folder / RUN_FILE} was trained on other faces than "
            f"{run_folders['concat_db']['begin']}; give `python cli.py train occlusion --database "
            f"{UNCOVERED}/{first['config']} --restart`."
        )
    evaluation = []
    networks = describe_networks({OCCLUSION: recogniser}, {OCCLUSION: occlusion_folder}, first)
    for name, own in runs.items():
        described = describe_networks(own, run_folders[name], first)
        networks |= {f"{name}/{network}": row for network, row in described.items()}
        sha256 = {network: row["sha256"] for network, row in described.items()}
        if found := find_evaluation(run_folders[name]["begin"].parent, sha256):
            evaluation += [row | {"name": f"{name}: {row['name']}"} for row in found["results"]]
    answering = {kind: name for name, kind in DATABASES.items()}
    answering = {"none": UNCOVERED if UNCOVERED in runs else answering["eyes"], **answering}
    made = {
        "database": ANY_OCCLUSION,
        "occlusion": "any",
        "data_fingerprint": first["data_fingerprint"],
        **{name: first[name] for name in _SAME},
        **common_facts(first),
        "answering": answering,
        "networks": networks,
        "evaluation": {"split": "test", "results": evaluation} if evaluation else None,
        "precision": precision,
    }
    if not replace:
        refuse_stranger(folder, made)
    kinds = DATABASES | {UNCOVERED: "none"}
    loaded = {
        kinds[name]: {network: load_best(each) for network, each in folders.items()}
        for name, folders in run_folders.items()
    }
    net = load_best(occlusion_folder)
    return publish(
        folder, lambda beside: export_any_occlusion(net, loaded, beside, precision), made
    )


def _refuse_strangers(first, run, folder):
    """Refuses a multi-network that was trained otherwise than the first one."""
    one, other = ({**r, "recipe": r["recipe"]["name"]} for r in (first, run))
    for name in (*_SAME, "recipe"):
        if one[name] != other[name]:
            raise InputError(
                f"{folder} was trained with {name} {other[name]}, concat_db with {one[name]}; only "
                "networks trained alike can be combined: train them again with one recipe."
            )
