"""Both eyes of a face, estimated from the whole face, whether the eyes are visible or not.

A cascade of linear regressions (supervised descent, Xiong and De la Torre, CVPR 2013): the first
regression estimates both eyes from the whole face; each further one turns, scales and shifts the
face so that the estimated eyes come to fixed places, and corrects the estimate there. All read
histograms of oriented gradients. One more regression estimates the uncertainty, i.e. how wrong the
result is, from the aligned face. If the uncertainty is high, the search starts again elsewhere and
the least uncertain result wins.

Points are (x, y) in pixels, the centre of the top left pixel is (0, 0).
"""

import functools
import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fer_tf.faces.face import FACE_SIZE

ALIGNED_EYES = np.array([[14.5, 17.5], [32.5, 17.5]])
"""Left and right eye of an aligned face: the means in FER2013."""

CELLS = (6, 6, 4, 4)
"""Side of the histograms' cells in pixels for each regression: first robust, then exact."""

UNCERTAINTY_CELL = 6
"""Side of the cells that the uncertainty is estimated from."""

PRIOR = Path(__file__).with_name("eye_prior.npz")
"""The regressions' weights, made by `python -m tools.eye_prior`."""

_BINS = 9  # directions
# A pair of eyes that is tilted further, closer or wider apart is implausible: tilt and distance are
# limited to these values before the face is aligned.
_MAX_TILT = 1.2  # radians
_DISTANCES = (9.0, 32.0)

RESTARTS = (
    (0, 8, 0, 1),
    (0, -6, 0, 1),
    (6, 2, 0, 1),
    (-6, 2, 0, 1),
    (0, 14, 0, 0.8),
    (0, 2, 35, 1),
    (0, 2, -35, 1),
    (0, 6, 0, 0.7),
    (8, 8, 0, 0.8),
    (-8, 8, 0, 0.8),
)
"""Further starts, moved from the first result by (x, y, turn in degrees, scale)."""

IMPROVEMENT = 0.02
"""Another result is better if its uncertainty is lower by at least this."""

# One face in four is searched again. Its further starts are corrected once, and only the best two
# are corrected to the end: as good on the tuning labels as all of them, in half the time.
_UNCERTAIN = 0.25
_CONTINUED = 2

_thread = threading.local()


@dataclass(frozen=True)
class EyePrior:
    """The learnt weights.

    Attributes:
        steps: for each of `CELLS` float32 [number of features + 1, 4]: the corrections of
            (left x, left y, right x, right y); the last row is the constant.
        uncertainty: float32 [number of features + 1].
    """

    steps: tuple[np.ndarray, ...]
    uncertainty: np.ndarray

    def estimate(self, face: np.ndarray) -> tuple[np.ndarray, float]:
        """Estimate both eyes.

        Args:
            face: uint8 [48, 48], any content.

        Returns:
            eyes: float64 [2, 2], the eye on the left of the image first; may lie outside.
            uncertainty: about 0 for exact estimates, 1 for those off by 5 pixels or more.
        """
        eyes = self.descend(face, self.first(face))
        uncertainty = self.judge(face, eyes)
        if uncertainty > _UNCERTAIN:
            starts = [self.descend(face, restart(eyes, move), 1) for move in RESTARTS]
            for start in sorted(starts, key=lambda start: self.judge(face, start))[:_CONTINUED]:
                end = self.descend(face, start)
                end_uncertainty = self.judge(face, end)
                if end_uncertainty < uncertainty - IMPROVEMENT:
                    eyes, uncertainty = end, end_uncertainty
        return from_left(eyes), uncertainty

    def first(self, face: np.ndarray) -> np.ndarray:
        """Estimate both eyes, float64 [2, 2], by the first regression alone."""
        return _linear(features(face, CELLS[0]), self.steps[0]).reshape(2, 2)

    def descend(self, face: np.ndarray, eyes: np.ndarray, count: int | None = None) -> np.ndarray:
        """Correct an estimate float64 [2, 2] by the next `count` regressions, by default all."""
        for weights, cell in list(zip(self.steps[1:], CELLS[1:], strict=False))[:count]:
            matrix = alignment(eyes)
            correction = _linear(features(align(face, matrix), cell), weights).reshape(2, 2)
            eyes = transform(invert(matrix), transform(matrix, eyes) + correction)
        return eyes

    def judge(self, face: np.ndarray, eyes: np.ndarray) -> float:
        """Estimate the uncertainty of an estimate float64 [2, 2]."""
        aligned = align(face, alignment(eyes))
        return float(_linear(features(aligned, UNCERTAINTY_CELL), self.uncertainty))

    def save(self, path: Path) -> None:
        """Write the weights as a NumPy archive."""
        steps = {f"step_{number}": weights for number, weights in enumerate(self.steps)}
        with Path(path).open("wb") as file:
            np.savez_compressed(file, doubt=self.uncertainty, **steps)


