"""Answers of servers that are not ours, or not what they seem."""

import math

import numpy as np
import pytest

from fer_tf.app import page
from fer_tf.app.answers import look_at
from fer_tf.app.models import ServedModels
from fer_tf.errors import UserError
from fer_tf.export.contract import ATTENTION
from fer_tf.inference.prediction import ModelOutputs
from fer_tf.inference.remote import ask
from fer_tf.serving.rest_client import Server
from tests.helpers import encode_picture

FACES = np.zeros((2, 48, 48), np.uint8)
ROW = {
    "label": "Sadness",
    "class_id": 2,
    "probability": 0.5,
    "path": "A",
    "path_probabilities": [0.5, 0.25, 0.25],
    "probabilities": [0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0],
}
KINDS = {"occlusion": "eyes", "occlusion_probabilities": [0.0, 0.0, 0.0, 1.0]}
SCRIPT = "<img src=x onerror=alert(1)>"


@pytest.fixture
def server(monkeypatch):
    """A server whose next answer to any request is `server.answer`."""
    there = Server("http://127.0.0.1:1")
    monkeypatch.setattr(there, "request", lambda path, body=None: there.answer, raising=False)
    return there


def rows(**changed):
    return {"predictions": [ROW, {k: v for k, v in (ROW | changed).items() if v is not None}]}


def test_a_right_answer_passes(server):
    server.answer = rows()
    assert server.predict("models/m", "serving_default", FACES)["label"] == ["Sadness"] * 2
    server.answer = {"predictions": [ROW | KINDS] * 2}
    assert server.predict("models/m", "all_paths", FACES)["occlusion"] == ["eyes"] * 2


@pytest.mark.parametrize(
    "answer, reason",
    [
        ({"predictions": [ROW]}, "1 rows for 2 faces"),
        ({"predictions": [ROW] * 3}, "3 rows for 2 faces"),
        ({"predictions": []}, "0 rows for 2 faces"),
        ({"predictions": {"label": "Sadness"}}, "does not answer with"),
        ({"predictions": [0.5, 0.5]}, "does not answer with"),
        ({"outputs": [ROW] * 2}, "does not answer with"),
        (["ok"], "does not answer with"),
        (None, "does not answer with"),
        (rows(path_probabilities=None), "does not answer with"),
        (rows(probabilities=None), "does not answer with"),
        (rows(label=SCRIPT), f"label {SCRIPT!r}"),
        (rows(label=5), "label 5"),
        (rows(label=["Sadness"]), "label ['Sadness']"),
        (rows(label="Joy"), "label 'Joy'"),
        (rows(path="D"), "path 'D'"),
        (rows(class_id=7), "class_id 7"),
        (rows(class_id=1), "class_id 1"),
        (rows(class_id="2"), "class_id '2'"),
        (rows(probability="0.5"), "probability '0.5'"),
        (rows(probability=math.nan), "probability nan"),
        (rows(probability=10**400), "probability 1000"),
        (rows(probability=True), "probability True"),
        (rows(probability=-0.5), "probability -0.5"),
        (rows(probability=[0.5]), "probability [0.5]"),
        (rows(path_probabilities=[0.5, 0.5]), "path_probabilities [0.5, 0.5]"),
        (rows(probabilities=[0.1] * 8), "probabilities [0.1,"),
        (rows(probabilities=[[0.1], 0.1]), "probabilities [[0.1]"),
        (rows(probabilities={"Sadness": 1}), "probabilities {'Sadness'"),
        ({"predictions": [ROW | {"occlusion": "eyes"}] * 2}, "does not answer with"),
        (
            {
                "predictions": [ROW | {"occlusion": "nose", "occlusion_probabilities": [0.25] * 4}]
                * 2
            },
            "occlusion 'nose'",
        ),
    ],
)
def test_a_wrong_answer_is_one_sentence(server, answer, reason):
    server.answer = answer
    with pytest.raises(UserError) as caught:
        server.predict("models/m", "serving_default", FACES)
    assert reason in str(caught.value) and str(caught.value).endswith("--name.")
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("map_", [0.5, [[0.5] * 48] * 47, [[math.nan] * 48] * 48, "map", None])
def test_a_wrong_attention_is_one_sentence(server, map_):
    right = {"path": "A", ATTENTION: [[0.5] * 48] * 48}
    server.answer = {"predictions": [right] * 2}
    assert np.shape(server.predict("models/m", ATTENTION, FACES)[ATTENTION]) == (2, 48, 48)
    server.answer = {"predictions": [right, right | {ATTENTION: map_}]}
    with pytest.raises(UserError, match="attention "):
        server.predict("models/m", ATTENTION, FACES)


def test_a_model_that_changes_between_two_requests_is_one_sentence(server, monkeypatch):
    answers = iter([{"predictions": [ROW | KINDS]}, {"predictions": [ROW]}])
    monkeypatch.setattr("fer_tf.inference.remote.FACES_AT_A_TIME", 1)
    monkeypatch.setattr(server, "request", lambda *_: next(answers))
    with pytest.raises(UserError, match="ask again"):
        ask(server, "models/m", "serving_default", FACES)


@pytest.mark.parametrize(
    "versions",
    [
        "AVAILABLE",
        ["AVAILABLE"],
        [{"state": "AVAILABLE"}],
        [{"version": "1"}],
        [{"version": "1", "state": ["AVAILABLE"]}],
        [{"version": "1", "state": "END", "status": "lost"}],
        [{"version": "1", "state": "END", "status": {"error_message": 5}}],
    ],
)
def test_states_that_are_none_are_one_sentence(server, versions):
    server.answer = {"model_version_status": versions}
    with pytest.raises(UserError, match="not as TensorFlow Serving|version 1 END"):
        server.check_available("models/m")


def test_a_servers_words_do_not_steer_the_terminal(server):
    status = {"error_message": "lost \x1b[2J\x07 all"}
    server.answer = {"model_version_status": [{"version": "1", "state": "END", "status": status}]}
    with pytest.raises(UserError) as caught:
        server.check_available("models/m")
    assert str(caught.value).isprintable() and "lost" in str(caught.value)


def test_only_a_server_of_models_offers_them_on_the_page(server):
    server.answer = {"status": "ok"}
    with pytest.raises(UserError, match="not as TensorFlow Serving"):
        ServedModels(server).names()
    with pytest.raises(UserError, match="not as TensorFlow Serving"):
        server.find_model()


class Unchecked:
    """Models whose answers hold markup in every text."""

    def occlusion(self, name):
        return "none"

    def answer(self, name, faces):
        row = ROW | {"label": SCRIPT, "path": "A"}
        return ModelOutputs(**{key: [value] * len(faces) for key, value in row.items()})

    def attention(self, name, faces):
        return None


def test_texts_of_a_model_are_escaped_on_the_page():
    picture = encode_picture(".png")
    html = page.ask(Unchecked(), "m", look_at(picture, f"{SCRIPT}.png"), 0)
    assert "<img src=x" not in html and "&lt;img src=x" in html
