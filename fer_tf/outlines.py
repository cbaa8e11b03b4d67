"""Outlines of drawn shapes and the pixels that a shape covers.

Points are float [N, 2], (x, y). In: control points and measures. Out: outlines and masks, from
which the drawn faces (`fer_tf.data.sources.drawing`) and the drawn occluders
(`fer_tf.occlusion.occluders`) are painted. Imports nothing of `fer_tf`.
"""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

SUBPIXEL_BITS = 4
"""Binary places of the pixel coordinates that are handed to OpenCV."""


def ellipse(x: float, y: float, width: float, height: float, count: int = 20) -> np.ndarray:
    """Outline, float [count, 2], of an ellipse given by its middle and its half axes."""
    angles = np.arange(count) * (2 * np.pi / count)
    return np.stack([x + width * np.cos(angles), y + height * np.sin(angles)], axis=1)


def rounded(
    left: float, top: float, right: float, bottom: float, radius: float, count: int = 5
) -> np.ndarray:
    """Outline, float [4 * count, 2], of a rectangle with round corners."""
    angles = np.linspace(0, np.pi / 2, count)
    arc = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    inner = (left + radius, top + radius, right - radius, bottom - radius)
    corners = ((inner[2], inner[3]), (inner[0], inner[3]), (inner[0], inner[1]), inner[2:0:-1])
    rotations = ([[1, 0], [0, 1]], [[0, 1], [-1, 0]], [[-1, 0], [0, -1]], [[0, -1], [1, 0]])
    return np.concatenate([arc @ r + c for r, c in zip(rotations, corners, strict=True)])


def smooth(points: Sequence, closed: bool = True, times: int = 2) -> np.ndarray:
    """An outline or an open line with its corners cut off (Chaikin), float [N, 2]."""
    points = np.asarray(points, float)
    for _ in range(times):
        following = np.roll(points, -1, axis=0)
        cut = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], axis=1)
        cut = cut.reshape(-1, 2)
        points = cut if closed else np.concatenate([points[:1], cut[1:-3], points[-1:]])
    return points


def curve(points: Sequence, closed: bool = False) -> np.ndarray:
    """A smooth curve through control points (Catmull-Rom), six points a segment, float [N, 2]."""
    points = np.asarray(points, float)
    return _spline_weights(len(points), closed, 6) @ points


def shape_mask(
    points: np.ndarray,
    size: int,
    margin: float = 0,
    thickness: int | None = None,
    closed: bool = False,
) -> tuple[tuple[slice, slice], np.ndarray]:
    """Rasterise an outline, or with `thickness` a line, within a square picture.

    Args:
        points: int32 [N, 2], pixels times 2**`SUBPIXEL_BITS`.
        size: side of the picture in pixels.
        margin: pixels to be kept free around the shape.
        thickness: width of the line in pixels.
        closed: whether the line returns to its first point.

    Returns:
        The part of the picture that contains the shape, and the shape there, uint8 0 or 255; the
        part is empty where the shape lies outside the picture.
    """
    left, top, width, height = cv2.boundingRect(points)
    scale, margin = 2**SUBPIXEL_BITS, int(margin) + (thickness or 0) + 2
    right, bottom = (left + width) // scale + margin, (top + height) // scale + margin
    left, top = max(left // scale - margin, 0), max(top // scale - margin, 0)
    right, bottom = max(min(right, size), left), max(min(bottom, size), top)
    mask = np.zeros((bottom - top, right - left), np.uint8)
    if mask.size:
        points = points - np.array([left * scale, top * scale], np.int32)
        if thickness is None:
            cv2.fillPoly(mask, [points], 255, shift=SUBPIXEL_BITS)
        else:
            cv2.polylines(mask, [points], closed, 255, thickness, shift=SUBPIXEL_BITS)
    return (slice(top, bottom), slice(left, right)), mask


@lru_cache
def _spline_weights(count: int, closed: bool, steps: int) -> np.ndarray:
    """Weights [m, count] that turn control points into a Catmull-Rom curve of m points."""
    segments = count if closed else count - 1
    rows = []
    for segment in range(segments):
        neighbours = [segment - 1, segment, segment + 1, segment + 2]
        if closed:
            neighbours = [index % count for index in neighbours]
        else:
            neighbours = [min(max(index, 0), count - 1) for index in neighbours]
        for t in np.linspace(0, 1, steps, endpoint=False):
            row = np.zeros(count)
            weights = (
                (-t + 2 * t**2 - t**3) / 2,
                (2 - 5 * t**2 + 3 * t**3) / 2,
                (t + 4 * t**2 - 3 * t**3) / 2,
                (t**3 - t**2) / 2,
            )
            for index, weight in zip(neighbours, weights, strict=True):
                row[index] += weight
            rows.append(row)
    if not closed:
        rows.append(np.eye(count)[-1])
    return np.array(rows)
