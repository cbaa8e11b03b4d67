"""The server's own load path, without any TensorFlow Python, against `tf.saved_model.load`."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf

from fer_tf.export.contract import MOST_FACES
from fer_tf.models.folding import INFERENCE_PRECISIONS
from tests import c_api
from tests.networks import images_for
from tests.served import SIGNATURES, as_png, as_request, run_python

MANY = MOST_FACES + 1
BATCHES = {"none": [], "one": [1], "five": [2, 0, 1, 1, 0]}
BAD = {
    "serving_default/small": np.zeros((2, 24, 24, 1), np.uint8),
    "serving_default/rank": np.zeros((48, 48, 1), np.uint8),
    "serving_default/float": np.zeros((1, 48, 48, 1), np.float32),
    "all_paths/colour": np.zeros((1, 48, 48, 3), np.uint8),
    "serving_bytes/second is text": np.array([as_png(images_for([0])[0]), b"a face"], object),
    "serving_bytes/scalar": np.array(b"a face", object),
    "serving_bytes/matrix": np.array([[b"a face"]], object),
    "serving_bytes/numbers": np.zeros((2,), np.uint8),
    "classify/no example": np.array([b"a face"], object),
    "classify/other feature": np.array([tf.train.Example().SerializeToString()], object),
    "serving_default/many": np.zeros((MANY, 48, 48, 1), np.uint8),
    "all_paths/many": np.zeros((MANY, 48, 48, 1), np.uint8),
    "serving_bytes/many": np.array([b"not decoded"] * MANY, object),
    "classify/many": np.array([b"not parsed"] * MANY, object),
    "serving_bytes/huge": np.array([as_png(np.zeros((8000, 8000), np.uint8))], object),
}
MESSAGES = {
    "serving_default/small": r"\[2,24,24,1\] is not compatible with expected shape \[\?,48,48,1\]",
    "serving_default/rank": r"\[48,48,1\] is not compatible with expected shape \[\?,48,48,1\]",
    "serving_default/float": r"arg\[0\] to be uint8 but float",
    "all_paths/colour": r"\[1,48,48,3\] is not compatible with expected shape \[\?,48,48,1\]",
    "serving_bytes/second is text": r"image_bytes\[1\] is no JPEG or PNG file",
    "serving_bytes/scalar": r"\[\] is not compatible with expected shape \[\?\]",
    "serving_bytes/matrix": r"\[1,1\] is not compatible with expected shape \[\?\]",
    "serving_bytes/numbers": r"arg\[0\] to be string but uint8",
    "classify/no example": "Could not parse example input, value: 'a face'",
    "classify/other feature": "Feature: image/encoded .* is required but could not be found",
    "serving_default/many": f"image has {MANY} faces, at most {MOST_FACES} are answered at a time",
    "all_paths/many": f"image has {MANY} faces, at most {MOST_FACES} are answered at a time",
    "serving_bytes/many": f"image_bytes has {MANY} faces, at most {MOST_FACES} are answered",
    "classify/many": f"inputs has {MANY} faces, at most {MOST_FACES} are answered at a time",
    "serving_bytes/huge": r"image_bytes\[0\] has 8000 x 8000 pixels, at most 16777216 are taken",
}
GOOD = {
    "serving_default/gray": np.full((1, 48, 48, 1), 120, np.uint8),
    "serving_bytes/one pixel": np.array([as_png(np.full((1, 1), 120, np.uint8))], object),
}


@pytest.fixture(scope="module", params=INFERENCE_PRECISIONS)
def precision(request):
    return request.param


@pytest.fixture(scope="module")
def model(precision, model_in):
    return model_in(precision)


@pytest.fixture(scope="module")
def answers(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("answers")
    requests = {
        f"{signature}/{batch}": as_request(signature, images_for(paths))
        for signature in SIGNATURES
        for batch, paths in BATCHES.items()
    }
    names = np.array(json.dumps(c_api.tensor_names(model)))
    np.savez(folder / "requests.npz", signatures=names, **requests, **GOOD, **BAD)
    library = c_api.find_library()
    files = [folder / "requests.npz", folder / "answers.npz"]
    run_python([c_api.__file__, library, model, *files])
    with np.load(files[1], allow_pickle=True) as loaded:
        return dict(loaded)


@pytest.fixture(scope="module")
def signatures(model):
    return tf.saved_model.load(model).signatures


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("signature", SIGNATURES)
def test_answers_equal_those_of_python(precision, signatures, answers, signature, batch):
    # Joined to one operation or not, bfloat16 is rounded elsewhere.
    tolerance = {"float32": 1e-6, "bfloat16": 1e-2}[precision]
    loaded = signatures[signature]
    request = as_request(signature, images_for(BATCHES[batch]))
    dtype = tf.string if request.dtype == object else tf.uint8
    expected = loaded(
        **{SIGNATURES[signature]: tf.constant(request.tolist(), dtype, request.shape)}
    )
    for name, value in expected.items():
        answer = answers[f"{signature}/{batch}/{name}"]
        assert answer.shape == value.shape and len(answer) == len(BATCHES[batch])
        if answer.dtype == object:
            assert answer.tolist() == value.numpy().tolist()
        else:
            np.testing.assert_allclose(answer, value, atol=tolerance)


def test_a_picture_of_one_pixel_is_answered_as_a_face_of_its_gray_level(answers):
    expected = answers["serving_default/gray/probabilities"]
    np.testing.assert_allclose(
        answers["serving_bytes/one pixel/probabilities"], expected, atol=1e-6
    )


@pytest.mark.parametrize("request_name", BAD)
def test_bad_requests_fail_with_the_reason(answers, request_name):
    message = str(answers[f"{request_name}/error"])
    assert re.search(MESSAGES[request_name], message), message
