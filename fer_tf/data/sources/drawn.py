"""The source of drawn faces, which needs no download.

With drawn faces every stage runs within minutes on a fresh machine, and the tests draw their
archives. Results on drawn faces show that the program works; they predict nothing about real faces.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from fer_tf.data.sources.drawing.canvas import Canvas, View
from fer_tf.data.sources.drawing.head import paint_head
from fer_tf.data.sources.drawing.people import choose_movements, make_person
from fer_tf.expressions import EXPRESSIONS
from fer_tf.faces.face import FACE_SIZE, Face

NAME = "drawn"


def read(
    folder: Path | None = None, persons: int = 120, takes: int = 5, map: Callable = map
) -> Iterator[Face]:
    """Draw every person with every expression, `takes` times.

    Args:
        folder: not used; readers of other sources need it.
        persons: number of persons, at least 1.
        takes: number of pictures of each person and expression, at least 1.
        map: not used; readers of other sources need it.

    Yields:
        Faces with ids like "drawn/p017-anger-2" and subjects like "drawn/p017".
    """
    for subject in range(persons):
        person = f"{NAME}/p{subject:03d}"
        for expression, name in enumerate(EXPRESSIONS):
            for take in range(takes):
                image = draw_face(subject, expression, take)
                yield Face(f"{person}-{name.lower()}-{take}", image, expression, NAME, person)


def draw_face(
    subject: int, expression: int, take: int, size: int = FACE_SIZE, colour: bool = False
) -> np.ndarray:
    """Draw a face that fills its square, as FER2013's and RAF-DB's do.

    Equal arguments give equal pictures. `subject` decides which person is drawn; `subject`,
    `expression` and `take` together decide variant and strength of the expression, pose, light,
    sharpness and noise.

    Args:
        subject: number of the person, 0 or more.
        expression: label 0 to 6.
        take: number of the picture of this person and expression, 0 or more.
        size: side of the square in pixels.
        colour: whether to keep the colours.

    Returns:
        uint8 [size, size], gray, or [size, size, 3], blue, green, red.
    """
    rng = _picture_rng(subject, expression, take)
    view = View(
        centre=(0.5 + rng.normal(0, 0.025), 0.4 + rng.normal(0, 0.025)),
        unit=0.385 * np.exp(rng.normal(0, 0.06)),
        roll=np.radians(rng.normal(0, 6)),
        yaw=float(np.clip(rng.normal(0, 0.09), -0.2, 0.2)),
        pitch=rng.normal(0, 0.04),
    )
    image = _draw(subject, expression, rng, view, 3 * size, colour)
    image = cv2.GaussianBlur(image, (0, 0), size / FACE_SIZE * rng.uniform(0.5, 2.4))
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    gain, offset = np.exp(rng.normal(0, 0.2)), rng.normal(0, 15)
    noise = rng.normal(0, rng.uniform(1, 6), image.shape)
    return _to_uint8((image - 128.0) * gain + 128 + offset + noise)


def draw_portrait(subject: int, expression: int, take: int, size: int = 256) -> np.ndarray:
    """Draw head and shoulders, as in JAFFE and KDEF, so that the face has to be detected.

    Arguments as in `draw_face`.

    Returns:
        uint8 [size, size, 3], blue, green, red.
    """
    rng = _picture_rng(subject, expression, take)
    view = View(
        centre=(0.5 + rng.normal(0, 0.02), 0.42 + rng.normal(0, 0.01)),
        unit=0.18 * np.exp(rng.normal(0, 0.04)),
        roll=np.radians(rng.normal(0, 2)),
        yaw=rng.normal(0, 0.03),
        pitch=rng.normal(0, 0.02),
    )
    image = _draw(subject, expression, rng, view, 2 * size, colour=True)
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    return _to_uint8(image + rng.normal(0, 2, image.shape))


def _picture_rng(subject: int, expression: int, take: int) -> np.random.Generator:
    # The leading 1 separates these seeds from those of persons, which begin with 0: NumPy ignores
    # zeros at the end of a seed.
    return np.random.default_rng([1, subject, expression, take])


def _draw(
    subject: int, expression: int, rng: np.random.Generator, view: View, size: int, colour: bool
) -> np.ndarray:
    """Draw the picture before it is reduced and degraded: uint8 [size, size] or [size, size, 3]."""
    background = _background(size, rng)
    if not colour:
        background = cv2.cvtColor(background, cv2.COLOR_BGR2GRAY)
    canvas = Canvas(background, view)
    light = (float(np.clip(rng.normal(0, 0.5), -1, 1)), rng.uniform(-0.6, 0.2))
    contrast = rng.uniform(0.35, 0.8)
    movements = choose_movements(expression, rng)
    paint_head(canvas, make_person(subject), movements, light, contrast, rng)
    return canvas.image


def _background(size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw soft patches of light: uint8 [size, size, 3]."""
    patches = rng.uniform(-35, 35, (3, 3, 1)) + rng.uniform(40, 200) + rng.uniform(-12, 12, 3)
    patches = np.clip(patches, 0, 255).astype(np.float32)
    return cv2.resize(patches, (size, size)).astype(np.uint8)


def _to_uint8(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
