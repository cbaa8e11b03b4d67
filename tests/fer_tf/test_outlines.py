import numpy as np
import pytest

from fer_tf.outlines import SUBPIXEL_BITS, curve, ellipse, rounded, shape_mask, smooth

CORNERS = np.array([(2.0, 2.0), (8.0, 2.0), (8.0, 8.0), (2.0, 8.0)])


def subpixels(points):
    return (np.asarray(points) * 2**SUBPIXEL_BITS).astype(np.int32)


def test_an_ellipse_keeps_to_its_half_axes():
    points = ellipse(3, 4, 2, 1, count=24)
    assert points.shape == (24, 2)
    np.testing.assert_allclose(((points - (3, 4)) ** 2 / (4, 1)).sum(axis=1), 1)


def test_round_corners_stay_within_the_rectangle_and_touch_its_sides():
    points = rounded(0, 0, 10, 6, 2, count=8)
    assert points.shape == (32, 2)
    np.testing.assert_allclose(points.min(axis=0), (0, 0), atol=1e-9)
    np.testing.assert_allclose(points.max(axis=0), (10, 6))
    assert np.hypot(*(points - (0, 0)).T).min() > 0.8


def test_a_smoothed_line_keeps_its_ends_and_a_smoothed_outline_loses_its_corners():
    line = smooth(CORNERS, closed=False)
    np.testing.assert_array_equal(line[[0, -1]], CORNERS[[0, -1]])
    outline = smooth(CORNERS)
    assert not (outline[:, None] == CORNERS).all(axis=2).any()


@pytest.mark.parametrize("closed", [False, True])
def test_a_curve_passes_through_its_control_points(closed):
    points = curve(CORNERS, closed)
    np.testing.assert_allclose(points[::6][:4], CORNERS)
    assert len(points) == (24 if closed else 19)


def test_a_mask_contains_the_shape_at_its_place():
    box, mask = shape_mask(subpixels(CORNERS), 12)
    picture = np.zeros((12, 12), np.uint8)
    picture[box] = mask
    assert (picture[2:9, 2:9] == 255).all() and (picture > 0).sum() == 49

    box, mask = shape_mask(subpixels(CORNERS), 12, thickness=1, closed=True)
    picture[:] = 0
    picture[box] = mask
    assert (picture > 0).sum() == 24


def test_a_shape_beyond_the_picture_is_cut_off_or_empty():
    box, mask = shape_mask(subpixels(CORNERS + 6), 12)
    assert mask.any() and mask.shape == np.empty((12, 12))[box].shape
    _, mask = shape_mask(subpixels(CORNERS + 60), 12)
    assert not mask.size
