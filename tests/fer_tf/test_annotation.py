import numpy as np
import pytest

from fer_tf.annotation import COLOURS, annotate
from fer_tf.expressions import EXPRESSIONS, PATHS
from fer_tf.faces import Square
from fer_tf.inference import Prediction


def prediction(square, path="A", class_id=0):
    probabilities = dict.fromkeys(EXPRESSIONS, 0.1)
    shares = dict.fromkeys(PATHS, 0.3)
    return Prediction(
        "a.jpg", square, EXPRESSIONS[class_id], class_id, 0.4, path, shares, probabilities
    )


@pytest.fixture
def picture():
    return np.full((120, 160, 3), 128, np.uint8)


def test_the_box_stands_around_the_face_in_its_paths_colour(picture):
    drawn = annotate(picture, [prediction(Square(40, 20, 60), "B")])

    for x, y in ((40, 50), (99, 50), (70, 20)):
        np.testing.assert_array_equal(drawn[y, x], COLOURS["B"])
    assert (drawn[30:70, 50:90] == 128).all()  # The face itself stays.
    assert (picture == 128).all()


def test_what_is_said_depends_on_the_label(picture):
    said = [annotate(picture, [prediction(Square(40, 20, 60), "A", k)]) for k in (0, 1)]

    assert (said[0] != said[1]).any()


def test_no_face_no_change(picture):
    assert (annotate(picture, []) == picture).all()


@pytest.mark.parametrize("square", [Square(-30, -20, 90), Square(130, 90, 80), None])
def test_squares_beyond_the_border_are_drawn(picture, square):
    attention = np.ones((6, 6), np.float32)

    drawn = annotate(picture, [prediction(square)], [attention])

    assert drawn.shape == picture.shape and (drawn != picture).any()


def test_a_map_is_warm_where_it_is_high_and_only_within_the_face(picture):
    attention = np.zeros((2, 2), np.float32)
    attention[:, 1] = 3.0  # Any scale.

    drawn = annotate(picture, [prediction(Square(40, 10, 60))], [attention]).astype(int)

    blue, red = drawn[40, 50], drawn[40, 90]
    assert blue[0] > blue[2] and red[2] > red[0]
    assert (drawn[:, :38] == 128).all()


def test_a_map_over_the_border_stays_in_its_place(picture):
    attention = np.zeros((2, 2), np.float32)
    attention[:, 1] = 1.0

    drawn = annotate(picture, [prediction(Square(-40, -20, 100))], [attention]).astype(int)

    blue, red = drawn[40, 4], drawn[40, 40]
    assert blue[0] > blue[2] and red[2] > red[0]
