"""Black occlusions as in the paper's three databases (section 3.1)."""

import numpy as np

from fer_tf.faces.face import FACE_SIZE
from fer_tf.occlusion.eyes import USUAL_EYES, find_eyes
from fer_tf.occlusion.kinds import OCCLUSIONS, visible_rows


def visible_pixels(kind: str) -> np.ndarray:
    """The pixels that an occlusion leaves visible in every face, bool [48, 48, 1].

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
        boxes: int [2, 4] of `find_eyes`, used by "eyes" alone; searched for when None.

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
