import cv2
import numpy as np
import pytest

from fer_tf.expressions import EXPRESSIONS
from fer_tf.occlusion import (
    DATABASES,
    OCCLUSIONS,
    USUAL_EYES,
    find_all_eyes,
    find_eyes,
    occlude,
    visible_rows,
)
from fer_tf.sources.drawn import draw_face

WHITE = np.full((48, 48), 255, np.uint8)
BLANK = np.zeros((48, 48), np.uint8)


def drawn_faces() -> np.ndarray:
    return np.stack(
        [draw_face(subject, label, 0) for subject in range(2) for label in range(len(EXPRESSIONS))]
    )


def centres(boxes: np.ndarray) -> np.ndarray:
    return boxes[:, :2] + boxes[:, 2:] / 2


@pytest.mark.parametrize(("kind", "black"), [("upper", slice(0, 24)), ("lower", slice(24, 48))])
def test_halves(kind, black):
    covered = occlude(WHITE, kind)
    expected = WHITE.copy()
    expected[black] = 0
    np.testing.assert_array_equal(covered, expected)
    np.testing.assert_array_equal(occlude(WHITE[..., None], kind), expected[..., None])
    start, stop = visible_rows(kind)
    assert covered[start:stop].min() == 255
    assert (covered == 255).sum() == (stop - start) * 48


def test_the_image_itself_is_left_alone():
    for kind in OCCLUSIONS:
        face = draw_face(0, 0, 0)
        before = face.copy()
        occlude(face, kind)
        np.testing.assert_array_equal(face, before)


def test_covering_twice_changes_nothing_for_halves():
    face = draw_face(0, 0, 0)
    for kind in ("upper", "lower"):
        once = occlude(face, kind)
        np.testing.assert_array_equal(occlude(once, kind), once)


def test_eyes_of_drawn_faces_are_found_and_covered():
    total = 0
    for face in drawn_faces():
        boxes, found = find_eyes(face)
        total += found
        assert boxes.shape == (2, 4)
        (left, left_y), (right, right_y) = centres(boxes)
        assert 8 < left < 20 and 28 < right < 40
        assert abs(left_y - right_y) <= 8
        covered = occlude(face, "eyes")
        changed = covered != face
        assert (covered[changed] == 0).all()
        for x, y, width, height in boxes:
            assert (covered[y : y + height, x : x + width] == 0).all()
        assert 0.05 < changed.mean() < 0.25
        np.testing.assert_array_equal(occlude(face[..., None], "eyes")[..., 0], covered)
    assert total >= 0.9 * 2 * len(drawn_faces())  # a squeezed eye may be mirrored


@pytest.mark.parametrize("hidden", [slice(0, 24), slice(24, 48)], ids=["left", "right"])
def test_a_single_eye_is_mirrored(hidden):
    face = draw_face(3, 1, 0)
    face[:, hidden] = int(face[30, 24])
    boxes, found = find_eyes(face)
    assert found == 1
    left, right = boxes
    # One pixel of rounding; the mirror image of column x is column 47 - x.
    assert abs((left[0] + left[2]) - (48 - right[0])) <= 1
    np.testing.assert_array_equal(left[1:], right[1:])


def test_usual_eyes_where_there_is_no_face():
    boxes, found = find_eyes(BLANK)
    assert found == 0
    np.testing.assert_array_equal(boxes, USUAL_EYES)
    assert (occlude(WHITE, "eyes") == 0).mean() == pytest.approx(2 * 13 * 13 / 48**2)


def test_given_boxes_are_used():
    covered = occlude(WHITE, "eyes", np.array([[0, 0, 2, 3], [46, 46, 9, 9]]))
    assert (covered == 0).sum() == 2 * 3 + 2 * 2


def test_many_at_once_equal_one_at_a_time():
    images = np.concatenate([drawn_faces(), BLANK[None]])
    threads = cv2.getNumThreads()
    boxes, found = find_all_eyes(images, jobs=2)
    assert cv2.getNumThreads() == threads
    for image, box, number in zip(images, boxes, found, strict=True):
        expected, expected_number = find_eyes(image)
        np.testing.assert_array_equal(box, expected)
        assert number == expected_number
    none_boxes, none_found = find_all_eyes(np.zeros((0, 48, 48), np.uint8))
    assert none_boxes.shape == (0, 2, 4) and none_found.shape == (0,)


def test_each_database_has_its_kind():
    assert sorted(DATABASES.values()) == sorted(OCCLUSIONS)
    assert DATABASES["concat_db"] == "upper"


def test_unknown_kind():
    with pytest.raises(ValueError, match="upper, lower, eyes"):
        occlude(WHITE, "nose")
