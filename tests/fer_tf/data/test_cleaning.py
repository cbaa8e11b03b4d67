import numpy as np

from fer_tf.data.cleaning import blank_images, conflicting_labels
from fer_tf.data.near_duplicates import first_copies


def noise(count):
    return np.random.default_rng(0).integers(0, 256, (count, 48, 48), np.uint8)


def test_blank_images_are_found_beside_dark_faces_and_in_the_last_chunk():
    images = noise(1100)
    images[[3, 1099]] = 0
    images[7] = 255
    images[8] = 127 + images[8] % 4  # As FER2013's row 2171.
    images[9] = images[9] // 8  # A dark face.
    assert np.flatnonzero(blank_images(images)).tolist() == [3, 7, 8, 1099]


def test_all_copies_are_in_conflict_where_one_has_another_label():
    images = noise(3)[[0, 1, 0, 2, 1, 0]]
    conflicting = conflicting_labels(first_copies(images), np.array([4, 1, 4, 2, 1, 5]))
    assert conflicting.tolist() == [True, False, True, False, False, True]
