"""The examples, run as a reader would run them: the clients against the stand-in."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from fer_tf.data.sources.drawn import draw_face
from fer_tf.expressions import EXPRESSIONS
from tests.stand_in_server import StandIn
from tests.tiny_model import copy_tiny_model

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    copy_tiny_model(folder / "concat_db" / "1")
    (folder / "models.config").write_text(
        'model_config_list { config { name: "concat_db" model_version_policy { specific { '
        'versions: 1 } } version_labels { key: "stable" value: 1 } } }'
    )
    stand_in = StandIn(folder)
    yield stand_in
    stand_in.stop()


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """A PNG and a JPEG file of face squares of other sizes."""
    folder = tmp_path_factory.mktemp("faces")
    files = [folder / "a b.png", folder / "c.jpg"]
    for number, file in enumerate(files):
        cv2.imwrite(str(file), draw_face(number, number, 0, size=60 + number, colour=True))
    return [str(file) for file in files]


def run(*command):
    quiet = {"no_proxy": "127.0.0.1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | quiet)
    assert done.returncode == 0, done.stderr
    return done.stdout


def line(face, answer):
    return f"{face}: {answer['label']} {answer['probability']:.2f}, path {answer['path']}"


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_every_client_prints_the_same_labelled_answer(server, faces):
    model = f"{server.url}/v1/models/concat_db/labels/stable"
    by_curl = [
        json.loads(run(EXAMPLES / "predict_curl.sh", face, model))["predictions"][0]
        for face in faces
    ]
    expected = [line(face, answer) for face, answer in zip(faces, by_curl, strict=True)]
    assert {answer["label"] for answer in by_curl} <= set(EXPRESSIONS)
    by_rest = run(sys.executable, EXAMPLES / "predict_rest.py", *faces, "--model", model)
    assert by_rest.splitlines() == expected
    options = ("--host", server.grpc)  # Label stable by default.
    by_grpc = run(sys.executable, EXAMPLES / "predict_grpc.py", *faces, *options)
    assert by_grpc.splitlines() == expected


@pytest.mark.parametrize("client", ["predict_curl.sh", "predict_rest.py", "predict_grpc.py"])
def test_no_client_asks_without_a_face(client):
    """A server that joins requests to batches would never answer."""
    command = [EXAMPLES / client] if client.endswith(".sh") else [sys.executable, EXAMPLES / client]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0 and done.stdout == ""
    assert "unset" in done.stderr or "parameter" in done.stderr or "required: faces" in done.stderr


@pytest.mark.slow
def test_the_notebook_runs_from_a_photograph_to_a_trained_model(tmp_path):
    notebook = json.loads((EXAMPLES / "first_steps.ipynb").read_text())
    code = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    program = "\n".join("".join(lines) for lines in code).replace(
        "build/first_steps", str(tmp_path)
    )
    # What a notebook runs in a shell.
    shell = r"subprocess.run(f'''\1''', shell=True, check=True)"
    program = "import subprocess\n" + re.sub("^!(.*)$", shell, program, flags=re.MULTILINE)

    printed = run(sys.executable, "-c", program)

    assert re.search("^portrait: [A-Z][a-z]+ 0.[0-9]+, covered: none", printed, re.MULTILINE)
    assert (tmp_path / "saved_models" / "concat_db" / "1").is_dir()
    right, count = map(int, re.search("([0-9]+) of ([0-9]+) faces of new", printed).groups())
    assert right > count / 4
