"""The three ways a face is covered: upper half, lower half or eyes (the paper's section 3.1)."""

import numpy as np

from fer_tf.eyes import USUAL_EYES, find_eyes
from fer_tf.faces import FACE_SIZE

__all__ = [
    "ANY_OCCLUSION",
    "DATABASES",
    "OCCLUSIONS",
    "RECOGNISED",
    "USUAL_EYES",
    "find_eyes",
    "occlude",
    "visible_pixels",
    "visible_rows",
]

OCCLUSIONS = ("upper", "lower", "eyes")
"""Kinds of occlusion."""

RECOGNISED = ("none", *OCCLUSIONS)
"""What OcclusionNet tells apart, in the order of its logits."""

DATABASES = {"concat_db": "upper", "bconcat_db": "lower", "eye_cdb": "eyes"}
"""Database -> its kind of occlusion: the paper's ConcatDB, BConcatDB and eyeCDB."""

ANY_OCCLUSION = "any_occlusion"
"""Name of a model that recognises the occlusion and asks the networks of that database."""

_HALF = FACE_SIZE // 2
_ALL = (0, FACE_SIZE)
_VISIBLE_ROWS = {
    "upper": (_HALF, FACE_SIZE),
    "lower": (0, _HALF),
    "eyes": _ALL,
    "none": _ALL,
    "mixed": _ALL,
}


def visible_rows(kind: str) -> tuple[int, int]:
    """First row that is left uncovered and the row after the last, 0 to 48.

    Args:
        kind: one of `OCCLUSIONS`, "none", or "mixed", which is any of these.
    """
    return _VISIBLE_ROWS[kind]


def visible_pixels(kind: str) -> np.ndarray:
    """Which pixels are left uncovered without looking for eyes, bool [48, 48, 1].

    Args:
        kind: one of `OCCLUSIONS`, or "none"; "eyes" covers the boxes of `USUAL_EYES`.
    """
    image = np.ones((FACE_SIZE, FACE_SIZE, 1), np.uint8)
    return (image if kind == "none" else occlude(image, kind, USUAL_EYES)).astype(bool)


def occlude(image: np.ndarray, kind: str, boxes: np.ndarray | None = None) -> np.ndarray:
    """Blacken a part of a face.

    Args:
        image: uint8 [48, 48] or [48, 48, 1].
        kind: one of `OCCLUSIONS`: "upper" covers rows 0 to 23, "lower" rows 24 to 47, "eyes" the
            boxes.
        boxes: int [2, 4] of `find_eyes`, to save searching again; "eyes" alone uses it.

    Returns:
        A copy of the image, the covered pixels 0.
    """
    if kind not in OCCLUSIONS:
        raise ValueError(f"Occlusion {kind!r} received, one of {', '.join(OCCLUSIONS)} expected.")
    image = image.copy()
    if kind == "eyes":
        if boxes is None:
            boxes, _ = find_eyes(image.reshape(FACE_SIZE, FACE_SIZE))
        for x, y, width, height in boxes:
            image[y : y + height, x : x + width] = 0
    else:
        start, stop = visible_rows(kind)
        image[:start] = 0
        image[stop:] = 0
    return image
