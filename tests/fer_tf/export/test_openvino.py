"""A reader of SavedModels that shares no code with TensorFlow answers as TensorFlow does."""

import numpy as np
import pytest
import tensorflow as tf

from tests.networks import images_for

openvino = pytest.importorskip("openvino", reason="installed by `make test-all`")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["serving_default", "all_paths"])
def both(request, model, tmp_path_factory):
    """A signature as TensorFlow's function and as OpenVINO's."""
    loaded = tf.saved_model.load(model)
    folder = model
    if request.param != "serving_default":  # OpenVINO reads the default signature alone.
        folder = tmp_path_factory.mktemp("openvino")
        tf.saved_model.save(loaded, folder, signatures=loaded.signatures[request.param])
    core = openvino.Core()
    # Otherwise bfloat16 where the CPU has it.
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    return loaded.signatures[request.param], core.compile_model(
        core.read_model(folder), "CPU", exact
    )


@pytest.mark.parametrize("paths", [[], [2], [2, 0, 1, 1, 0]], ids=len)
def test_answers_equal_those_of_tensorflow(both, paths):
    tensorflow, other = both
    images = images_for(paths)
    answer = {name: other({"image": images})[name] for name in tensorflow.structured_outputs}
    for name, expected in tensorflow(image=tf.constant(images)).items():
        expected = expected.numpy()
        assert answer[name].shape == expected.shape
        if expected.dtype == object:
            assert answer[name].tolist() == [text.decode() for text in expected]
        else:
            np.testing.assert_allclose(answer[name], expected, atol=1e-5)
