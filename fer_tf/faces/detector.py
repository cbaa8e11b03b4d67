"""The face detector for photographs: uncovered and partly covered faces, on OpenCV's runtime.

The network is BlazeFace (Bazarevsky et al. 2019, arXiv 1907.05047), MediaPipe's model for a
phone's back camera, Apache-2.0. Its weights, 0.3 MB, come with `fer_tf`: the folder `weights` names
their source and contains their licence. Nothing is downloaded.

`benchmarks/face_detection.py` compares it with the Haar cascade of `fer_tf.faces.face` and other
detectors.
"""

import functools
import threading
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from fer_tf.faces.face import SMALLEST_FACE, Square, holds_centre

_WEIGHTS = Path(__file__).parent / "weights" / "face_detection_back.tflite"

LEAST_SCORE = 0.5
"""Score, 0 to 1, that a face has at least."""

SIDE = 256
"""Side in pixels of the network's input, a square."""

# The network's square reaches from the brows to the chin. The square of Haar's cascade, with which
# FER2013 was cropped, is this much larger and this share of the side higher.
_LARGER = 1.15
_UP = 0.09

# Three kinds of view are searched: the picture, the picture at half the size (which finds a face
# that fills it best), and tiles in which the smallest faces fill at least this share.
_SMALLEST_SHARE = 1 / 12
_FEWEST_PIXELS = 20  # Side of a face; in tiles for smaller faces the network finds nothing.
# Tiles overlap by this share of their side. A larger face may be cut by a tile, so that only a
# larger view, which shows it whole, counts for it.
_OVERLAP = 1 / 3
# A candidate above the first score is examined again, in the middle of views this many times its
# side. Its score is the mean over all views: leaves and folds of cloth look like faces in one only.
_FIRST_SCORE = 0.3
_MORE_VIEWS = (4, 8)
_SAME = 0.3  # Least intersection over union of two boxes of one face.

_OUTPUTS = ("classificators", "regressors")
_GRIDS = ((16, 2), (8, 6))  # Cells across and down, boxes in each.

_thread = threading.local()


class Find(NamedTuple):
    """A square that the network takes for a face.

    Attributes:
        score: 0 to 1.
        x: column of the centre, in pixels of the picture.
        y: row of the centre.
        side: of the square from the brows to the chin.
    """

    score: float
    x: float
    y: float
    side: float


def detect_faces(image: np.ndarray, smallest: float = SMALLEST_FACE) -> list[Square]:
    """Find faces, upright or a little tilted, frontal or turned, uncovered or partly covered.

    Args:
        image: uint8 [H, W] gray or [H, W, 3] BGR.
        smallest: shortest side searched for, as a share of the picture's shorter side. The time
            grows with its inverse square.

    Returns:
        Squares, largest first, of the size and place that Haar's cascade gives, because the
        training faces were cropped so. They may reach over the picture's border.
    """
    colour = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    candidates = []
    for view, largest_side in _views(colour.shape[:2], smallest):
        candidates += [find for find in _search(colour, view) if find.side <= largest_side]
    examined = sorted((_examine(colour, find) for find in _merge(candidates)), reverse=True)
    faces: list[Square] = []
    for find in examined:
        face = _haar_square(find)
        apart = not any(holds_centre(kept, face) or holds_centre(face, kept) for kept in faces)
        if find.score >= LEAST_SCORE and apart:
            faces.append(face)
    smallest_side = smallest * min(colour.shape[:2])
    large_enough = [face for face in faces if face.side >= smallest_side]
    return sorted(large_enough, key=lambda face: (-face.side, face))


def _haar_square(find: Find) -> Square:
    side = _LARGER * find.side
    corner = np.rint([find.x - side / 2, find.y - _UP * find.side - side / 2])
    return Square(*map(int, corner), round(side))


def _views(shape: tuple[int, int], smallest: float):
    """Pairs of a view (x, y, side) and the largest side of a face that counts in it."""
    side = float(max(shape))
    least = max(smallest * min(shape), _FEWEST_PIXELS)
    yield _centred(shape, 2 * side), np.inf
    yield _centred(shape, side), np.inf
    while side * _SMALLEST_SHARE > 1.01 * least:
        side /= 2
        for y in _starts(shape[0], side):
            for x in _starts(shape[1], side):
                yield (x, y, side), _OVERLAP * side


