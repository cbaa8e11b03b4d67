import keras
import numpy as np

from fer_tf.models.layers.random_affine import RandomAffine


def faces(count=1):
    """Blurred spots off the centre, float32 [count, 48, 48, 1]."""
    y, x = np.mgrid[:48, :48]
    face = 200 * np.exp(-((x - 15) ** 2 + (y - 20) ** 2) / 40) + 20
    return np.repeat(face[np.newaxis, ..., np.newaxis], count, axis=0).astype("float32")


def centre(image):
    """Column and row of the spot."""
    weight = np.asarray(image, np.float64)[..., 0] - 20
    y, x = np.mgrid[:48, :48]
    return (x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()


def moved(count=200, **limits):
    keras.utils.set_random_seed(0)
    return np.asarray(RandomAffine(**{"flip": False} | limits)(faces(count), training=True))


def test_half_of_the_faces_are_mirrored():
    images = moved(flip=True)
    mirrored = [abs(centre(image)[0] - 32) < 0.2 for image in images]
    assert 70 < sum(mirrored) < 130
    np.testing.assert_allclose(images[mirrored][0], faces()[0, :, ::-1], atol=1e-3)


def test_shifts_stay_within_their_limit_and_differ():
    columns, rows = np.transpose([centre(image) for image in moved(shift=0.1)])
    for positions, start in ((columns, 15), (rows, 20)):
        assert np.abs(positions - start).max() < 4.9 and positions.std() > 2


def test_faces_turn_about_their_centre():
    offsets = np.array([centre(image) for image in moved(rotation=10)]) - 23.5
    angles = np.degrees(np.arctan2(*offsets.T)) - np.degrees(np.arctan2(15 - 23.5, 20 - 23.5))
    assert np.abs(angles).max() < 10.2 and angles.std() > 4
    np.testing.assert_allclose(np.hypot(*offsets.T), np.hypot(8.5, 3.5), atol=0.1)


def test_zoom_changes_the_distance_from_the_centre():
    distances = np.array([np.hypot(*(np.array(centre(i)) - 23.5)) for i in moved(zoom=0.1)])
    ratios = distances / np.hypot(8.5, 3.5)
    assert 0.88 < ratios.min() < 0.93 and 1.07 < ratios.max() < 1.13


def test_all_channels_move_together():
    image = np.concatenate([faces(), faces()], axis=-1)
    output = np.asarray(RandomAffine(rotation=10, zoom=0.1, shift=0.1)(image, training=True))
    np.testing.assert_allclose(output[..., 0], output[..., 1])


def test_inference_does_not_change_the_images():
    image = faces().astype("uint8")
    np.testing.assert_array_equal(RandomAffine(rotation=10)(image), image)


def test_it_is_saved_with_its_limits():
    layer = RandomAffine(flip=False, rotation=5, zoom=0.2, shift=0.1)
    again = RandomAffine.from_config(layer.get_config())
    assert (again.flip, again.rotation, again.zoom, again.shift) == (False, 5, 0.2, 0.1)
