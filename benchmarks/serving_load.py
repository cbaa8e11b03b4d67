"""Puts load on a server with good and bad requests at once: wrong answers, memory, times.

    python benchmarks/serving_load.py --models saved_models --name concat_db --json results/FILE
    python benchmarks/serving_load.py --url http://host:8501 --grpc host:8500 --name concat_db

Without --url it starts the tests' stand-in for TensorFlow Serving in a process of its own. The
times and the memory are then those of a Python program, not of TensorFlow Serving. The run shows
that 32 clients at once get right answers, whatever requests others send.
Needs requirements-dev.txt.
"""

import argparse
import base64
import collections
import http.client
import json
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

import cv2
import grpc
import numpy as np
import psutil
import tensorflow as tf
from rich.console import Console
from rich.table import Table
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from fer_tf.data.sources.drawn import draw_face
from fer_tf.expressions import EXPRESSIONS
from fer_tf.files import write_json
from fer_tf.provenance import provenance

ROOT = Path(__file__).resolve().parent.parent
FACES = 28
TOLERANCE = 1e-5  # In a probability: batches of other sizes may be added in another order.
GROWTH = 0.05  # Largest growth of the server's memory in the last three quarters of the run.

FAILURES = (OSError, http.client.HTTPException, ValueError, KeyError, TypeError)
"""Errors of a client that count as wrong answers, also those of answers that lack a field."""

Kind = collections.namedtuple("Kind", "name api body signature faces")
"""A kind of request: `api` is REST or gRPC, `faces` the indices of its faces, None if it is bad."""


def requests(name):
    """The good and the bad requests, encoded as bytes or protos before the run."""
    faces = np.stack([draw_face(i, i % len(EXPRESSIONS), 0) for i in range(FACES)])
    files = [cv2.imencode(".png", face)[1].tobytes() for face in faces]
    b64 = [{"b64": base64.b64encode(file).decode()} for file in files]
    path = f"/v1/models/{name}"

    def rest(kind, document, signature="serving_default", places=None, at=f"{path}:predict"):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return Kind(f"REST {kind}", "REST", (at, body), signature, places)

    def remote(kind, signature, value, places=None):
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = name, signature
        key = "image_bytes" if signature == "serving_bytes" else "image"
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
        return Kind(f"gRPC {kind}", "gRPC", request, signature, places)

    images = faces[..., np.newaxis]
    good = []
    for i in range(FACES):
        four = [(i + k) % FACES for k in range(4)]
        row = {"instances": images[[i]].tolist()}
        all_paths = row | {"signature_name": "all_paths"}
        encoded = {"signature_name": "serving_bytes", "instances": [b64[k] for k in four]}
        example = {"signature_name": "classify", "examples": [{"image/encoded": b64[i]}]}
        good += [
            rest("serving_default, 1 face", row, places=[i]),
            rest("serving_bytes, 4 faces", encoded, "serving_bytes", four),
            rest("all_paths, 1 face", all_paths, "all_paths", [i]),
            rest("classify, 1 face", example, "classify", [i], f"{path}:classify"),
            remote("serving_default, 4 faces", "serving_default", images[four], four),
            remote("serving_bytes, 1 face", "serving_bytes", [files[i]], [i]),
        ]
    uri = {"b64": "data:image/png;base64," + b64[0]["b64"]}
    junk = {"b64": base64.b64encode(b"no picture").decode()}
    whole = {"instances": images[:1].tolist()}
    bad = [
        rest("bad: shape", {"instances": images[:1, :40].tolist()}),
        rest("bad: fractions", {"instances": (images[:1] / 255).tolist()}),
        rest("bad: data URI", {"signature_name": "serving_bytes", "instances": [uri]}),
        rest("bad: no picture", {"signature_name": "serving_bytes", "instances": [b64[0], junk]}),
        rest("bad: signature", whole | {"signature_name": "predict"}),
        rest("bad: cut JSON", json.dumps(whole).encode()[:-30]),
        rest("bad: model", whole, at="/v1/models/no_such:predict"),
        rest("bad: label", whole, at=f"{path}/labels/no_such:predict"),
        remote("bad: float", "serving_default", images[:1].astype("float32")),
    ]
    return good, bad


