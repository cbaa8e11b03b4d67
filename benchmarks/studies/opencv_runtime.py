"""LiteRT against ONNX in OpenCV's own runtime: size, threads, milliseconds for 1 and 32 faces.

    pip install -e ".[formats]"
    python benchmarks/studies/opencv_runtime.py --json results/opencv_runtime.json

The network is the trunk and the flat head of recipe `strong` with random weights: a flat network
from faces uint8 [N, 48, 48, 1] to seven logits, folded as it is served, in float32.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import cv2
import numpy as np
import tensorflow as tf
import tf2onnx
from ai_edge_litert.interpreter import Interpreter
from rich.console import Console
from rich.table import Table

from fer_tf.export.contract import LITERT_NETWORKS, ExportOptions
from fer_tf.export.litert import write_networks
from fer_tf.files import write_json
from fer_tf.models.folding import fold
from fer_tf.provenance import provenance
from fer_tf.training.network import build_network
from fer_tf.training.recipes import get_recipe

BATCHES, THREADS, ROUNDS = (1, 32), (1, 2), 30


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    network = fold(build_network("flat", get_recipe("strong"), "none"))
    faces = np.random.default_rng(0).integers(0, 256, (max(BATCHES), 48, 48, 1), np.uint8)
    expected = network(faces).numpy()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, prepare in (("LiteRT", prepare_litert), ("OpenCV", prepare_opencv)):
            size, run_with = prepare(network, Path(folder))
            for threads in THREADS:
                run = run_with(threads)
                for count in BATCHES:
                    logits, milliseconds = measure(run, faces[:count])
                    row = {"runtime": name, "megabytes": size, "threads": threads}
                    difference = float(np.abs(logits - expected[:count]).max())
                    rows.append(row | {"faces": count, "ms": milliseconds, "error": difference})
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()))
    Console().print(table)
    if arguments.json:
        write_json(arguments.json, {"provenance": provenance(), "rows": rows})


def measure(run, faces):
    for _ in range(3):
        logits = run(faces)
    times = []
    for _ in range(ROUNDS):
        start = perf_counter()
        run(faces)
        times.append(1000 * (perf_counter() - start))
    return logits, median(times)


def prepare_litert(network, folder):
    write_networks({"flat": network}, folder, ExportOptions())
    path = folder / LITERT_NETWORKS

    def run_with(threads):
        runner = Interpreter(str(path), num_threads=threads).get_signature_runner("flat")
        return lambda faces: runner(inputs=faces)["outputs"]

    return path.stat().st_size / 1e6, run_with


def prepare_opencv(network, folder):
    path = folder / "flat.onnx"
    # OpenCV reads float images with the channels first, and a batch of one size.
    model, _ = tf2onnx.convert.from_function(
        tf.function(lambda inputs: network(inputs, training=False)),
        [tf.TensorSpec((None, 48, 48, 1), tf.float32, "inputs")],
        opset=17,
        output_path=str(path),
    )

    def run_with(threads):
        cv2.setNumThreads(threads)
        net = cv2.dnn.readNetFromONNX(str(path))

        def run(faces):
            net.setInput(faces.astype(np.float32))
            return net.forward()

        return run

    return path.stat().st_size / 1e6, run_with


if __name__ == "__main__":
    main()
