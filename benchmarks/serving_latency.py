"""How long an answer takes: the exported SavedModel beside OpenVINO and ONNX Runtime.

Exports four ResNeXt-50 of the `paper` recipe (random weights, a BeginNet that uses all paths) at
224 and at 96 pixels. Each round times one call of each of these: one network, routed and all paths
through `tf.saved_model.load` and through TensorFlow's C library, which loads and runs a model as a
server does; one network in OpenVINO and in ONNX Runtime (float32, from the same weights; the
largest difference of the answers is printed). Every runtime has its own process and the same number
of threads. The peers need their own Python, see `make bench`.
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table
from tensorflow.python.saved_model import loader_impl

from fer_tf.data.sources.drawn import draw_face
from fer_tf.export.contract import ExportOptions
from fer_tf.export.signatures import export
from fer_tf.expressions import EXPRESSIONS, MULTI_NETWORK
from fer_tf.models.folding import INFERENCE_PRECISIONS, fold
from fer_tf.provenance import provenance
from fer_tf.training.network import build_network
from fer_tf.training.recipes import paper

THREADS = 2
TOLERANCE = 1e-4  # In the peers' logits, whose order of magnitude is 1.
HERE = Path(__file__).resolve().parent
SIGNATURES = {"routed": "serving_default", "all_paths": "all_paths"}
GOALS = (
    ("one network / OpenVINO", ("tensorflow", "one"), ("openvino", "one"), {1: 1.15}, 1.15),
    ("routed / one network", ("tensorflow", "routed"), ("tensorflow", "one"), {1: 2.1}, 2.3),
    ("routed / all paths", ("tensorflow", "routed"), ("tensorflow", "all_paths"), {}, 0.55),
    ("one network / ONNX Runtime", ("tensorflow", "one"), ("onnxruntime", "one"), {}, None),
    ("C API / tf.saved_model, routed", ("c_api", "routed"), ("tensorflow", "routed"), {}, None),
)
"""Name, numerator, denominator, goals of single batch sizes, goal of the other sizes."""


class Worker:
    """A process that answers by one runtime, see `latency_worker.py`."""

    def __init__(self, runtime, python, setup, folder):
        self.runtime, self.names = runtime, list(setup["models"])
        path = folder / f"{runtime}.json"
        self.answers = folder / f"{runtime}.npy"
        path.write_text(json.dumps(setup | {"answers": str(self.answers)}))
        self.process = subprocess.Popen(
            [python, HERE / "latency_worker.py", runtime, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ
            | dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), str(THREADS)),
        )
        self.version = self._line().removeprefix("ready ")

    def seconds(self, name, batch):
        """Seconds of one call of a model."""
        self.process.stdin.write(f"{name} {batch}\n")
        self.process.stdin.flush()
        return float(self._line())

    def stop(self):
        """End the process."""
        self.process.stdin.close()
        self.process.wait()

    def _line(self):
        line = self.process.stdout.readline().strip()
        if not line:
            sys.exit(f"The worker of {self.runtime} ended; see its output above.")
        return line


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers-python", default=".venv-bench/bin/python")
    parser.add_argument("--precision", default="float32", choices=INFERENCE_PRECISIONS)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="96 pixels, batches 1 and 8, 3 rounds")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    arguments = parser.parse_args()
    sizes, batches, rounds = (224, 96), (1, 8, 32), arguments.rounds
    if arguments.quick:
        sizes, batches, rounds = (96,), (1, 8), 3

    numbers = {
        "provenance": vars(provenance()),
        "threads": THREADS,
        "rounds": rounds,
        "precision": arguments.precision,
        "sizes": {},
    }
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            numbers["sizes"][size] = measure(Path(folder), size, batches, rounds, arguments)
        show(size, numbers["sizes"][size])
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(numbers, indent=1) + "\n")


def measure(folder, size, batches, rounds, arguments):
    """Export networks of one size and time them."""
    images = np.stack([draw_face(i, i % len(EXPRESSIONS), 0) for i in range(max(batches))])
    images = images.reshape(-1, 48, 48, 1)
    np.save(folder / "images.npy", images)
    begin = write_models(folder, size, images, arguments.precision)
    peers = arguments.peers_python
    onnx = [folder / "network.npz", folder / "network.onnx"]
    subprocess.run([peers, HERE / "onnx_network.py", *onnx], check=True)

    setup = {"images": str(folder / "images.npy"), "threads": THREADS}
    library = Path(tf.__file__).parent / "libtensorflow_cc.so.2"
    ours = {"one": described(folder / "one", "serving_default")}
    ours |= {n: described(folder / "all", s) for n, s in SIGNATURES.items()}
    workers = [
        Worker("tensorflow", sys.executable, setup | {"models": ours}, folder),
        Worker("c_api", sys.executable, setup | {"models": ours, "library": str(library)}, folder),
    ]
    for runtime, path in (("openvino", folder / "one_float32"), ("onnxruntime", onnx[1])):
        models = {"one": {"path": str(path)}}
        workers.append(Worker(runtime, peers, setup | {"models": models}, folder))
    times = {
        (worker.runtime, name, batch): []
        for batch in batches
        for worker in workers
        for name in worker.names
    }
    for batch in batches:
        for turn in range(rounds + 1):
            for worker in workers:
                for name in worker.names:
                    seconds = worker.seconds(name, batch)
                    if turn:  # The first call builds the graph that later calls reuse.
                        times[worker.runtime, name, batch].append(seconds)
    for worker in workers:
        worker.stop()
    expected = begin(images, training=False).numpy()
    differences = {
        worker.runtime: float(np.abs(np.load(worker.answers) - expected).max())
        for worker in workers
    }
    for runtime in ("openvino", "onnxruntime"):
        if differences[runtime] > TOLERANCE:
            sys.exit(f"{runtime} differs by {differences[runtime]:.1e}: it runs another network.")
    return {
        "versions": {worker.runtime: worker.version for worker in workers},
        "differences": differences,
        "images_on_path": np.bincount(expected.argmax(-1), minlength=3).tolist(),
        "milliseconds": [
            {"runtime": runtime, "model": name, "batch": batch} | spread(1000 * np.array(values))
            for (runtime, name, batch), values in times.items()
        ],
        "ratios": [
            {"ratio": name, "batch": batch, "goal": goals.get(batch, goal)}
            | spread(np.array(times[*over, batch]) / times[*under, batch])
            for name, over, under, goals, goal in GOALS
            for batch in batches
        ],
    }


def write_models(folder, size, images, precision):
    """Write the networks in every form that is measured; return BeginNet as it was built."""
    recipe = dataclasses.replace(paper(), image_size=size)
    networks = {name: build_network(name, recipe, "eyes") for name in MULTI_NETWORK}
    for seed, network in enumerate(networks.values()):
        randomise(network, seed)
    begin, layer = networks["begin"], networks["begin"].get_layer("logits")
    logits = begin(images, training=False).numpy()
    kernel, bias = layer.get_weights()
    mean, deviation = logits.mean(0), logits.std(0)
    layer.set_weights([kernel / deviation, (bias - mean) / deviation])  # All paths are taken.

    export(networks, "eyes", folder / "all", ExportOptions(precision))
    for name, one_precision in (("one", precision), ("one_float32", "float32")):
        folded = fold(begin, one_precision)
        archive = keras.export.ExportArchive()
        archive.track(folded)
        spec = tf.TensorSpec((None, *images.shape[1:]), tf.uint8, name="image")
        archive.add_endpoint("serving_default", folded, [spec])
        archive.write_out(folder / name, verbose=False)
    save_weights(folded, recipe, folder / "network.npz")
    return begin


def save_weights(folded, recipe, path):
    """Write the weights for `onnx_network.py`."""
    attention = folded.get_layer("attention")
    inner = (attention.down_1, attention.down_2, attention.project)
    named = {f"attention/{layer.name}": layer for layer in inner}
    named |= {layer.name: layer for layer in folded.layers if layer is not attention}
    weights = {
        f"{name}/{i}": weight
        for name, layer in named.items()
        for i, weight in enumerate(layer.get_weights())
    }
    shape = {"blocks": recipe.backbone.blocks, "groups": recipe.backbone.groups}
    np.savez(path, image_size=recipe.image_size, **shape, **weights)


def randomise(network, seed):
    """Give a network weights as after training; initial ones make every block the identity."""
    random = np.random.default_rng(seed)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.gamma.shape
            gamma = 0.3 if layer.name.endswith("expand_bn") else 1.0
            layer.set_weights(
                [
                    gamma * random.uniform(0.5, 1.5, shape),
                    random.normal(0, 0.3, shape),
                    random.normal(0, 0.3, shape),
                    random.uniform(0.5, 2, shape),
                ]
            )


def described(folder, signature):
    """A signature for a worker, with the names of its tensors in the graph."""
    graph = loader_impl.parse_saved_model(str(folder)).meta_graphs[0]
    definition = graph.signature_def[signature]
    return {
        "path": str(folder),
        "signature": signature,
        "input": definition.inputs["image"].name,
        "outputs": [tensor.name for tensor in definition.outputs.values()],
    }


def spread(values):
    low, median, high = np.percentile(values, [25, 50, 75])
    return {"median": float(median), "quartiles": [float(low), float(high)]}


def show(size, numbers):
    console = Console()
    table = Table(title=f"{size} x {size}, milliseconds per call, {THREADS} threads")
    for column in ("runtime", "model", "batch", "median", "quartiles"):
        table.add_column(column, justify="right")
    for row in numbers["milliseconds"]:
        low, high = row["quartiles"]
        cells = (row["runtime"], row["model"], str(row["batch"]))
        table.add_row(*cells, f"{row['median']:.1f}", f"{low:.1f} to {high:.1f}")
    console.print(table)
    table = Table(title="ratios of calls in the same round")
    for column in ("", "batch", "median", "quartiles", "goal"):
        table.add_column(column, justify="right")
    for row in numbers["ratios"]:
        low, high = row["quartiles"]
        goal = f"{row['goal']:.2f}" if row["goal"] else ""
        cells = (row["ratio"], str(row["batch"]), f"{row['median']:.2f}")
        table.add_row(*cells, f"{low:.2f} to {high:.2f}", goal)
    console.print(table)
    for runtime, difference in numbers["differences"].items():
        console.print(f"{runtime}: largest difference of the logits {difference:.1e}")
    console.print(f"images on the paths A, B, C: {numbers['images_on_path']}")


if __name__ == "__main__":
    main()
