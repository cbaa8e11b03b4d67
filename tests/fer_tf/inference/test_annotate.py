import dataclasses

import numpy as np
import pytest

from fer_tf.expressions import EXPRESSIONS, PATHS
from fer_tf.faces.face import Square
from fer_tf.inference.annotate import COLOURS, annotate
from fer_tf.inference.prediction import Prediction


def prediction(square, path="A", class_id=0, attention=None):
    probabilities = dict.fromkeys(EXPRESSIONS, 0.1)
    shares = dict.fromkeys(PATHS, 0.3)
    return Prediction(
        *("a.jpg", square, EXPRESSIONS[class_id], class_id, 0.4, path, shares, probabilities),
        attention=attention,
    )


@pytest.fixture
def picture():
    return np.full((120, 160, 3), 128, np.uint8)


def test_the_box_is_around_the_face_in_its_paths_colour(picture):
    drawn = annotate(picture, [prediction(Square(40, 20, 60), "B")])

    for x, y in ((40, 50), (99, 50), (70, 20)):
        np.testing.assert_array_equal(drawn[y, x], COLOURS["B"])
    assert (drawn[30:70, 50:90] == 128).all()  # The face itself stays.
    assert (picture == 128).all()


def test_the_text_depends_on_the_label(picture):
    one, other = (annotate(picture, [prediction(Square(40, 20, 60), "A", k)]) for k in (0, 1))

    assert (one != other).any()


def test_a_narrow_picture_does_not_cut_the_text():
    narrow = np.full((200, 170, 3), 128, np.uint8)
    occlusion = {"occlusion": "lower", "occlusion_probabilities": {"lower": 0.9}}
    drawn = annotate(narrow, [dataclasses.replace(prediction(Square(5, 0, 160), "B"), **occlusion)])

    white = drawn.min(axis=-1) > 180
    assert white.any() and not white[:, -4:].any()


def test_no_face_no_change(picture):
    assert (annotate(picture, []) == picture).all()


@pytest.mark.parametrize("square", [Square(-30, -20, 90), Square(130, 90, 80), None])
def test_squares_beyond_the_border_are_drawn(picture, square):
    attention = np.ones((6, 6), np.float32)

    drawn = annotate(picture, [prediction(square, attention=attention)])

    assert drawn.shape == picture.shape and (drawn != picture).any()


def magenta(pixel):
    blue, green, red = map(int, pixel)
    return blue > 180 and red > 180 and green < 80


def test_a_map_colours_what_is_above_the_mean_and_only_within_the_face(picture):
    attention = np.array([[0.0, 0.3, 0.5, 1.0]] * 4, np.float32)

    drawn = annotate(picture, [prediction(Square(40, 10, 60), attention=attention)])

    assert magenta(drawn[40, 95])
    assert (drawn[20:60, 45:70] == 128).all()  # At the mean and below the face stays.
    assert (drawn[:, :38] == 128).all()


def test_a_map_over_the_border_stays_in_its_place(picture):
    attention = np.zeros((2, 2), np.float32)
    attention[:, 1] = 1.0

    drawn = annotate(picture, [prediction(Square(-40, -20, 100), attention=attention)])

    assert (drawn[20:60, 4] == 128).all() and magenta(drawn[40, 50])


def test_a_face_without_a_map_stays_beside_one_that_has_it(picture):
    attention = np.ones((48, 48), np.float32)
    faces = [prediction(Square(10, 10, 50)), prediction(Square(90, 10, 50), attention=attention)]

    drawn = annotate(picture, faces)

    assert (drawn[20:40, 20:50] == 128).all() and magenta(drawn[30, 110])
