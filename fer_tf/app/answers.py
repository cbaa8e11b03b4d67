"""What the page says of a picture: every face as it is, and one with each mask."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fer_tf.app.models import Models
from fer_tf.errors import UserError
from fer_tf.faces.face import Square, decode_picture
from fer_tf.faces.pictures import Picture
from fer_tf.inference.predict import Prediction, faces_of, prediction_of
from fer_tf.occlusion.eyes import find_eyes
from fer_tf.occlusion.kinds import OCCLUSIONS
from fer_tf.occlusion.occlude import occlude

MOST_BYTES = 20 * 2**20
"""Of a picture file."""

MOST_FACES = 64
"""The largest ones of a picture are answered."""

SHOWN_SIDE = 960
"""Pixels of the longer side at which a picture is kept and shown."""

NONE = "none"
_TITLES = ("upper half covered", "lower half covered", "eyes covered")
MASKS = {NONE: "as it is", **dict(zip(OCCLUSIONS, _TITLES, strict=True))}
"""How a face is covered -> what it is called."""


@dataclass(frozen=True)
class Seen:
    """A picture in which the faces were found.

    Attributes:
        name: of the file.
        image: uint8 [H, W, 3], BGR, at most `SHOWN_SIDE` long.
        faces: pairs of a square in `image`, None where no face was found, and uint8 [48, 48].
    """

    name: str
    image: np.ndarray
    faces: list[tuple[Square | None, np.ndarray]]


@dataclass(frozen=True)
class Answer:
    """What a model says of a face that is covered in one way.

    Attributes:
        mask: a key of `MASKS`.
        face: uint8 [48, 48], as the model is asked.
        prediction: of it.
        attention: float [48, 48], what the subnet on the path looks at, where the model tells it.
    """

    mask: str
    face: np.ndarray
    prediction: Prediction
    attention: np.ndarray | None = None


def look_at(data: bytes, name: str) -> Seen:
    """Finds the faces in a picture file.

    Args:
        data: the file.
        name: what messages call it.

    Raises:
        UserError: it is too large or no picture, see `fer_tf.faces.face.decode_picture`.
    """
    if len(data) > MOST_BYTES:
        raise UserError(
            f"{name} has {len(data) / 2**20:.1f} MB, {MOST_BYTES // 2**20} MB are allowed; "
            "choose a smaller picture."
        )
    image = decode_picture(data, name)
    faces = faces_of(Picture(name, image))[:MOST_FACES]
    scale = min(1, SHOWN_SIDE / max(image.shape[:2]))
    size = [max(1, round(scale * length)) for length in image.shape[1::-1]]
    shown = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return Seen(name, shown, [(square and _scaled(square, scale), face) for square, face in faces])


def read_upload(path: Path) -> Seen:
    """Finds the faces in an uploaded file, which is removed whatever comes of it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path.name} did not arrive whole; choose it again.") from error
    finally:
        path.unlink(missing_ok=True)
    return look_at(data, path.name)


def answer(
    models: Models, name: str, seen: Seen, chosen: int
) -> tuple[list[Prediction], list[Answer]]:
    """Asks a model about all faces of a picture and about one of them with each mask.

    Args:
        models: whom to ask.
        name: of the model.
        seen: the picture.
        chosen: number of the face that is covered, from 0.

    Returns:
        A prediction for each face as it is; an answer for each of `MASKS`.

    Raises:
        UserError: the model or the server is not there any more.
    """
    covers = models.occlusion(name)
    asked = [(NONE, square, face) for square, face in seen.faces]
    asked += [(mask, *seen.faces[chosen]) for mask in MASKS]
    images = np.stack([covered(face, (mask, covers)) for mask, _, face in asked])
    rows = models.answer(name, images)
    predictions = [
        prediction_of(rows, row, seen.name, square) for row, (_, square, _) in enumerate(asked)
    ]
    count = len(seen.faces)
    maps = models.attention(name, images[count:])
    answers = []
    for number, mask in enumerate(MASKS):
        row = count + number
        attention = None if maps is None else maps[number]
        answers.append(Answer(mask, images[row], predictions[row], attention))
    return predictions[:count], answers


def covered(face: np.ndarray, masks: Sequence[str]) -> np.ndarray:
    """A face under several masks, the eyes looked for before the first covers them.

    Args:
        face: uint8 [48, 48].
        masks: what is no occlusion covers nothing.
    """
    boxes = find_eyes(face)[0] if "eyes" in masks else None
    for mask in masks:
        if mask in OCCLUSIONS:
            face = occlude(face, mask, boxes)
    return face


def _scaled(square, scale):
    return Square(round(scale * square.x), round(scale * square.y), round(scale * square.side))
