"""The two teachers of `tools.eye_prior`: a slow cascade search and views that agree."""

import cv2
import numpy as np

from fer_tf.faces.face import FACE_SIZE
from fer_tf.occlusion.eye_regressor import (
    LESS,
    EyePrior,
    align,
    from_left,
    invert,
    restart,
    transform,
)
from tools.eye_views import motion

# The slow search: three times enlarged, eyes of these shares of the face in its upper part.
_ENLARGED = 3 * FACE_SIZE
_SIZES = (0.16, 0.42)
_LOWEST = 0.7
_AGREED = 2.0  # pixels, between a face and its mirror image

_OPINIONS = 7  # views of one face, whose mean deviation from their median is the spread
_SPREAD = 1.0
_SPREAD_AGAINST = 0.7  # enough to overrule the cascade
_SAME = 2.5  # pixels between the two teachers
_DOUBTFUL = 0.2
# Other starts of the second teacher, which goes on to the end from each, as (x, y, turn, scale).
_RESTARTS = (
    (0, 8, 0, 1),
    (0, -6, 0, 1),
    (6, 2, 0, 1),
    (-6, 2, 0, 1),
    (0, 14, 0, 1),
    (0, 0, 30, 1),
    (0, 0, -30, 1),
    (0, 4, 0, 0.7),
)


def search_slowly(face: np.ndarray, cascade: cv2.CascadeClassifier) -> np.ndarray | None:
    """Both eyes float64 [2, 2] where a face uint8 [48, 48] and its mirror image agree."""
    large = cv2.resize(face, (_ENLARGED, _ENLARGED), interpolation=cv2.INTER_CUBIC)
    pair = _best_pair(*_detect(large, cascade))
    mirror_image = _best_pair(*_detect(cv2.flip(large, 1), cascade))
    if pair is None or mirror_image is None:
        return None
    mirror_image = mirror_image[::-1].copy()
    mirror_image[:, 0] = FACE_SIZE - 1 - mirror_image[:, 0]
    return (pair + mirror_image) / 2 if np.abs(pair - mirror_image).max() <= _AGREED else None


def agreed_eyes(prior: EyePrior, face: np.ndarray, rng: np.random.Generator):
    """Estimate the eyes in views of a face uint8 [48, 48].

    Returns:
        The median float64 [2, 2] and the spread in pixels.
    """
    opinions = []
    for number in range(_OPINIONS):
        mirrored = bool(number % 2)
        scale = np.exp(rng.uniform(-0.15, 0.15))
        turn = rng.uniform(-20, 20)
        matrix = motion(turn, (scale, scale), rng.uniform(-3, 3, 2), mirrored)
        eyes = transform(invert(matrix), _estimate_thoroughly(prior, align(face, matrix)))
        opinions.append(eyes[::-1] if mirrored else eyes)
    median = np.median(opinions, axis=0)
    return median, float(np.abs(opinions - median).mean(axis=0).max())


def merge_teachers(
    searched: np.ndarray | None, agreed: np.ndarray, spread: float
) -> np.ndarray | None:
    """The eyes float64 [2, 2] to learn from, or None where nothing is sure."""
    if searched is None:
        return agreed if spread < _SPREAD else None
    if np.abs(searched - agreed).max() < _SAME:
        return (searched + agreed) / 2
    return agreed if spread < _SPREAD_AGAINST else None


def _estimate_thoroughly(prior: EyePrior, face: np.ndarray) -> np.ndarray:
    """Do as `EyePrior.estimate`, but go on to the end from every other start."""
    first = prior.descend(face, prior.first(face))
    eyes, doubt = first, prior.judge(face, first)
    if doubt > _DOUBTFUL:
        for other in _RESTARTS:
            end = prior.descend(face, restart(first, other))
            less = prior.judge(face, end)
            if less < doubt - LESS:
                eyes, doubt = end, less
    return from_left(eyes)


def _detect(large: np.ndarray, cascade: cv2.CascadeClassifier) -> tuple[np.ndarray, np.ndarray]:
    """Boxes float [K, 4] in pixels of the 48 and weights [K], of an enlarged face."""
    smallest, largest = (int(share * _ENLARGED) for share in _SIZES)
    boxes, _, weights = cascade.detectMultiScale3(
        large[: int(_LOWEST * _ENLARGED)],
        scaleFactor=1.05,
        minNeighbors=2,
        minSize=(smallest, smallest),
        maxSize=(largest, largest),
        outputRejectLevels=True,
    )
    return np.array(boxes, float).reshape(-1, 4) * FACE_SIZE / _ENLARGED, np.ravel(weights)


def _best_pair(boxes: np.ndarray, weights: np.ndarray) -> np.ndarray | None:
    """Centres [2, 2] of the heaviest pair that is nearly level, usually wide and of one size."""
    centres = boxes[:, :2] + boxes[:, 2:] / 2 - 0.5
    best, most = None, -np.inf
    for left, (size, weight) in enumerate(zip(boxes[:, 2], weights, strict=True)):
        for right, (other_size, other_weight) in enumerate(zip(boxes[:, 2], weights, strict=True)):
            distance, rise = centres[right] - centres[left]
            if not (12 <= distance <= 30 and abs(rise) <= 0.45 * distance):
                continue
            if max(size, other_size) > 1.5 * min(size, other_size):
                continue
            if centres[left, 0] > FACE_SIZE / 2 or centres[right, 0] < FACE_SIZE / 2 - 1:
                continue
            odd = 0.15 * abs(rise) + 0.1 * abs(size - other_size) + 0.15 * abs(distance - 20)
            odd += 0.1 * abs(centres[[left, right], 1].mean() - 18)
            if weight + other_weight - odd > most:
                best, most = centres[[left, right]], weight + other_weight - odd
    return best
