import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from fer_tf.errors import UserError
from fer_tf.export import warmup
from fer_tf.export.warmup import WARM_UP, find_images, write_warm_up
from tests.served import SIGNATURES


@pytest.fixture(scope="module")
def version(model, tmp_path_factory):
    """A version with its requests."""
    folder = tmp_path_factory.mktemp("version") / "1"
    shutil.copytree(model, folder)
    assert write_warm_up(folder) == ["A", "B", "C"]
    return folder


def test_the_requests_cover_each_signature(version):
    loaded = tf.saved_model.load(version).signatures
    asked = []
    for record in tf.data.TFRecordDataset(str(version / WARM_UP)).as_numpy_iterator():
        log = PredictionLog.FromString(record)
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        signature = request.model_spec.signature_name
        asked.append(signature)
        assert list(request.inputs) == [SIGNATURES[signature]]
        value = tf.constant(tf.make_ndarray(request.inputs[SIGNATURES[signature]]))
        assert loaded[signature](**{SIGNATURES[signature]: value})
    assert sorted(asked) == sorted(SIGNATURES)


def test_each_signature_is_tried_with_a_face_on_each_path(model, tmp_path, monkeypatch):
    version = tmp_path / "1"
    shutil.copytree(model, version)
    tried = []
    real = warmup._try

    def record(log, run, way):
        tried.append((log.predict_log.request.model_spec.signature_name, way))
        real(log, run, way)

    monkeypatch.setattr(warmup, "_try", record)
    write_warm_up(version)
    assert sorted(tried) == sorted((signature, way) for signature in SIGNATURES for way in "ABC")


def probabilities_by(logit_of_b):
    """Path probabilities that depend on the mean gray level m: 1, `logit_of_b(m)` and -100."""

    def path_probabilities(images):
        mean = images.mean((1, 2, 3)) / 255
        logits = np.stack([np.ones_like(mean), logit_of_b(mean), np.full_like(mean, -100)], -1)
        return np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)

    return path_probabilities


def test_images_are_varied_until_each_path_is_found():
    drawn = []

    def path_probabilities(images):
        drawn.append(images)
        return probabilities_by(lambda mean: 9 * mean - 7)(images)  # B from a mean of 0.9 on.

    images = find_images(path_probabilities)
    assert (path_probabilities(drawn[0]).argmax(-1) == 0).all()  # No drawn face takes it.
    assert list(images) == ["A", "B"]  # And C is taken by none.
    assert images["B"].mean() > 0.88 * 255
    assert images["B"].shape == (1, 48, 48, 1) and images["B"].dtype == np.uint8
    assert sum(map(len, drawn)) < 1000


def test_without_the_c_library_python_answers_and_says_so(version, monkeypatch):
    monkeypatch.setattr(warmup, "find_library", lambda: None)
    with pytest.warns(UserWarning, match="no C library"):
        assert write_warm_up(version) == ["A", "B", "C"]


@pytest.mark.filterwarnings("ignore:TensorFlow's wheel has no C library")
@pytest.mark.parametrize(
    "library, reason",
    [("C", r"image_bytes\[0\] has 48 x 40 pixels.*"), ("Python", "Graph execution error.*")],
)
def test_a_request_that_fails_keeps_a_version_back(version, monkeypatch, library, reason):
    if library == "Python":
        monkeypatch.setattr(warmup, "find_library", lambda: None)
    whole = warmup._request

    def cut(signature, image):
        return whole(signature, image[:, :40] if signature == "serving_bytes" else image)

    monkeypatch.setattr(warmup, "_request", cut)
    with pytest.raises(UserError, match=f"{reason}nothing was published"):
        write_warm_up(version)


def test_requests_whose_answer_is_not_as_expected_are_refused(version, monkeypatch):
    """As when a path's image is answered otherwise once it is encoded."""
    images = find_images(probabilities_by(lambda mean: mean))
    monkeypatch.setattr(warmup, "find_images", lambda _: {"C": images["A"]})
    with pytest.raises(UserError, match="along path C and, through serving_default, along"):
        write_warm_up(version)