@functools.cache
def load_prior(path: Path = PRIOR) -> EyePrior:
    """Read the weights that `EyePrior.save` wrote, once for each process."""
    with Path(path).open("rb") as file, np.load(file) as arrays:
        steps = tuple(arrays[f"step_{number}"] for number in range(len(CELLS)))
        return EyePrior(steps, arrays["doubt"])


def features(face: np.ndarray, cell: int) -> np.ndarray:
    """Histograms of oriented gradients of uint8 [48, 48], float32 [number of features]."""
    if not hasattr(_thread, "histograms"):
        _thread.histograms = {}
    if cell not in _thread.histograms:
        sizes = ((FACE_SIZE, FACE_SIZE), (2 * cell, 2 * cell), (cell, cell), (cell, cell))
        _thread.histograms[cell] = cv2.HOGDescriptor(*sizes, _BINS)
    return _thread.histograms[cell].compute(face).ravel()


def alignment(eyes: np.ndarray, places: np.ndarray = ALIGNED_EYES) -> np.ndarray:
    """The affine matrix that turns, scales and shifts eyes to two places on one level.

    Args:
        eyes: float [2, 2].
        places: float [2, 2]; reached exactly unless tilt or distance of the eyes is implausible.

    Returns:
        float64 [2, 3], an affine matrix for `transform` and `align`.
    """
    (x, y), (other_x, other_y) = eyes
    tilt = np.clip(np.arctan2(other_y - y, other_x - x), -_MAX_TILT, _MAX_TILT)
    distance = np.clip(np.hypot(other_x - x, other_y - y), *_DISTANCES)
    scale = (places[1, 0] - places[0, 0]) / distance
    cos, sin = scale * np.cos(tilt), scale * np.sin(tilt)
    turn = np.array([[cos, sin], [-sin, cos]])
    shift = places.mean(axis=0) - turn @ eyes.mean(axis=0)
    return np.column_stack([turn, shift])


def align(face: np.ndarray, matrix: np.ndarray, size: tuple[int, int] = (FACE_SIZE, FACE_SIZE)):
    """Transform a picture; outside, its border pixels repeat. `size` is (width, height)."""
    return cv2.warpAffine(
        face, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def transform(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Transform points float [N, 2] by an affine matrix [2, 3]."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def invert(matrix: np.ndarray) -> np.ndarray:
    """The affine matrix [2, 3] that undoes another."""
    return cv2.invertAffineTransform(matrix)


def move_eyes(
    eyes: np.ndarray, shift: tuple[float, float], turn: float, scale: float
) -> np.ndarray:
    """Shift, turn (radians) and scale both eyes about their middle."""
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    middle = eyes.mean(axis=0)
    return (eyes - middle) @ np.array([[cos, sin], [-sin, cos]]) + middle + shift


def restart(eyes: np.ndarray, move: tuple[float, float, float, float]) -> np.ndarray:
    """Move eyes float64 [2, 2] by one of `RESTARTS`."""
    x, y, turn, scale = move
    return move_eyes(eyes, (x, y), np.radians(turn), scale)


def from_left(eyes: np.ndarray) -> np.ndarray:
    """Order the eyes [2, 2] by their columns."""
    return eyes[np.argsort(eyes[:, 0], kind="stable")]


def _linear(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return values @ weights[:-1] + weights[-1]
