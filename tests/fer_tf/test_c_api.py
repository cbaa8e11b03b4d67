"""The server's own load path, without any TensorFlow Python, against `tf.saved_model.load`."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.saved_model import loader_impl

from tests import c_api
from tests.networks import images_for
from tests.served import SIGNATURES, as_png, as_request, run_python

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
}


def tensor_names(model: Path) -> dict:
    """Signature -> its tensors by their names in the graph."""
    (graph,) = loader_impl.parse_saved_model(str(model)).meta_graphs
    return {
        name: {
            "input": graph.signature_def[name].inputs[key].name,
            "outputs": {k: v.name for k, v in graph.signature_def[name].outputs.items()},
        }
        for name, key in SIGNATURES.items()
    }


@pytest.fixture(scope="module")
def answers(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("answers")
    requests = {
        f"{signature}/{batch}": as_request(signature, images_for(paths))
        for signature in SIGNATURES
        for batch, paths in BATCHES.items()
    }
    names = np.array(json.dumps(tensor_names(model)))
    np.savez(folder / "requests.npz", signatures=names, **requests, **BAD)
    library = Path(tf.sysconfig.get_lib()) / "libtensorflow_cc.so.2"
    files = [folder / "requests.npz", folder / "answers.npz"]
    run_python([c_api.__file__, library, model, *files])
    with np.load(files[1], allow_pickle=True) as found:
        return dict(found)


@pytest.fixture(scope="module")
def signatures(model):
    return tf.saved_model.load(model).signatures


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("signature", SIGNATURES)
def test_answers_equal_those_of_python(signatures, answers, signature, batch):
    loaded = signatures[signature]
    request = as_request(signature, images_for(BATCHES[batch]))
    dtype = tf.string if request.dtype == object else tf.uint8
    expected = loaded(
        **{SIGNATURES[signature]: tf.constant(request.tolist(), dtype, request.shape)}
    )
    for name, value in expected.items():
        found = answers[f"{signature}/{batch}/{name}"]
        assert found.shape == value.shape and len(found) == len(BATCHES[batch])
        if found.dtype == object:
            assert found.tolist() == value.numpy().tolist()
        else:
            np.testing.assert_allclose(found, value, atol=1e-6)


@pytest.mark.parametrize("request_name", BAD)
def test_bad_requests_fail_with_the_reason(answers, request_name):
    message = str(answers[f"{request_name}/error"])
    assert re.search(MESSAGES[request_name], message), message
