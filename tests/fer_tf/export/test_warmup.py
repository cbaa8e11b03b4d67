import shutil

import numpy as np
import pytest
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from fer_tf.errors import UserError
from fer_tf.export import warmup
from fer_tf.export.warmup import find_images, write_warm_up
from tests.c_api import replay_warm_up
from tests.served import SIGNATURES


@pytest.fixture(scope="module")
def version(model, tmp_path_factory):
    """A version with its requests."""
    folder = tmp_path_factory.mktemp("version") / "1"
    shutil.copytree(model, folder)
    assert write_warm_up(folder) == ["A", "B", "C"]
    return folder


def test_the_requests_cover_each_signature_and_are_answered_as_by_a_server(version):
    assert sorted(replay_warm_up(version)) == sorted(SIGNATURES)


def test_each_signature_is_called_with_a_face_on_each_path(model, tmp_path, monkeypatch):
    version = tmp_path / "1"
    shutil.copytree(model, version)
    tried = []
    real = warmup._try

    def record(log, signatures, route):
        tried.append((log.predict_log.request.model_spec.signature_name, route))
        real(log, signatures, route)

    monkeypatch.setattr(warmup, "_try", record)
    write_warm_up(version)
    assert sorted(tried) == sorted((signature, path) for signature in SIGNATURES for path in "ABC")


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


def test_a_version_with_a_failing_request_is_not_published(version, monkeypatch):
    whole = warmup._request

    def cut(signature, image):
        return whole(signature, image[:, :40] if signature == "serving_bytes" else image)

    monkeypatch.setattr(warmup, "_request", cut)
    with pytest.raises(UserError, match=r"image_bytes\[0\] has 48 x 40 .*nothing was published"):
        write_warm_up(version)


def broken_weights(version):
    (data,) = version.glob("variables/*.data*")
    data.write_bytes(data.read_bytes()[:1000])


def broken_functions(version):
    """Strides that do not give the shapes that the functions expect."""
    path = version / "saved_model.pb"
    saved = SavedModel.FromString(path.read_bytes())
    for function in saved.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            if node.op == "Conv2D":
                node.attr["strides"].list.i[:] = [1, 7, 7, 1]
    path.write_bytes(saved.SerializeToString())


@pytest.mark.parametrize("damage", [broken_weights, broken_functions])
def test_a_damaged_version_is_not_published(model, tmp_path, damage):
    version = shutil.copytree(model, tmp_path / "1")
    damage(version)
    with pytest.raises(UserError, match="cannot be loaded"):
        write_warm_up(version)


def test_requests_whose_answer_is_not_as_expected_are_refused(version, monkeypatch):
    """As when a path's image is answered otherwise once it is encoded."""
    images = find_images(probabilities_by(lambda mean: mean))
    monkeypatch.setattr(warmup, "find_images", lambda _: {"C": images["A"]})
    with pytest.raises(UserError, match="along path C and, through serving_default, along"):
        write_warm_up(version)
