"""Commands whose output is closed, left by its reader, or of a small alphabet, in a real shell."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import cli
from tests.records import put_manifest
from tests.tiny_model import copy_tiny_model

CLI = Path(cli.__file__)
ODD = os.fsdecode(b"caf\xe9 [final] :smile:.png")
"""A name as old systems left them: Latin-1, no UTF-8; with what rich takes for markup."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A model, and three pictures without a face."""
    folder = tmp_path_factory.mktemp("place")
    copy_tiny_model(folder / "models" / "concat_db" / "1")
    put_manifest(folder / "models" / "concat_db" / "1")
    (folder / "photos").mkdir()
    data = cv2.imencode(".png", np.full((30, 40, 3), 90, np.uint8))[1].tobytes()
    for name in ("a.png", "b.png", ODD):
        (folder / "photos" / name).write_bytes(data)
    return folder


def predict(place, rest, **environment):
    """Runs `predict` on the pictures in a shell that goes on with `rest`."""
    command = (
        f"set -o pipefail; {sys.executable} {CLI} predict {place}/photos "
        f"--models-dir {place}/models {rest}"
    )
    return subprocess.run(
        ["bash", "-c", command],
        cwd=place,
        env=os.environ | {"COLUMNS": "200"} | environment,
        capture_output=True,
        timeout=300,
    )


def test_a_closed_standard_error_takes_nothing_from_the_answers(place):
    done = predict(place, "--json 2>&-")

    assert done.returncode == 0
    answers = json.loads(done.stdout)
    assert [answer["photo"] for answer in answers][-1] == f"{place}/photos/{ODD}"


def test_a_closed_standard_output_leaves_the_table_in_its_file(place):
    done = predict(place, "--csv answers.csv >&-")

    assert done.returncode == 0, done.stderr
    assert len((place / "answers.csv").read_text().splitlines()) == 4


def test_a_reader_that_leaves_ends_neither_the_answers_nor_their_file(place):
    done = predict(place, "--json --csv answers.csv | head -c 1")

    assert (done.returncode, done.stdout) == (0, b"[")
    assert b"Traceback" not in done.stderr and b"Broken pipe" not in done.stderr
    assert len((place / "answers.csv").read_text().splitlines()) == 4


def test_what_the_encoding_of_the_output_lacks_is_escaped(place):
    done = predict(place, "--csv answers.csv", PYTHONIOENCODING="ascii")

    assert done.returncode == 0, done.stderr
    assert rb"caf\udce9 [final] :smile:.png" in done.stdout
    with (place / "answers.csv").open(newline="", encoding="utf-8") as file:
        photos = [row["photo"] for row in csv.DictReader(file)]
    assert photos[-1] == f"{place}/photos/{ODD}".replace("\udce9", r"\udce9")


def test_a_table_goes_through_what_is_no_regular_file(place):
    done = predict(place, "--csv /dev/stdout --json > out.txt")

    assert done.returncode == 0, done.stderr
    text = (place / "out.txt").read_text()
    assert text.startswith("photo,frame") and text.rstrip().endswith("]")
    assert text.count("a.png") == 2

    assert predict(place, "--csv /dev/stdout --json | head -c 1").returncode == 0
