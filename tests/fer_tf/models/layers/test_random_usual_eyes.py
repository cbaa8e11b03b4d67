import keras
import numpy as np
import pytest

from fer_tf.models.layers.random_usual_eyes import RandomUsualEyes
from fer_tf.occlusion.eyes import USUAL_EYES


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_it_blackens_the_usual_eyes_and_nothing_else(dtype):
    images = np.full((3, 48, 48, 1), 200, dtype)
    output = np.asarray(RandomUsualEyes(1.0)(images, training=True))
    assert output.dtype == dtype
    black = np.zeros((48, 48), bool)
    for x, y, width, height in USUAL_EYES:
        black[y : y + height, x : x + width] = True
    for image in output:
        np.testing.assert_array_equal(image[..., 0] == 0, black)
        assert (image[..., 0][~black] == 200).all()


def test_the_next_step_blackens_other_images():
    keras.utils.set_random_seed(0)
    layer = RandomUsualEyes(0.3)
    images = np.full((2000, 48, 48, 1), 9, "uint8")
    first, second = (np.asarray(layer(images, training=True))[:, 18, 12, 0] == 0 for _ in "12")
    assert 0.25 < first.mean() < 0.35
    assert (first != second).any()


def test_inference_does_not_change_the_images():
    images = np.full((2, 48, 48, 1), 9, "uint8")
    np.testing.assert_array_equal(RandomUsualEyes(1.0)(images), images)


def test_it_is_saved_with_its_rate():
    layer = RandomUsualEyes.from_config(RandomUsualEyes(0.25).get_config())
    assert layer.rate == 0.25
