import numpy as np
import pytest

from fer_tf.data.sources.drawn import draw_face
from fer_tf.occlusion.eyes import find_eyes
from fer_tf.occlusion.kinds import DATABASES, OCCLUSIONS, visible_rows
from fer_tf.occlusion.occlude import occlude

WHITE = np.full((48, 48), 255, np.uint8)


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


def test_the_eyes_found_are_blackened_and_nothing_else():
    face = np.maximum(draw_face(0, 1, 0), 1)
    boxes, _ = find_eyes(face)
    covered = occlude(face, "eyes")
    expected = np.zeros((48, 48), bool)
    for x, y, width, height in boxes:
        expected[y : y + height, x : x + width] = True
    np.testing.assert_array_equal(covered == 0, expected)
    np.testing.assert_array_equal(covered[~expected], face[~expected])
    np.testing.assert_array_equal(occlude(face[..., None], "eyes")[..., 0], covered)


def test_given_boxes_are_used():
    covered = occlude(WHITE, "eyes", np.array([[0, 0, 2, 3], [46, 46, 9, 9]]))
    assert (covered == 0).sum() == 2 * 3 + 2 * 2


def test_each_database_has_its_kind():
    assert sorted(DATABASES.values()) == sorted(OCCLUSIONS)
    assert DATABASES["concat_db"] == "upper"


def test_unknown_kind():
    with pytest.raises(ValueError, match="upper, lower, eyes"):
        occlude(WHITE, "nose")
