"""The model that comes with the program: what it promises, and what it answered when it came."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import fer_tf
from fer_tf.app.example_pictures import write_examples
from fer_tf.data.sources.drawn import draw_face
from fer_tf.export import model_store as versions
from fer_tf.export.model_card import named_with_accuracy
from fer_tf.export.model_store import MODEL_CARD
from fer_tf.expressions import EXPRESSIONS
from fer_tf.inference.predict import ExpressionModel, find_model
from fer_tf.occlusion.kinds import RECOGNISED
from fer_tf.occlusion.occlude import visible_pixels
from fer_tf.records.manifest import read_manifest

PRETRAINED = Path(fer_tf.__file__).parent / "pretrained"
GOLDEN = Path(__file__).parents[2] / "data" / "pretrained_answers.json"
"""Its answers to `faces`; running this file as a program writes those of a new model."""


def faces() -> np.ndarray:
    """Drawn faces of all expressions under all occlusions, uint8 [28, 48, 48]."""
    drawn = np.stack([draw_face(i, i, 0) for i in range(len(EXPRESSIONS))])
    return np.concatenate([drawn * visible_pixels(kind)[..., 0] for kind in RECOGNISED])


@pytest.fixture(autouse=True)
def in_sight(monkeypatch):
    """Undoes what hides the model from the other tests."""
    monkeypatch.setattr(versions, "PRETRAINED", PRETRAINED)


@pytest.fixture(scope="module")
def version():
    (folder,) = (PRETRAINED / "any_occlusion").iterdir()
    return folder


@pytest.fixture(scope="module")
def model(version):
    return ExpressionModel(version)


def test_the_pretrained_model_is_used_without_a_model_of_the_user(tmp_path, version):
    assert find_model(None, tmp_path) == version
    sentence = named_with_accuracy(version)
    assert sentence.startswith(f"any_occlusion, version {version.name}, which comes with fer_tf. ")
    assert "% (uncovered)" in sentence and "% (lower half covered)" in sentence


def test_the_pretrained_model_is_small(version):
    size = sum(path.stat().st_size for path in version.rglob("*") if path.is_file())
    assert size < 25e6


def test_the_pretrained_model_gives_its_recorded_outputs(model):
    golden = json.loads(GOLDEN.read_text())
    for signature, expected in golden.items():
        answer = model.ask(signature, faces())
        labels = [label.decode() for label in answer["label"]]
        occlusions = [kind.decode() for kind in answer["occlusion"]]
        assert (labels, occlusions) == (expected["label"], expected["occlusion"])
        np.testing.assert_allclose(answer["probabilities"], expected["probabilities"], atol=2e-3)


def test_every_signature_answers_and_none_needs_a_face(model, version):
    loaded = tf.saved_model.load(version)
    assert set(loaded.signatures) == {
        "serving_default",
        "serving_bytes",
        "all_paths",
        "classify",
        "attention",
    }
    for signature in ("serving_default", "all_paths", "attention"):
        empty = loaded.signatures[signature](image=tf.zeros([0, 48, 48, 1], tf.uint8))
        assert {len(values) for values in empty.values()} == {0}
    routed, joint = (model.ask(name, faces()) for name in ("serving_default", "all_paths"))
    paths = [answer["path_probabilities"] for answer in (routed, joint)]
    np.testing.assert_allclose(*paths, atol=1e-5)
    np.testing.assert_allclose(joint["probabilities"].sum(axis=1), 1, atol=1e-5)


def test_its_card_says_what_it_was_made_of_and_what_it_is_not_for(version):
    manifest = read_manifest(version)
    assert set(manifest.measured.kinds) == set(RECOGNISED)
    assert manifest.weights == "float16"
    card = (version / MODEL_CARD).read_text()
    for words in ("FER2013", "European Union", "Disgust", "balanced", "Known failures"):
        assert words in card


def test_a_clone_answers_a_photograph(tmp_path):
    examples = tmp_path / "examples"
    write_examples(examples)
    cli = Path(fer_tf.__file__).parents[1] / "cli.py"
    command = [sys.executable, cli, "predict", examples, "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    kinds = {Path(answer["photo"]).stem: answer["occlusion"] for answer in answers}
    assert kinds == {
        "portrait": "none",
        "portrait_with_mask": "lower",
        "portrait_with_headset": "upper",
        "portrait_with_sunglasses": "eyes",
    }
    assert "which comes with fer_tf" in done.stderr


def write_golden():
    """Records the answers of a model that replaces another."""
    (folder,) = (PRETRAINED / "any_occlusion").iterdir()
    answers = {
        name: ExpressionModel(folder).ask(name, faces())
        for name in ("serving_default", "all_paths")
    }
    golden = {
        name: {
            "label": [label.decode() for label in answer["label"]],
            "occlusion": [kind.decode() for kind in answer["occlusion"]],
            "probabilities": np.round(answer["probabilities"], 5).tolist(),
        }
        for name, answer in answers.items()
    }
    GOLDEN.write_text(json.dumps(golden))


if __name__ == "__main__":
    write_golden()
