"""The two teachers of `tools.eye_prior`: a slow cascade search and views that agree."""

import cv2
import numpy as np

from fer_tf.faces.face import FACE_SIZE
from fer_tf.occlusion.eye_regressor import (
    IMPROVEMENT,
    EyePrior,
    align,
    from_left,
    invert,
    restart,
    transform,
)
from tools.eye_views import motion

# The slow search enlarges the face three times and looks for eyes with sides of these shares of the
# face, in its upper part.
_ENLARGED = 3 * FACE_SIZE
_SIZES = (0.16, 0.42)
_UPPER_PART = 0.7
_MIRROR_DIFFERENCE = 2.0  # pixels at most between a face and its mirror image

_VIEWS = 7  # views of one face; the mean deviation of their estimates from the median is the spread
_SPREAD = 1.0  # pixels at most
_SPREAD_AGAINST = 0.7  # pixels at most where the second teacher contradicts the first
_SAME = 2.5  # pixels at most between the two teachers
_UNCERTAIN = 0.2
# Further starts of the second teacher, each corrected to the end, as (x, y, turn, scale).
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
    """Find both eyes, float64 [2, 2], if a face uint8 [48, 48] and its mirror image agree."""
    large = cv2.resize(face, (_ENLARGED, _ENLARGED), interpolation=cv2.INTER_CUBIC)
    pair = _best_pair(*_detect(large, cascade))
    mirror_image = _best_pair(*_detect(cv2.flip(large, 1), cascade))
    if pair is None or mirror_image is None:
        return None
    mirror_image = mirror_image[::-1].copy()
    mirror_image[:, 0] = FACE_SIZE - 1 - mirror_image[:, 0]
    return (
        (pair + mirror_image) / 2
        if np.abs(pair - mirror_image).max() <= _MIRROR_DIFFERENCE
        else None
    )


def agreed_eyes(prior: EyePrior, face: np.ndarray, rng: np.random.Generator):
    """Estimate the eyes in views of a face uint8 [48, 48].

    Returns:
        The median of the estimates, float64 [2, 2], and their spread in pixels.
    """
    estimates = []
    for number in range(_VIEWS):
        mirrored = bool(number % 2)
        scale = np.exp(rng.uniform(-0.15, 0.15))
        turn = rng.uniform(-20, 20)
        matrix = motion(turn, (scale, scale), rng.uniform(-3, 3, 2), mirrored)
        eyes = transform(invert(matrix), _estimate_thoroughly(prior, align(face, matrix)))
        estimates.append(eyes[::-1] if mirrored else eyes)
    median = np.median(estimates, axis=0)
    return median, float(np.abs(estimates - median).mean(axis=0).max())


def merge_teachers(
    searched: np.ndarray | None, agreed: np.ndarray, spread: float
) -> np.ndarray | None:
    """Combine the teachers' eyes, float64 [2, 2]; None where they are uncertain or disagree."""
    if searched is None:
        return agreed if spread < _SPREAD else None
    if np.abs(searched - agreed).max() < _SAME:
        return (searched + agreed) / 2
    return agreed if spread < _SPREAD_AGAINST else None


def _estimate_thoroughly(prior: EyePrior, face: np.ndarray) -> np.ndarray:
    """Estimate as `EyePrior.estimate` does, but correct every further start to the end."""
    first = prior.descend(face, prior.first(face))
    eyes, uncertainty = first, prior.judge(face, first)
    if uncertainty > _UNCERTAIN:
        for move in _RESTARTS:
            end = prior.descend(face, restart(first, move))
            end_uncertainty = prior.judge(face, end)
            if end_uncertainty < uncertainty - IMPROVEMENT:
                eyes, uncertainty = end, end_uncertainty
    return from_left(eyes)


def _detect(large: np.ndarray, cascade: cv2.CascadeClassifier) -> tuple[np.ndarray, np.ndarray]:
    """Boxes float [K, 4] in pixels of the 48x48 face and weights [K], from an enlarged face."""
    smallest, largest = (int(share * _ENLARGED) for share in _SIZES)
    boxes, _, weights = cascade.detectMultiScale3(
        large[: int(_UPPER_PART * _ENLARGED)],
        scaleFactor=1.05,
        minNeighbors=2,
        minSize=(smallest, smallest),
        maxSize=(largest, largest),
        outputRejectLevels=True,
    )
    return np.array(boxes, float).reshape(-1, 4) * FACE_SIZE / _ENLARGED, np.ravel(weights)


def _best_pair(boxes: np.ndarray, weights: np.ndarray) -> np.ndarray | None:
    """Centres [2, 2] of the pair with the highest weight that looks like two eyes of one face."""
    centres = boxes[:, :2] + boxes[:, 2:] / 2 - 0.5
    best, best_score = None, -np.inf
    for left, (size, weight) in enumerate(zip(boxes[:, 2], weights, strict=True)):
        for right, (other_size, other_weight) in enumerate(zip(boxes[:, 2], weights, strict=True)):
            distance, rise = centres[right] - centres[left]
            if not (12 <= distance <= 30 and abs(rise) <= 0.45 * distance):
                continue
            if max(size, other_size) > 1.5 * min(size, other_size):
                continue
            if centres[left, 0] > FACE_SIZE / 2 or centres[right, 0] < FACE_SIZE / 2 - 1:
                continue
            penalty = 0.15 * abs(rise) + 0.1 * abs(size - other_size) + 0.15 * abs(distance - 20)
            penalty += 0.1 * abs(centres[[left, right], 1].mean() - 18)
            if weight + other_weight - penalty > best_score:
                best, best_score = centres[[left, right]], weight + other_weight - penalty
    return best
