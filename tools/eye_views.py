"""Random views of a face for `tools.eye_prior`: turned, moved, darkened, its eyes hidden."""

import cv2
import numpy as np

from fer_tf.faces.face import FACE_SIZE
from fer_tf.occlusion.eye_regressor import align, transform

_MIDDLE = np.full(2, (FACE_SIZE - 1) / 2)


def random_view(
    face: np.ndarray, eyes: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one random view.

    Args:
        face: uint8 [48, 48].
        eyes: float [2, 2], (x, y) of both eyes.
        rng: source of random numbers.

    Returns:
        The view and the eyes in it, of the same types; the eye on the left of the view first.
    """
    turn = rng.normal(0, 16) if rng.random() < 0.8 else rng.uniform(-45, 45)
    scale = np.exp(rng.normal(0, 0.16))
    narrow = np.exp(rng.normal(0, 0.08))
    if rng.random() < 0.15:  # a head turned aside is narrower
        narrow *= rng.uniform(0.6, 1)
    shift = rng.normal(0, 2, 2) * (2.2 if rng.random() < 0.3 else 1)
    mirrored = rng.random() < 0.5
    view, eyes = move(face, eyes, turn, (scale * narrow, scale), shift, mirrored)
    view = _hide_eyes(_relight(view.astype(np.float32), rng), eyes, rng)
    return np.clip(np.rint(view), 0, 255).astype(np.uint8), eyes


def move(
    face: np.ndarray,
    eyes: np.ndarray,
    turn: float,
    scale: tuple[float, float],
    shift: np.ndarray,
    mirrored: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Turn a face (degrees, clockwise), scale it (x, y) about its middle, and shift it."""
    matrix = motion(turn, scale, shift, mirrored)
    eyes = transform(matrix, eyes)
    return align(face, matrix), eyes[::-1] if mirrored else eyes


def motion(
    turn: float, scale: tuple[float, float], shift: np.ndarray, mirrored: bool
) -> np.ndarray:
    """The affine matrix float64 [2, 3] of `move`; mirroring comes first."""
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag(scale)
    if mirrored:
        linear[:, 0] *= -1
    return np.column_stack([linear, _MIDDLE - linear @ _MIDDLE + shift])


def _relight(view: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    chance = rng.random()
    if chance < 0.3:
        view = 255 * (view / 255) ** np.exp(rng.normal(0.2, 0.4)) * rng.uniform(0.3, 1)
    elif chance < 0.4:  # from one side
        view = view * np.linspace(*rng.uniform(0.1, 1, 2), FACE_SIZE)
    if rng.random() < 0.2:
        view = cv2.GaussianBlur(view, (0, 0), rng.uniform(0.5, 1.5))
    if rng.random() < 0.3:
        view = view + rng.normal(0, rng.uniform(1, 8), view.shape)
    return np.clip(view, 0, 255).astype(np.float32)


def _hide_eyes(view: np.ndarray, eyes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    chance = rng.random()
    if chance < 0.1:
        _draw_glasses(view, eyes, cv2.FILLED, rng)
    elif chance < 0.16:
        _draw_glasses(view, eyes, 1, rng)
    elif chance < 0.18:  # a bar from side to side
        top, bottom = eyes[:, 1].min(), eyes[:, 1].max()
        top, bottom = int(top - rng.uniform(2, 5)), int(bottom + rng.uniform(2, 5))
        view[max(0, top) : max(0, bottom)] = rng.uniform(0, 255)
    elif chance < 0.21:  # a hand, hair or anything else, anywhere
        width, height = rng.integers(6, 20, 2)
        x, y = rng.integers(-4, 44, 2)
        view[max(0, y) : max(0, y + height), max(0, x) : max(0, x + width)] = rng.uniform(0, 255)
    return view


def _draw_glasses(
    view: np.ndarray, eyes: np.ndarray, thickness: int, rng: np.random.Generator
) -> None:
    left_to_right = eyes[1] - eyes[0]
    tilt = float(np.degrees(np.arctan2(left_to_right[1], left_to_right[0])))
    width = np.hypot(*left_to_right) * rng.uniform(0.6, 0.96)
    height = width * rng.uniform(0.55, 1)
    shade = rng.uniform(0, 60) if rng.random() < 0.5 else rng.uniform(0, 255)
    glasses = eyes + rng.normal(0, 1, 2) + [0, rng.uniform(0, 1.5)]
    for centre in glasses:
        ellipse = (tuple(map(float, centre)), (float(width), float(height)), tilt)
        cv2.ellipse(view, ellipse, shade, thickness, cv2.LINE_AA)
    bridge = (glasses[0] + share * left_to_right for share in (0.3, 0.7))
    begin, end = (tuple(map(int, np.rint(point))) for point in bridge)
    cv2.line(view, begin, end, shade, 1, cv2.LINE_AA)
