"""Draws a model's answers for the faces in a picture into the picture."""

from collections.abc import Sequence

import cv2
import numpy as np

from fer_tf.expressions import PATHS
from fer_tf.inference.prediction import Prediction
from fer_tf.occlusion.kinds import OCCLUSIONS

COLOURS = dict(zip(PATHS, ((80, 200, 80), (60, 60, 230), (230, 160, 40)), strict=True))
"""BGR colour of a box by the path taken: green, red, blue."""

LETTERS = 1 / 7
"""Height of a line of text as a share of the face's side."""

LEAST_LETTERS, MOST_LETTERS = 11, 40
"""Height of a line of text in pixels."""

MAP_COLOUR = (255, 0, 255)
"""BGR colour of the pixels that a network weighs, magenta: no box and no skin has it."""

MAP_SHARE = 0.6
"""Weight of `MAP_COLOUR` where it is strongest."""

_COVERED = {"none": "uncovered"} | {kind: f"{kind} covered" for kind in OCCLUSIONS}
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_HEIGHT = 32  # pixels of a line at scale 1


def annotate(image: np.ndarray, predictions: Sequence[Prediction]) -> np.ndarray:
    """Draw a box around each face, with its expression, probability, path and recognised occlusion.

    In a video the face's identity is drawn before its expression.

    Args:
        image: uint8 [H, W, 3], BGR.
        predictions: those of its faces, in any order. Where no face was found the centred square
            gets the box. Attention, where a prediction has it, is laid over the face, see
            `with_attention`.

    Returns:
        A new picture of the same shape.
    """
    picture = image.copy()
    for prediction in predictions:
        if prediction.attention is not None:
            _lay_over(picture, prediction.area(image.shape), prediction.attention)
    for prediction in predictions:  # After all attention, so that none hides a text.
        _draw(picture, prediction)
    return picture


def _draw(picture, prediction):
    square = prediction.area(picture.shape)
    colour = COLOURS[prediction.path]
    letters = int(np.clip(LETTERS * square.side, LEAST_LETTERS, MOST_LETTERS))
    ends = (square.x, square.y), (square.x + square.side - 1, square.y + square.side - 1)
    cv2.rectangle(picture, *ends, colour, 2 * _stroke(letters))
    number = f"{prediction.identity}: " if prediction.identity else ""
    lines = [
        f"{number}{prediction.label} {prediction.probability:.2f}",
        f"path {prediction.path} {prediction.path_probabilities[prediction.path]:.2f}",
    ]
    if prediction.occlusion is not None:
        covered = prediction.occlusion_probabilities[prediction.occlusion]
        lines.append(f"{_COVERED[prediction.occlusion]} {covered:.2f}")
    if prediction.square is None:
        lines.append("no face found")
    width = _width(lines, letters)
    if width > picture.shape[1]:  # Smaller letters, so that a narrow picture does not cut them.
        letters = max(LEAST_LETTERS, int(letters * picture.shape[1] / width))
        width = _width(lines, letters)
    scale, stroke = letters / _FONT_HEIGHT, _stroke(letters)
    height = letters * len(lines) + letters // 2
    # Below the box, or as far down as the picture reaches.
    x = int(np.clip(square.x, 0, max(0, picture.shape[1] - width)))
    y = int(np.clip(square.y + square.side, 0, max(0, picture.shape[0] - height)))
    cv2.rectangle(picture, (x, y), (x + width, y + height), colour, cv2.FILLED)
    for row, line in enumerate(lines, start=1):
        place = (x + letters // 4, y + row * letters)
        cv2.putText(picture, line, place, _FONT, scale, (255, 255, 255), stroke, cv2.LINE_AA)


def with_attention(face: np.ndarray, attention: np.ndarray) -> np.ndarray:
    """A face in which the pixels that a network weighs are magenta.

    Args:
        face: uint8 [H, W, 3], BGR.
        attention: float [h, w], 0 to 1; 0.5, the face's mean, and less add no colour.

    Returns:
        A new picture of the same shape.
    """
    level = cv2.resize(np.asarray(attention, np.float32), face.shape[1::-1])[..., np.newaxis]
    weight = MAP_SHARE * np.clip(2 * level - 1, 0, 1)
    return np.uint8(np.rint((1 - weight) * face + weight * np.float32(MAP_COLOUR)))


def _width(lines, letters):
    """Pixels that lines of text take, with a margin."""
    fit = letters / _FONT_HEIGHT, _stroke(letters)
    return max(cv2.getTextSize(line, _FONT, *fit)[0][0] for line in lines) + letters // 2


def _stroke(letters):
    return max(1, letters // 9)


def _lay_over(picture, square, attention):
    """Colour the part of a picture inside a square."""
    left, top = max(0, -square.x), max(0, -square.y)  # Pixels outside the picture.
    part = picture[square.y + top : square.y + square.side]
    part = part[:, square.x + left : square.x + square.side]
    face = np.zeros((square.side, square.side, 3), np.uint8)
    place = np.s_[top : top + part.shape[0], left : left + part.shape[1]]
    face[place] = part
    part[:] = with_attention(face, attention)[place]