def _centred(shape, side):
    return (shape[1] - side) / 2, (shape[0] - side) / 2, side


def _starts(length, side):
    """The starts of tiles that cover a length."""
    if length <= side:
        return [(length - side) / 2]
    count = int(np.ceil((length - side) / ((1 - _OVERLAP) * side))) + 1
    return np.linspace(0, length - side, count)


def _search(image: np.ndarray, view: tuple[float, float, float]) -> list[Find]:
    """All that the network takes for faces in one view of a picture."""
    x, y, side = view
    blob = cv2.dnn.blobFromImage(_cut(image, view), 1 / 127.5, mean=(127.5,) * 3, swapRB=True)
    net = _network()
    net.setInput(blob)
    scores, boxes = net.forward(_OUTPUTS)
    scores = 1 / (1 + np.exp(-np.clip(scores.ravel(), -80, 80)))
    boxes = boxes[0, :, :3] / SIDE  # x and y from the cell's centre, and the side.
    boxes[:, :2] += _cell_centres()
    boxes = boxes * side + [x, y, 0]
    likely = scores >= _FIRST_SCORE
    rows = zip(scores[likely], boxes[likely], strict=True)
    return _merge([Find(score, *box) for score, box in rows])


def _examine(image: np.ndarray, find: Find) -> Find:
    """The mean of a find and of the finds at the same place in larger views."""
    finds = [find]
    for times in _MORE_VIEWS:
        side = times * find.side
        others = _search(image, (find.x - side / 2, find.y - side / 2, side))
        same = [other for other in others if _overlap(other, find) > _SAME]
        finds.append(same[0] if same else find._replace(score=0.0))
    scores, *boxes = np.array(finds).T
    return Find(scores.mean(), *np.average(boxes, axis=1, weights=scores))


def _cut(image: np.ndarray, view: tuple[float, float, float]) -> np.ndarray:
    """A view as uint8 [SIDE, SIDE, 3], black outside the picture."""
    x, y, side = view
    scale = SIDE / side
    left, top = max(0, int(x)), max(0, int(y))
    part = image[top : int(np.ceil(y + side)), left : int(np.ceil(x + side))]
    # Shrinking averages areas, so that large pictures do not turn into noise.
    size = [max(1, round(length * scale)) for length in part.shape[1::-1]]
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    part = cv2.resize(part, size, interpolation=interpolation)
    right, down = round((left - x) * scale), round((top - y) * scale)
    part = part[max(0, -down) :, max(0, -right) :]
    right, down = max(0, right), max(0, down)
    part = part[: SIDE - down, : SIDE - right]
    whole = np.zeros((SIDE, SIDE, 3), np.uint8)
    whole[down : down + part.shape[0], right : right + part.shape[1]] = part
    return whole


def _merge(finds: list[Find]) -> list[Find]:
    """One find for each face: the mean weighted by score, with the best score; best first."""
    remaining = sorted(finds, reverse=True)
    merged = []
    while remaining:
        best = remaining[0]
        same = [find for find in remaining if find is best or _overlap(find, best) > _SAME]
        scores, *boxes = np.array(same).T
        merged.append(Find(best.score, *np.average(boxes, axis=1, weights=scores)))
        remaining = [find for find in remaining if not any(find is other for other in same)]
    return merged


def _overlap(one: Find, other: Find) -> float:
    """Intersection over union."""
    across, down = (
        min(a + one.side / 2, b + other.side / 2) - max(a - one.side / 2, b - other.side / 2)
        for a, b in ((one.x, other.x), (one.y, other.y))
    )
    common = max(0.0, across) * max(0.0, down)
    return common / (one.side**2 + other.side**2 - common)


@functools.cache
def _cell_centres() -> np.ndarray:
    """Float [896, 2], (x, y) from 0 to 1, in the order of the network's outputs."""
    centres = []
    for cells, boxes in _GRIDS:
        y, x = (np.mgrid[:cells, :cells] + 0.5) / cells
        centres.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), boxes, axis=0))
    return np.concatenate(centres)


def _network() -> cv2.dnn.Net:
    """Load the network once per thread, because two threads must not use one object."""
    if not hasattr(_thread, "network"):
        _thread.network = cv2.dnn.readNetFromTFLite(str(_WEIGHTS))
    return _thread.network
