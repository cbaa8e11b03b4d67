import keras
import numpy as np

from fer_tf.models.layers.random_light import RandomLight


def test_brightness_moves_the_mean_and_contrast_the_differences():
    keras.utils.set_random_seed(0)
    images = np.tile(np.array([100, 140], np.uint8), (300, 48, 24))[..., np.newaxis]
    light = np.asarray(RandomLight(0.1, 0.25)(images, training=True))
    means = light.mean(axis=(1, 2, 3))
    spreads = (light[:, :, 1] - light[:, :, 0]).mean(axis=(1, 2)) / 40
    assert np.abs(means - 120).max() < 25.6 and means.std() > 10
    assert 0.74 < spreads.min() < 0.8 and 1.2 < spreads.max() < 1.26


def test_gray_levels_stay_within_0_and_255_and_masks_do_not_change():
    images = np.full((50, 4, 4, 2), 250, np.uint8)
    light = np.asarray(RandomLight(0.5, 0.0)(images, training=True))
    assert light[..., 0].max() == 255 and light[..., 0].min() < 250
    assert (light[..., 1] == 250).all()


def test_inference_does_not_change_the_images():
    images = np.full((2, 4, 4, 1), 9, np.uint8)
    np.testing.assert_array_equal(RandomLight(0.5, 0.5)(images), images)


def test_it_is_saved_with_its_limits():
    again = RandomLight.from_config(RandomLight(0.1, 0.2).get_config())
    assert (again.brightness, again.contrast) == (0.1, 0.2)
