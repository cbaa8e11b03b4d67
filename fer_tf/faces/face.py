"""A labelled face, and how a frontal face is found in a picture and cropped to a square."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from fer_tf.errors import UserError
from fer_tf.faces import picture_formats

FACE_SIZE = 48
"""Side of every stored face in pixels (the paper's section 3.1)."""


@dataclass(frozen=True)
class Face:
    """One labelled face as a reader yields it, before any occlusion.

    Attributes:
        id: unique and stable, "<source>/<name within the source>", e.g. "kdef/AF01ANS".
        image: uint8 [48, 48], gray, 0 to 255.
        expression: label 0 to 6, an index into `fer_tf.expressions.EXPRESSIONS`.
        source: "fer2013", "jaffe", "kdef", "raf_db" or "drawn".
        subject: the person, unique over all sources ("kdef/F01"), or "" where unknown.
    """

    id: str
    image: np.ndarray
    expression: int
    source: str
    subject: str = ""


class Square(NamedTuple):
    """A square in a picture, in pixels; it may reach over the picture's border.

    Attributes:
        x: column of the left edge.
        y: row of the upper edge.
        side: width and height.
    """

    x: int
    y: int
    side: int


CASCADE = "haarcascade_frontalface_default.xml"
"""OpenCV's frontal face detector, window 24x24.

It needs the eyes: from eight frontal faces it finds five when a mask is drawn over the lower half,
two with black sunglasses and none with a VR headset. It finds no profiles. This cascade crops the
training faces; `fer_tf.faces.detector` finds the faces in photographs that are classified.
"""

SMALLEST_FACE = 1 / 12
"""Shortest side of a face that is searched for, as a share of the picture's shorter side."""

# A face needs this many votes (overlapping hits) at a scale step of 1.05. On photographs of adults
# the eight frontal faces have 22 to 183 votes; hands, cloth and walls have at most 13.
_SCALE_STEP = 1.05
_VOTES = 15

# The border is continued by a tenth so that faces which touch it are found: on the same photographs
# the weakest face rises from 14 to 22 votes.
_BORDER = 0.1

_detectors = threading.local()


def find_faces(image: np.ndarray, smallest: float = SMALLEST_FACE) -> list[Square]:
    """Find frontal, upright faces.

    The squares are those of the Haar cascade, unchanged. FER2013 was cropped by the same kind of
    detector: on 350 of its faces, enlarged and continued at the border, the median square is 0.984
    of the picture and off its centre by less than 0.002.

    Args:
        image: uint8 [H, W] gray or [H, W, 3] BGR. Histogram equalisation does not find more faces.
        smallest: shortest side searched for, as a share of the picture's shorter side. The time
            grows with the inverse square of this share, hardly with the picture's size: 0.4 s at
            1/12.

    Returns:
        Squares, largest first. Where the centre of one is inside another, only the square with
        more votes is returned.
    """
    gray = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    short = min(gray.shape)
    border = int(_BORDER * short)
    least = int(smallest * short)
    boxes, votes = _detector().detectMultiScale2(
        cv2.copyMakeBorder(gray, border, border, border, border, cv2.BORDER_REPLICATE),
        scaleFactor=_SCALE_STEP,
        minNeighbors=_VOTES,
        minSize=(least, least),
    )
    # Sorted by all numbers, because the detector's threads return boxes in any order.
    candidates = sorted((-int(n), *map(int, box)) for n, box in zip(votes, boxes, strict=True))
    faces: list[Square] = []
    for _, x, y, side, _ in candidates:
        face = Square(x - border, y - border, side)
        if not any(holds_centre(kept, face) or holds_centre(face, kept) for kept in faces):
            faces.append(face)
    return sorted(faces, key=lambda face: (-face.side, face))


def crop_square(image: np.ndarray, square: Square) -> np.ndarray:
    """Cut a square out of a picture; outside the picture its border pixels are repeated.

    Args:
        image: [H, W] or [H, W, C], any dtype.
        square: the part to cut out.

    Returns:
        A copy, [side, side] or [side, side, C], same dtype.
    """
    rows = np.arange(square.y, square.y + square.side).clip(0, image.shape[0] - 1)
    columns = np.arange(square.x, square.x + square.side).clip(0, image.shape[1] - 1)
    return image[np.ix_(rows, columns)]


def crop_to_face(image: np.ndarray) -> tuple[np.ndarray, bool]:
    """Cut out the largest face, or the largest centred square where no face is found.

    Args:
        image: uint8 [H, W] gray or [H, W, 3] BGR.

    Returns:
        The square picture, of the same dtype and channels, and whether a face was found.
    """
    # A portrait's face is large, and a search for large faces takes 40 ms instead of 200.
    for smallest in (1 / 4, SMALLEST_FACE):
        if faces := find_faces(image, smallest):
            return crop_square(image, faces[0]), True
    return crop_square(image, centred_square(image.shape)), False


def centred_square(shape: tuple[int, ...]) -> Square:
    """The largest centred square of a picture of the shape (height, width, ...)."""
    height, width = shape[:2]
    side = min(height, width)
    return Square((width - side) // 2, (height - side) // 2, side)


def read_picture(path: Path) -> np.ndarray:
    """Read a picture file, see `decode_picture`.

    Raises:
        UserError: the file is missing, a folder, unreadable, empty, cut short or no picture.
    """
    try:
        # Through bytes, because cv2.imread fails on names outside ASCII on some systems.
        data = Path(path).read_bytes()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}); name a picture file."
        ) from error
    return decode_picture(data, path)


def decode_picture(data: bytes, name: str | Path) -> np.ndarray:
    """Decode a picture and turn it upright.

    Args:
        data: a JPEG, PNG, TIFF, BMP, WebP, GIF, JPEG 2000, PPM or AVIF file; HEIC too where the
            package pillow-heif is installed.
        name: the picture's name in messages.

    Returns:
        uint8 [H, W, 3], BGR; turned upright by EXIF (AVIF and HEIC by their boxes `irot` and
        `imir`), gray repeated over the channels, 16 bits reduced to 8, transparency ignored.

    Raises:
        UserError: it is empty, cut short, no picture or larger than
            `fer_tf.faces.picture_formats.MOST_PICTURE_PIXELS`, checked before it is decoded.
    """
    image = picture_formats.decode(data, name)
    if image is None:
        raise UserError(
            f"{name} ({len(data)} bytes) is no picture that can be decoded; a whole JPEG, PNG, "
            "TIFF, BMP or WebP file is expected: save or copy it again."
        )
    return image


def _detector() -> cv2.CascadeClassifier:
    """Load the cascade once per thread, because two threads must not use one object."""
    if not hasattr(_detectors, "faces"):
        _detectors.faces = cv2.CascadeClassifier(cv2.data.haarcascades + CASCADE)
    return _detectors.faces


def holds_centre(square: Square, other: Square) -> bool:
    """Whether the centre of another square is in the first."""
    x, y = other.x + other.side / 2, other.y + other.side / 2
    return 0 <= x - square.x < square.side and 0 <= y - square.y < square.side
