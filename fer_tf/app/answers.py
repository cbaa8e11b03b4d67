"""The page's answers for a picture: for every face as it is, and for one with each mask."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from fer_tf.app.models import Models
from fer_tf.errors import UserError
from fer_tf.faces.face import Square, decode_picture
from fer_tf.faces.pictures import Picture
from fer_tf.inference.predict import faces_of
from fer_tf.inference.prediction import Prediction
from fer_tf.occlusion.eyes import find_eyes
from fer_tf.occlusion.kinds import OCCLUSIONS
from fer_tf.occlusion.occlude import occlude

MOST_BYTES = 20 * 2**20
"""Size of a picture file."""

FACES_SHOWN = 64
"""Faces of a picture that are answered, the largest ones."""

SHOWN_SIDE = 960
"""Pixels of the longer side of a picture that is kept and shown."""

NONE = "none"
_TITLES = ("upper half covered", "lower half covered", "eyes covered")
MASKS = {NONE: "as it is", **dict(zip(OCCLUSIONS, _TITLES, strict=True))}
"""How a face is covered -> what it is called."""


@dataclass(frozen=True)
class PictureWithFaces:
    """A picture and the faces that were found in it.

    Attributes:
        name: the file's name.
        image: uint8 [H, W, 3], BGR, at most `SHOWN_SIDE` long.
        faces: pairs of a square in `image`, None where no face was found, and uint8 [48, 48].
    """

    name: str
    image: np.ndarray
    faces: list[tuple[Square | None, np.ndarray]]


@dataclass(frozen=True)
class Answer:
    """The prediction for a face that is covered by one mask.

    Attributes:
        mask: a key of `MASKS`.
        face: uint8 [48, 48], as the model gets it.
        prediction: the answer.
    """

    mask: str
    face: np.ndarray
    prediction: Prediction


def look_at(data: bytes, name: str) -> PictureWithFaces:
    """Find the faces in a picture file.

    Args:
        data: the file's bytes.
        name: the file's name in messages.

    Raises:
        UserError: if it is too large or no picture, see `fer_tf.faces.face.decode_picture`.
    """
    if len(data) > MOST_BYTES:
        raise UserError(
            f"{name} has {len(data) / 2**20:.1f} MB, {MOST_BYTES // 2**20} MB are allowed; "
            "choose a smaller picture."
        )
    image = decode_picture(data, name)
    faces = faces_of(Picture(name, image))[:FACES_SHOWN]
    scale = min(1, SHOWN_SIDE / max(image.shape[:2]))
    size = [max(1, round(scale * length)) for length in image.shape[1::-1]]
    shown = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    scaled = [(square and _scaled(square, scale), face) for square, face in faces]
    return PictureWithFaces(name, shown, scaled)


def read_upload(path: Path) -> PictureWithFaces:
    """Find the faces in an uploaded file, which is removed in any case."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path.name} did not arrive whole; choose it again.") from error
    finally:
        path.unlink(missing_ok=True)
    return look_at(data, path.name)


def answer(
    models: Models, name: str, picture: PictureWithFaces, chosen: int
) -> tuple[list[Prediction], list[Answer]]:
    """Predict all faces of a picture, and one of them with each mask.

    Args:
        models: the models that the page offers.
        name: the model's name.
        picture: the picture.
        chosen: number of the face that is covered, from 0.

    Returns:
        A prediction for each face as it is; an answer for each of `MASKS`.

    Raises:
        UserError: if the model or the server is no longer available.
    """
    trained_without = models.occlusion(name)
    faces = [(NONE, square, face) for square, face in picture.faces]
    faces += [(mask, *picture.faces[chosen]) for mask in MASKS]
    images = np.stack([covered(face, (mask, trained_without)) for mask, _, face in faces])
    outputs = models.answer(name, images)
    predictions = [
        outputs.prediction(row, picture.name, square) for row, (_, square, _) in enumerate(faces)
    ]
    count = len(picture.faces)
    attention = models.attention(name, images[count:])
    if attention is None:
        attention = [None] * len(MASKS)
    masked = zip(MASKS, images[count:], predictions[count:], attention, strict=True)
    return predictions[:count], [
        Answer(mask, image, replace(prediction, attention=attention_map))
        for mask, image, prediction, attention_map in masked
    ]


def covered(face: np.ndarray, masks: Sequence[str]) -> np.ndarray:
    """A face under several masks; eyes are searched for before any mask covers them.

    Args:
        face: uint8 [48, 48].
        masks: kinds of occlusion; any other word covers nothing.
    """
    boxes = find_eyes(face)[0] if "eyes" in masks else None
    for mask in masks:
        if mask in OCCLUSIONS:
            face = occlude(face, mask, boxes)
    return face


def _scaled(square, scale):
    return Square(round(scale * square.x), round(scale * square.y), round(scale * square.side))
