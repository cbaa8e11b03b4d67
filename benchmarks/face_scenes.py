"""Pictures whose faces are known, uncovered and with drawn occluders, for `face_detection.py`."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from fer_tf.data.sources import fer2013
from fer_tf.faces.face import FACE_SIZE, Square, crop_square, read_picture
from fer_tf.faces.preprocessing import to_face
from fer_tf.occlusion.eye_regressor import ALIGNED_EYES, load_prior
from fer_tf.occlusion.occluders.photo import OCCLUDERS

ENLARGED = 4
CERTAIN = 0.3  # Highest uncertainty of the eyes of a face of FER2013 that is used.
LONGEST = 1000  # Longest side of marked photographs in pixels, as in the largest of the others.


class Scene(NamedTuple):
    """A picture and the faces in it.

    Attributes:
        image: uint8 [H, W, 3] BGR.
        faces: true squares of the faces to be covered and found.
        eyes: for each of them float [2, 2], the left and the right eye in the picture, (x, y).
        others: (x, y) between the eyes of faces that need not be found.
    """

    image: np.ndarray
    faces: list[Square]
    eyes: list[np.ndarray]
    others: list[np.ndarray] = []


def estimated_scene(image: np.ndarray, faces: list[Square]) -> Scene:
    """A scene of faces without marked eyes; the eyes are estimated."""
    eyes = []
    for square in faces:
        estimate, _ = load_prior().estimate(to_face(crop_square(image, square)))
        eyes.append((estimate + 0.5) * square.side / FACE_SIZE + square[:2])
    return Scene(image, faces, eyes)


def marked_scenes(folder: Path, table: Path) -> Iterator[Scene]:
    """Read photographs with eyes marked by hand, reduced to `LONGEST`."""
    rows: dict[str, list[dict]] = {}
    with table.open(newline="") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["file"], []).append(row)
    for name, marks in rows.items():
        image = read_picture(folder / name)
        scale = min(1, LONGEST / max(image.shape[:2]))
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        scene = Scene(image, [], [], [])
        for mark in marks:
            columns = ("left_x", "left_y", "right_x", "right_y")
            eyes = scale * np.array([float(mark[column]) for column in columns]).reshape(2, 2)
            if mark["frontal"] == "1":
                scene.faces.append(square_around(eyes))
                scene.eyes.append(eyes)
            else:
                scene.others.append(eyes.mean(axis=0))
        yield scene


def square_around(eyes: np.ndarray) -> Square:
    """The square by which FER2013 would have been cropped."""
    across = eyes[1] - eyes[0]
    unit = np.hypot(*across) / (ALIGNED_EYES[1, 0] - ALIGNED_EYES[0, 0])
    down = np.array([-across[1], across[0]]) / np.hypot(*across)
    centre = eyes.mean(axis=0) + (FACE_SIZE / 2 - 0.5 - ALIGNED_EYES[0, 1]) * unit * down
    side = FACE_SIZE * unit
    return Square(*map(round, centre - side / 2), round(side))


def fer2013_scenes(raw_dir: Path, count: int) -> list[Scene]:
    """Scenes of one face each, in gray, which fills the picture and whose eyes are certain."""
    images = np.stack([face.image for face in fer2013.read(raw_dir / fer2013.NAME)])
    chosen = []
    for row in np.random.default_rng(0).permutation(len(images)):
        if len(chosen) < count and load_prior().estimate(images[row])[1] <= CERTAIN:
            large = cv2.resize(images[row], None, fx=ENLARGED, fy=ENLARGED)
            square = Square(0, 0, len(large))
            chosen.append(estimated_scene(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR), [square]))
    return chosen


def covered(scene: Scene) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (kind, picture): uncovered, then with each occluder in each shade."""
    yield "uncovered", scene.image
    for kind, (draw, shades) in OCCLUDERS.items():
        for colour in shades.values():
            picture = scene.image.copy()
            for eyes in scene.eyes:
                draw(picture, eyes, colour)
            yield kind, picture
