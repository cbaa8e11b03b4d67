"""Occluders drawn into a face, by which OcclusionNet learns how a face is covered."""

from collections.abc import Callable

import numpy as np

from fer_tf.occluder_canvas import Canvas, rounded, smooth
from fer_tf.occlusion import occlude


def draw_occluder(
    face: np.ndarray,
    boxes: np.ndarray,
    kind: str,
    random: np.random.Generator,
    name: str | None = None,
) -> np.ndarray:
    """Covers a face in one of many ways, or leaves it uncovered.

    Args:
        face: uint8 [48, 48], uncovered.
        boxes: int [2, 4] of `fer_tf.occlusion.find_eyes`.
        kind: one of `fer_tf.occlusion.RECOGNISED`; of "none" there are things that cover nothing
            that counts, e.g. clear glasses.
        random: decides on what is drawn and how.
        name: the occluder, a key of `OCCLUDERS[kind]`; by default `random` chooses.

    Returns:
        A new picture, uint8 [48, 48].
    """
    occluders = OCCLUDERS[kind]
    if name is None:
        weights = np.array([weight for weight, _ in occluders.values()], float)
        name = list(occluders)[random.choice(len(weights), p=weights / weights.sum())]
    _, draw = occluders[name]
    return draw(face, boxes, random)


def _black(kind):
    return lambda face, boxes, random: occlude(face, kind, boxes)


def _drawn(draw: Callable[[Canvas], None]):
    def apply(face, boxes, random):
        eyes = boxes[:, :2] + (boxes[:, 2:] - 1) / 2
        canvas = Canvas(face, eyes + random.normal(0, 0.4, (2, 2)), random)
        draw(canvas)
        return canvas.result()

    return apply


def headset(canvas: Canvas) -> None:
    """A VR headset."""
    half, top, bottom = canvas.uniform(17, 23), canvas.uniform(5, 10), canvas.uniform(25, 30)
    canvas.fill(rounded(24 - half, top, 24 + half, bottom, 4), canvas.texture(canvas.shade()))


def surgical_mask(canvas: Canvas) -> None:
    """A surgical mask."""
    top, side = canvas.uniform(23, 28), canvas.uniform(4, 8)
    outline = [(24, top), (48 - side, top + 4), (38, 46), (24, 51), (10, 46), (side, top + 4)]
    canvas.fill(smooth(outline), canvas.texture(canvas.shade()))


def strip(canvas: Canvas) -> None:
    """A bar over both eyes."""
    half, middle = canvas.uniform(3.5, 6), canvas.uniform(17, 19)
    canvas.fill(rounded(4, middle - half, 44, middle + half, 1), canvas.texture(canvas.shade()))


OCCLUDERS = {
    "none": {"nothing": (1, lambda face, boxes, random: face.copy())},
    "upper": {"black": (1, _black("upper")), "headset": (3, _drawn(headset))},
    "lower": {"black": (1, _black("lower")), "surgical mask": (3, _drawn(surgical_mask))},
    "eyes": {"black": (1, _black("eyes")), "strip": (3, _drawn(strip))},
}
"""Kind -> name of an occluder -> how often it is drawn, relative, and how."""
