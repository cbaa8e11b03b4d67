"""Combines four trained networks into ONE SavedModel with the signatures that a server needs."""

import hashlib
import json
import os
import shutil
from pathlib import Path

from fer_tf.errors import InputError
from fer_tf.expressions import EXPRESSIONS, MULTI_NETWORK, PATHS, TASKS
from fer_tf.faces import FACE_SIZE
from fer_tf.occlusion import visible_rows
from fer_tf.training import read_run, write_json

MANIFEST = Path("assets.extra") / "manifest.json"
"""What a version is made of, beside its graph; servers ignore the folder's other files."""

_SAME = ("database", "config", "data_fingerprint", "occlusion", "recipe", "labels")
"""What the four runs must share, by their keys in `run.json`."""


def combine(run_folders: dict[str, Path], folder: Path, replace: bool = False) -> Path:
    """Writes the next version of a SavedModel from the best checkpoints of four runs.

    The version is written beside and renamed when it is whole, so a server that watches the
    folder never sees half of one.

    Args:
        run_folders: run folder of each network in `MULTI_NETWORK`.
        folder: the model's folder, e.g. `saved_models/concat_db`; its versions are its integer
            sub-folders.
        replace: whether a version of another database, config or recipe may become the newest.

    Returns:
        The new version's folder.

    Raises:
        InputError: if a network is not trained, if the runs do not belong together, or if the
            newest version there is made of another database, config or recipe.
    """
    from fer_tf.checkpoint import load_best

    runs = {network: _finished_run(network, run_folders[network]) for network in MULTI_NETWORK}
    begin = runs["begin"]
    for network, run in runs.items():
        for name in _SAME:
            if _shared(run[name]) != _shared(begin[name]):
                raise InputError(
                    f"{run_folders[network]} and {run_folders['begin']} differ in {name}; only "
                    "networks trained alike can be combined: train them again with one recipe on "
                    "one database."
                )
    versions = find_versions(folder)
    if versions and not replace:
        _refuse_stranger(begin, versions[-1])

    networks = {network: load_best(run_folders[network]) for network in MULTI_NETWORK}
    number = int(versions[-1].name) + 1 if versions else 1
    beside = folder / f"writing-{number}"
    shutil.rmtree(beside, ignore_errors=True)
    try:
        export(networks, begin["occlusion"], beside)
        (beside / MANIFEST).parent.mkdir()
        write_json(beside / MANIFEST, _manifest(runs, run_folders))
        os.replace(beside, folder / str(number))
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder / str(number)


def export(networks: dict, occlusion: str, folder: Path) -> None:
    """Writes a SavedModel with the signatures of the design; their table stands in the README.

    Args:
        networks: built Keras networks by their names in `MULTI_NETWORK`.
        occlusion: "upper" or "lower" is blackened in the graph, "eyes" is left to the caller.
        folder: where to write; must not exist.
    """
    import keras
    import tensorflow as tf

    from fer_tf.layers.path_selection import PathSelection
    from fer_tf.preprocessing import to_face_tf

    begin, *subnets = (networks[name] for name in MULTI_NETWORK)
    shape = (FACE_SIZE, FACE_SIZE, 1)
    start, stop = visible_rows(occlusion)
    rows = tf.range(FACE_SIZE)
    visible = tf.cast((rows >= start) & (rows < stop), tf.uint8)[:, None, None]

    # Two models over the same four networks: the archive keeps their weights once.
    models = {}
    for routed in (True, False):
        images = keras.layers.Input(shape, dtype="uint8")
        models[routed] = keras.Model(images, PathSelection(begin, subnets, routed)(images))

    def answer(images, routed):
        # A server does not check requests against the signature's shape.
        images = tf.ensure_shape(images, (None, *shape)) * visible
        result = models[routed](images, training=False)
        return _name(result["path_probabilities"], result["probabilities"], routed)

    # One function that three signatures call: traced once, not three times.
    image_spec = tf.TensorSpec((None, *shape), tf.uint8, name="image")
    routed = tf.function(lambda image: answer(image, True), [image_spec], autograph=False)

    def decode(image_bytes):
        return tf.map_fn(
            to_face_tf, image_bytes, fn_output_signature=tf.TensorSpec(shape, tf.uint8)
        )

    def classify(inputs):
        feature = {"image/encoded": tf.io.FixedLenFeature([], tf.string)}
        examples = tf.io.parse_example(inputs, feature)
        scores = routed(decode(examples["image/encoded"]))["probabilities"]
        count = tf.shape(scores)[0]
        return {"classes": tf.tile([EXPRESSIONS], [count, 1]), "scores": scores}

    archive = keras.export.ExportArchive()
    archive.track(models[True])
    archive.track(models[False])
    for name, function, spec in (
        ("serving_default", routed, image_spec),
        (
            "serving_bytes",
            lambda image_bytes: routed(decode(image_bytes)),
            tf.TensorSpec((None,), tf.string, "image_bytes"),
        ),
        ("all_paths", lambda image: answer(image, False), image_spec),
        ("classify", classify, tf.TensorSpec((None,), tf.string, "inputs")),
    ):
        archive.add_endpoint(name, function, [spec])
    archive.write_out(folder, verbose=False)


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


def _name(path_probabilities, probabilities, routed):
    """The six outputs of a signature, N rows each."""
    import tensorflow as tf

    class_id = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
    if routed:
        path = tf.argmax(path_probabilities, axis=-1, output_type=tf.int32)
    else:
        path = tf.gather(tf.constant(TASKS["begin"].class_of), class_id)
    return {
        "label": tf.gather(tf.constant(EXPRESSIONS), class_id),
        "class_id": class_id,
        "probability": tf.gather(probabilities, class_id, batch_dims=1),
        "path": tf.gather(tf.constant(list(PATHS)), path),
        "path_probabilities": path_probabilities,
        "probabilities": probabilities,
    }


def _shared(value):
    """A recipe without the schedule, which each network has of its own; else the value."""
    return {**value, "schedule": None} if isinstance(value, dict) else value


def _finished_run(network, folder):
    run = read_run(folder)
    if run is None or not run["finished"]:
        state = "is not finished" if run else "is missing"
        raise InputError(
            f"The run of {network} in {folder} {state}; run `python cli.py train {network}` first."
        )
    return run


def _refuse_stranger(run, newest):
    manifest = read_manifest(newest)
    for name in ("database", "config", "recipe"):
        new = run["recipe"]["name"] if name == "recipe" else run[name]
        if manifest[name] != new:
            raise InputError(
                f"{newest} was made with {name} {manifest[name]}, the new version with {new}: it "
                "would become the newest served. Choose another --name, or give --replace."
            )


def _manifest(runs, run_folders):
    from fer_tf.checkpoint import BEST

    begin = runs["begin"]
    return {
        **{name: begin[name] for name in _SAME if name != "recipe"},
        "recipe": begin["recipe"]["name"],
        "image_size": begin["recipe"]["image_size"],
        "fer_tf": begin["fer_tf"],
        "packages": begin["packages"],
        "networks": {
            network: {
                "seed": run["seed"],
                "best_epoch": run["best_epoch"],
                "best_validation_loss": run["best_validation_loss"],
                "sha256": hashlib.sha256((run_folders[network] / BEST).read_bytes()).hexdigest(),
            }
            for network, run in runs.items()
        },
    }
