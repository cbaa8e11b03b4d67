"""What the first answers of a SavedModel cost, so which warm-up requests a server needs.

Exports networks of random weights, whose answers spread over all paths, loads them through
TensorFlow's C library as a server does, and sends to each signature one face on each path, twice.
The unit is CPU time, because the machine may do other work. Without warm-up requests a user waits
for the answers called "first".
"""

import argparse
import json
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import process_time

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from fer_tf.data.sources.drawn import draw_face
from fer_tf.export.signatures import export, export_any_occlusion
from fer_tf.export.warmup import _SIGNATURES, _request
from fer_tf.expressions import EXPRESSIONS, MULTI_NETWORK
from fer_tf.models.expression_net import LOGITS
from fer_tf.models.networks import OCCLUSION_NET
from fer_tf.occlusion.kinds import RECOGNISED
from fer_tf.occlusion.occlude import visible_pixels
from fer_tf.provenance import provenance
from fer_tf.training.network import build_network
from fer_tf.training.recipes import RECOGNISER, get_recipe

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.c_api import Model, find_library, tensor_names  # noqa: E402

MODELS = {"concat_db, quick": "quick", "any_occlusion, quick": "quick", "concat_db, paper": "paper"}
"""Name -> recipe."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    arguments = parser.parse_args()
    keras.utils.set_random_seed(0)
    numbers = vars(provenance()) | {"unit": "seconds of CPU time", "models": []}
    for name, recipe in MODELS.items():
        with tempfile.TemporaryDirectory() as folder:
            version = Path(folder) / "1"
            build(name, get_recipe(recipe), version)
            faces = faces_by_route(version)
            # oneDNN keeps what it prepared for as long as a process lives.
            with ProcessPoolExecutor(1, get_context("spawn")) as process:
                measured = process.submit(measure, version, faces).result()
            numbers["models"].append({"model": name} | measured)
    show(numbers["models"])
    if arguments.json:
        arguments.json.write_text(json.dumps(numbers, indent=1) + "\n")


def drawn_faces(kind):
    """Drawn faces that are covered: uint8 [28, 48, 48, 1]."""
    faces = [draw_face(i, i % len(EXPRESSIONS), 0) for i in range(4 * len(EXPRESSIONS))]
    return np.stack(faces)[..., np.newaxis] * visible_pixels(kind).astype(np.uint8)


def build(name, recipe, folder):
    """Exports a model of random weights."""
    if not name.startswith("any"):
        export(multi_network(recipe, "upper"), "upper", folder)
        return
    net = build_network(OCCLUSION_NET, get_recipe(RECOGNISER), "none")
    spread(net, np.concatenate([drawn_faces(kind) for kind in RECOGNISED]))
    export_any_occlusion(net, {kind: multi_network(recipe, kind) for kind in RECOGNISED}, folder)


def multi_network(recipe, kind):
    networks = {network: build_network(network, recipe, kind) for network in MULTI_NETWORK}
    spread(networks["begin"], drawn_faces(kind))
    return networks


def spread(network, faces):
    """Rescale a network's last layer so that it recognises every class in some of the faces."""
    logits, layer = network(faces, training=False).numpy(), network.get_layer(LOGITS)
    kernel, bias = layer.get_weights()
    scale = logits.std(0) / 3
    layer.set_weights([kernel / scale, (bias - logits.mean(0)) / scale])


def faces_by_route(version):
    """A drawn face for each route through a model: uint8 [W, 48, 48, 1]."""
    answer = tf.saved_model.load(version).signatures["serving_default"]
    faces = np.concatenate([drawn_faces(kind) for kind in RECOGNISED])
    outputs = answer(image=tf.constant(faces))
    parts = [outputs[name].numpy().astype(str) for name in ("occlusion", "path") if name in outputs]
    _, rows = np.unique([" ".join(route) for route in zip(*parts, strict=True)], return_index=True)
    return faces[rows]


def measure(version, faces):
    """CPU seconds of loading, and of the answers of each signature; run in a new process."""
    begun = process_time()
    model = Model(find_library(), version)
    load = process_time() - begun
    names, signatures = tensor_names(version), {}
    for signature in filter(names.__contains__, _SIGNATURES):
        tensors = names[signature]
        times = [[], []]
        for seconds in times:
            for face in faces:
                request = _request(signature, face[np.newaxis]).predict_log.request
                (value,) = map(tf.make_ndarray, request.inputs.values())
                begun = process_time()
                model.run(tensors["input"], value, list(tensors["outputs"].values()))
                seconds.append(process_time() - begun)
        (first, *further), again = times
        signatures[signature] = {
            "first": round(first, 2),
            "first_on_other_paths": [round(s, 4) for s in further],
            "again": [round(s, 4) for s in again],
        }
    return {"faces": len(faces), "load": round(load, 2), "signatures": signatures}


def show(models):
    rows = Table("model", "signature", "first, s", "first on other paths, ms", "again, ms")
    for model in models:
        for signature, times in model["signatures"].items():
            others, again = (
                f"{1000 * np.median(times[key]):.0f} (at most {1000 * max(times[key]):.0f})"
                for key in ("first_on_other_paths", "again")
            )
            rows.add_row(model["model"], signature, f"{times['first']:.1f}", others, again)
        rows.add_row(model["model"], "load", f"{model['load']:.1f}")
    Console().print(rows)


if __name__ == "__main__":
    main()
