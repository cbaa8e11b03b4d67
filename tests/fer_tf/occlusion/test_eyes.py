import cv2
import numpy as np
import pytest

from fer_tf.data.sources.drawn import draw_face, draw_portrait
from fer_tf.expressions import EXPRESSIONS
from fer_tf.faces.face import crop_to_face
from fer_tf.faces.preprocessing import to_face
from fer_tf.occlusion.eyes import USUAL_EYES, find_eyes
from tools.eye_views import motion

GRADIENT = np.add.outer(np.arange(48), 4 * np.arange(48)).astype(np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, (48, 48)).astype(np.uint8)
STRANGE = {
    "black": np.zeros((48, 48), np.uint8),
    "white": np.full((48, 48), 255, np.uint8),
    "noise": NOISE,
    "gradient": GRADIENT,
    "half black": np.where(np.arange(48)[:, None] < 24, 0, NOISE).astype(np.uint8),
}


def drawn_faces() -> np.ndarray:
    return np.stack(
        [draw_face(subject, label, 0) for subject in range(2) for label in range(len(EXPRESSIONS))]
    )


def centres(boxes: np.ndarray) -> np.ndarray:
    """(x, y) of both, the centre of the top left pixel being (0, 0)."""
    return boxes[:, :2] + boxes[:, 2:] / 2 - 0.5


def eyes_of(face: np.ndarray) -> np.ndarray:
    return centres(find_eyes(face)[0])


def test_eyes_of_drawn_faces_are_found_and_covered():
    total, black = 0, []
    for face in drawn_faces():
        boxes, found = find_eyes(face)
        total += found
        assert boxes.shape == (2, 4) and boxes.dtype == np.int64
        (left, left_y), (right, right_y) = centres(boxes)
        assert 8 < left < 20 and 28 < right < 40
        assert 12 < left_y < 26 and 12 < right_y < 26
        mask = np.zeros((48, 48), bool)
        for x, y, width, height in boxes:
            mask[y : y + height, x : x + width] = True
        black.append(mask.mean())
    assert total >= 0.7 * 2 * len(drawn_faces())  # heavy frames of glasses may hide some
    assert 0.08 < np.mean(black) <= 0.15


def test_the_iris_is_covered():
    # Wide open eyes of an upright face: the darkest spot of each half lies in its box.
    face = draw_face(0, 6, 0)
    for half, (x, y, width, height) in enumerate(find_eyes(face)[0]):
        part = cv2.GaussianBlur(face, (5, 5), 0)[14:26, 24 * half + 4 : 24 * half + 20]
        row, column = np.unravel_index(part.argmin(), part.shape)
        assert x <= column + 24 * half + 4 < x + width
        assert y <= row + 14 < y + height


@pytest.mark.parametrize("hidden", [0, 1], ids=["left", "right"])
def test_a_hidden_eye_is_placed_by_the_prior(hidden):
    face = draw_face(0, 1, 0)
    expected = eyes_of(face)
    x, y = expected[hidden].astype(int)
    face[y - 6 : y + 7, max(0, x - 8) : x + 9] = int(np.median(face))
    boxes, found = find_eyes(face)
    assert found == 1
    assert np.abs(centres(boxes) - expected).max() <= 3


def test_sunglasses():
    face = draw_face(3, 1, 0)
    expected = eyes_of(face)
    for x, y in np.rint(expected).astype(int):
        cv2.ellipse(face, (int(x), int(y) + 1), (8, 6), 0, 0, 360, 10, cv2.FILLED)
    assert np.abs(eyes_of(face) - expected).max() <= 3


@pytest.mark.parametrize("degrees", [-25, 25])
def test_a_tilted_face(degrees):
    face = draw_face(0, 1, 0)
    matrix = motion(degrees, (1, 1), np.zeros(2), False)
    tilted = cv2.warpAffine(face, matrix, (48, 48), borderMode=cv2.BORDER_REPLICATE)
    expected = eyes_of(face) @ matrix[:, :2].T + matrix[:, 2]
    assert abs(expected[0, 1] - expected[1, 1]) > 5
    assert np.abs(eyes_of(tilted) - expected).max() <= 2.5


def test_a_mirrored_face():
    for face in drawn_faces()[:7]:
        mirrored = eyes_of(np.ascontiguousarray(face[:, ::-1]))[::-1]
        mirrored[:, 0] = 47 - mirrored[:, 0]
        assert np.abs(mirrored - eyes_of(face)).max() <= 3


def test_a_dark_face():
    for face in drawn_faces()[:7]:
        assert np.abs(eyes_of(face // 6) - eyes_of(face)).max() <= 2


def test_a_face_cropped_from_a_portrait():
    for subject in range(3):
        square, is_face = crop_to_face(draw_portrait(subject, 1, 0))
        assert is_face
        _, found = find_eyes(to_face(square))
        assert found == 2


@pytest.mark.parametrize("name", STRANGE)
def test_any_picture_gets_two_boxes_within_it(name):
    boxes, found = find_eyes(STRANGE[name])
    assert 0 <= found <= 2
    assert boxes.shape == (2, 4)
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] > 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= 48).all()


@pytest.mark.parametrize("name", ["black", "white"])
def test_usual_eyes_where_there_is_nothing(name):
    boxes, found = find_eyes(STRANGE[name])
    assert found == 0
    np.testing.assert_array_equal(boxes, USUAL_EYES)


def test_the_number_of_threads_changes_nothing():
    threads = cv2.getNumThreads()
    results = []
    try:
        for number in (1, 4):
            cv2.setNumThreads(number)
            results.append([find_eyes(face) for face in drawn_faces()])
    finally:
        cv2.setNumThreads(threads)
    for (boxes, found), (other_boxes, other_found) in zip(*results, strict=True):
        np.testing.assert_array_equal(boxes, other_boxes)
        assert found == other_found
