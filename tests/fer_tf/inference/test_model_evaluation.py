import numpy as np
import pytest

from fer_tf.data.tfrecords import Split
from fer_tf.errors import UserError
from fer_tf.export.model_card import accuracy_sentence, model_card, named_with_accuracy
from fer_tf.export.model_store import record_measured
from fer_tf.inference import model_evaluation
from fer_tf.inference.model_evaluation import DATABASE_OF, evaluate_model
from fer_tf.occlusion.kinds import RECOGNISED
from fer_tf.records.manifest import NetworkEntry, read_manifest
from tests.records import put_manifest

LABELS = np.array([0, 0, 1, 5], np.int32)


class FakeDatabase:
    def __init__(self, name):
        self.name = name

    def __str__(self):
        return self.name

    def fingerprint(self):
        return "these faces"

    def read(self, split, stream):
        assert (split, stream) == ("test", False)
        images = np.zeros((4, 48, 48, 1), np.uint8)
        images[:, 0, 0, 0] = list(DATABASE_OF).index(
            next(kind for kind, name in DATABASE_OF.items() if self.name.startswith(name))
        )
        return Split(images, LABELS, list("abcd"), [""] * 4)


class FakeModel:
    """Right on uncovered faces; elsewhere only all_paths is, and takes lower halves for eyes."""

    def __init__(self, version):
        pass

    def ask(self, signature, faces):
        assert faces.shape == (4, 48, 48)
        kind = int(faces[0, 0, 0])
        sure = kind == 0 or signature == "all_paths"
        said = "eyes" if RECOGNISED[kind] == "lower" else RECOGNISED[kind]
        return {
            "class_id": LABELS if sure else np.zeros(4, np.int32),
            "occlusion": np.array([said.encode()] * 4, object),
        }


@pytest.fixture
def version(tmp_path, monkeypatch):
    monkeypatch.setattr(model_evaluation, "find_database", lambda name, _: FakeDatabase(name))
    monkeypatch.setattr(model_evaluation, "ExpressionModel", FakeModel)
    monkeypatch.setattr(model_evaluation, "groups_of", lambda *_: np.arange(4))
    folder = tmp_path / "any_occlusion" / "2"
    put_manifest(folder, **MANIFEST_VALUES)
    return folder


ENTRY = NetworkEntry(seed=0, training_images=9, best_epoch=1, best_validation_loss=1.0, sha256="0")
MANIFEST_VALUES = {
    "database": "any_occlusion",
    "occlusion": "any",
    "data_fingerprint": "these faces",
    "answering": dict(DATABASE_OF),
    "networks": {"occlusion_net": ENTRY},
}


def test_a_model_is_measured_on_the_faces_of_each_occlusion(version, tmp_path):
    measured = evaluate_model(version, tmp_path)
    kinds = measured.kinds
    assert [kinds[kind].faces for kind in RECOGNISED] == [
        f"{name}/drawn" for name in DATABASE_OF.values()
    ]
    accuracies = {
        method: [getattr(kinds[kind], method).accuracy for kind in RECOGNISED]
        for method in ("path_selection", "joint_probability")
    }
    assert accuracies["path_selection"] == [1, 0.5, 0.5, 0.5]
    assert accuracies["joint_probability"] == [1, 1, 1, 1]
    assert [kinds[kind].recognised for kind in RECOGNISED] == [1, 1, 0, 1]
    recall = kinds["upper"].path_selection.recall
    assert recall == {"Happiness": 1, "Normal": 0, "Disgust": 0}


def test_the_numbers_go_into_manifest_card_and_the_line_behind_an_answer(version, tmp_path):
    assert named_with_accuracy(version) == str(version)
    record_measured(version, evaluate_model(version, tmp_path))
    manifest = read_manifest(version)
    sentence = "Right on 100.0 % (uncovered), 50.0 % (upper half covered), 50.0 % (lower half"
    assert accuracy_sentence(manifest).startswith(sentence)
    assert named_with_accuracy(version).startswith(f"{version}. {sentence}")
    card = model_card("any_occlusion", 2, manifest)
    assert "| uncovered | 4 | 100.0 (100.0 to 100.0) | 100.0 | 100.0 (100.0 to 100.0) |" in card


def test_a_model_of_other_faces_or_of_one_database_is_refused(version, tmp_path):
    put_manifest(version, **MANIFEST_VALUES | {"data_fingerprint": "others"})
    with pytest.raises(UserError, match="trained on other faces"):
        evaluate_model(version, tmp_path)
    put_manifest(version)
    with pytest.raises(UserError, match="is of one database"):
        evaluate_model(version, tmp_path)
