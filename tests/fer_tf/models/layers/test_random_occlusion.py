import keras
import numpy as np
import pytest

from fer_tf.models.layers.random_occlusion import RandomOcclusion
from fer_tf.occlusion.kinds import RECOGNISED
from fer_tf.occlusion.occlude import visible_pixels

EYES = np.zeros((48, 48), bool)
EYES[10:14, 5:40] = True


def faces(count):
    """White faces and a mask of their eyes, uint8 [count, 48, 48, 2]."""
    images = np.full((count, 48, 48, 2), 255, np.uint8)
    images[..., 1] = 255 * EYES
    return images


def black(layer, count=1):
    keras.utils.set_random_seed(0)
    output = np.asarray(layer(faces(count), training=True))
    assert output.shape == (count, 48, 48, 1) and set(np.unique(output)) <= {0, 255}
    return output[..., 0] == 0


@pytest.mark.parametrize("kind", ["none", "upper", "lower"])
def test_each_kind_blackens_the_same_pixels_as_its_database(kind):
    (covered,) = black(RandomOcclusion([kind]))
    np.testing.assert_array_equal(covered, ~visible_pixels(kind)[..., 0])


def test_eyes_are_blackened_by_the_mask_or_by_the_usual_boxes():
    (at_mask,) = black(RandomOcclusion(["eyes"]))
    (usual,) = black(RandomOcclusion(["eyes"], usual_eyes=1.0))
    np.testing.assert_array_equal(at_mask, EYES)
    np.testing.assert_array_equal(usual, ~visible_pixels("eyes")[..., 0])
    both = black(RandomOcclusion(["eyes"], usual_eyes=0.25), 400)
    assert 60 < sum((each == usual).all() for each in both) < 140


def test_every_kind_is_drawn_equally_often():
    share = black(RandomOcclusion(RECOGNISED), 800).mean(axis=(1, 2))
    counts = [np.sum(np.isclose(share, part)) for part in (0, 0.5, EYES.mean())]
    assert 150 < counts[0] < 250 and 330 < counts[1] < 470 and 150 < counts[2] < 250


def test_the_next_step_covers_the_same_faces_differently():
    layer = RandomOcclusion(RECOGNISED)
    first, second = (np.asarray(layer(faces(20), training=True)) for _ in range(2))
    assert (first != second).any()


def test_inference_returns_the_first_channel():
    layer = RandomOcclusion(RECOGNISED)
    np.testing.assert_array_equal(layer(faces(2)), faces(2)[..., :1])
    np.testing.assert_array_equal(layer(faces(2)[..., :1]), faces(2)[..., :1])


def test_it_is_saved_with_its_kinds():
    again = RandomOcclusion.from_config(RandomOcclusion(["none", "eyes"], 0.25).get_config())
    assert (again.kinds, again.usual_eyes) == (("none", "eyes"), 0.25)