class Client:
    """A client with its own connections."""

    def __init__(self, url, address):
        self.host, self.http = urllib.parse.urlsplit(url).netloc, None
        self.channel = grpc.insecure_channel(address) if address else None
        self.stub = self.channel and prediction_service_pb2_grpc.PredictionServiceStub(self.channel)

    def ask(self, kind):
        """(labels, probabilities [N, 7]), or None for an error that the server reports."""
        if kind.api == "gRPC":
            try:
                outputs = self.stub.Predict(kind.body, timeout=60).outputs
            except grpc.RpcError as error:
                if error.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND):
                    return None
                raise
            labels = [label.decode() for label in tf.make_ndarray(outputs["label"])]
            return labels, tf.make_ndarray(outputs["probabilities"])
        self.http = self.http or http.client.HTTPConnection(self.host, timeout=60)
        where, body = kind.body
        self.http.request("POST", where, body)
        response = self.http.getresponse()
        answer = json.loads(response.read())
        if response.status in (400, 404) and "error" in answer:
            return None
        if kind.signature == "classify":
            scores = [dict(row) for row in answer["results"]]
            rows = np.array([[row[name] for name in EXPRESSIONS] for row in scores])
            return [max(row, key=row.get) for row in scores], rows
        rows = answer["predictions"]
        return [row["label"] for row in rows], np.array([row["probabilities"] for row in rows])


def is_right(kind, answer, expected):
    if kind.faces is None or answer is None:
        return kind.faces is None and answer is None
    labels, values = expected["all_paths" if kind.signature == "all_paths" else "serving_default"]
    return answer[0] == [labels[i] for i in kind.faces] and np.allclose(
        answer[1], values[kind.faces], rtol=0, atol=TOLERANCE
    )


def expect(client, good, folder):
    """Signature -> (labels, probabilities) of all faces.

    The answers come from the SavedModel or, without its folder, from the server before the load.
    """
    expected = dict.fromkeys(("serving_default", "all_paths"))
    if folder:
        model = tf.saved_model.load(folder)
        faces = np.stack([draw_face(i, i % len(EXPRESSIONS), 0) for i in range(FACES)])
        for signature in expected:
            answer = model.signatures[signature](image=tf.constant(faces[..., np.newaxis]))
            labels = [label.decode() for label in answer["label"].numpy()]
            expected[signature] = labels, answer["probabilities"].numpy()
        return expected
    for signature in expected:
        name = f"REST {signature}, 1 face"
        answers = [client.ask(kind) for kind in good if kind.name == name]
        labels = [names[0] for names, _ in answers]
        expected[signature] = labels, np.concatenate([values for _, values in answers])
    return expected


def run(url, address, kinds, expected, clients, seconds, process):
    """Run the clients.

    Returns:
        Name of the kind -> seconds of each request; the wrong answers; pairs of the time and the
        server's memory in bytes.
    """
    times, wrong, memory = collections.defaultdict(list), [], []
    end = time.monotonic() + seconds

    def work(number):
        client, shuffle = Client(url, address), np.random.default_rng(number)
        while time.monotonic() < end:
            kind = kinds[shuffle.integers(len(kinds))]
            begun = time.monotonic()
            try:
                answer = client.ask(kind)
                taken = time.monotonic() - begun
                right = is_right(kind, answer, expected)
            except (*FAILURES, grpc.RpcError) as error:
                wrong.append(f"{kind.name}: {type(error).__name__} {error}"[:200])
                client.http = None
                continue
            times[kind.name].append(taken)
            if not right:
                wrong.append(f"{kind.name}: answered {answer}"[:200])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if process:
            memory.append((seconds - (end - time.monotonic()), process.memory_info().rss))
        time.sleep(0.25)
    return times, wrong, memory


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, help="folder of models: answers are checked by it")
    parser.add_argument("--name", default="concat_db")
    parser.add_argument("--url", help="a running server's REST address, instead of the stand-in")
    parser.add_argument("--grpc", help="its gRPC address")
    parser.add_argument("--pid", type=int, help="its process, to watch its memory")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--json", type=Path, help="file to write")
    options = parser.parse_args()
    if not options.url and not options.models:
        parser.error("give --models for the stand-in, or --url of a running server")
    url, address, server, started = options.url, options.grpc, options.pid, None
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # The stand-in ends with this program.
    if not url:
        print("Starting the stand-in", file=sys.stderr)
        command = [sys.executable, "-m", "tests.stand_in_server", options.models.resolve()]
        started = subprocess.Popen(
            [*map(str, command), "--rest-port=0", "--grpc-port=0"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        words = started.stdout.readline().split()
        url, address, server = words[words.index("REST") + 1], words[-1], started.pid
    try:
        measure(options, url, address, server)
    finally:
        if started:
            started.terminate()
            started.wait()


def measure(options, url, address, server):
    with urllib.request.urlopen(f"{url}/v1/models/{options.name}/metadata") as response:
        version = json.load(response)["model_spec"]["version"]
    good, bad = requests(options.name)
    a_quarter_bad = good + bad * (len(good) // 3 // len(bad))
    kinds = [kind for kind in a_quarter_bad if address or kind.api == "REST"]
    folder = options.models and options.models / options.name / version
    expected = expect(Client(url, address), good, folder)
    process = server and psutil.Process(server)
    client = Client(url, address)
    for kind in {kind.name: kind for kind in kinds}.values():
        client.ask(
            kind
        )  # The first request of each kind prepares the graph, which is not measured.
    print(f"{options.clients} clients for {options.seconds:g} s at {url}", file=sys.stderr)
    times, wrong, memory = run(
        url, address, kinds, expected, options.clients, options.seconds, process
    )

    table = Table("request", "count", "p50 ms", "p99 ms")
    rows = []
    for name in sorted(times):
        p50, p99 = np.percentile(times[name], [50, 99]) * 1000
        rows.append({"request": name, "count": len(times[name]), "p50_ms": p50, "p99_ms": p99})
        table.add_row(name, str(len(times[name])), f"{p50:.0f}", f"{p99:.0f}")
    count = sum(row["count"] for row in rows)
    table.add_row("all", str(count), f"{count / options.seconds:.0f} a second", "")
    result = {
        "server": "TensorFlow Serving or other, by --url"
        if options.url
        else "stand-in (Python): times and memory say nothing about TensorFlow Serving",
        "model": f"{options.name} version {version}",
        "answers_checked_by": "the SavedModel, loaded apart" if folder else "the server, alone",
        "clients": options.clients,
        "seconds": options.seconds,
        "requests": rows,
        "wrong": len(wrong),
    }
    grown = False
    Console().print(table)
    print(f"{result['server']}\n{len(wrong)} of {count} answers wrong {wrong[:3] or ''}")
    if memory:
        quarter = [size for at, size in memory if at >= options.seconds / 4]
        tenth = max(1, len(quarter) // 10)
        early, late = np.median(quarter[:tenth]), np.median(quarter[-tenth:])
        grown = bool(late > early * (1 + GROWTH))
        result["memory_mib"] = {
            "start": memory[0][1] / 2**20,
            "after_a_quarter": early / 2**20,
            "end": late / 2**20,
        }
        print("Server's memory, MiB:", {k: round(v) for k, v in result["memory_mib"].items()})
    if options.json:
        write_json(options.json, vars(provenance()) | result)
    if wrong or grown:
        sys.exit("The server answered wrongly." if wrong else "The server's memory grew.")


if __name__ == "__main__":
    main()
