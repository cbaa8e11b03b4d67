"""JAFFE: gray 256x256 portraits in one folder, the label in the file's name."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from fer_tf.data.sources.archive import (
    find_files,
    images_among,
    index_by_name,
    nothing_found,
    read_whole_picture,
)
from fer_tf.errors import UserError
from fer_tf.expressions import EXPRESSIONS
from fer_tf.faces.face import Face, crop_to_face
from fer_tf.faces.preprocessing import to_face

NAME = "jaffe"

INSTRUCTIONS = (
    "JAFFE (Lyons, Akamatsu, Kamachi and Gyoba 1998, 'Coding Facial Expressions with Gabor "
    "Wavelets') is given by its authors on request, for research that is not commercial, at "
    "zenodo.org/records/3451524, and may not be passed on; put its pictures, named like "
    f"KA.AN1.39.tiff, into <raw-dir>/{NAME}/."
)

CODES = {
    "AN": "Anger",
    "DI": "Disgust",
    "FE": "Fear",
    "HA": "Happiness",
    "NE": "Normal",
    "SA": "Sadness",
    "SU": "Surprise",
}

FILE_NAME = re.compile(r"([A-Z]{2})\.*([A-Z]{2})(\d)\.*(\d+)\.+TIFF?", re.IGNORECASE)
"""Person, expression, take and serial. Copies in circulation lack a dot or double it."""


def read(folder: Path, map: Callable = map) -> Iterator[Face]:
    """Read all portraits, each cropped to its face, in the order of their names.

    Args:
        folder: contains the TIFF files, at any depth; files that are no images are ignored.
        map: replaces the built-in for the pictures; it may use threads but must keep the order.

    Yields:
        Faces named like "jaffe/KA.AN1.39", of subject "jaffe/KA".

    Raises:
        UserError: no image, an image whose name is not understood, two files of one name, or,
            while iterating, an image that is not whole or cannot be decoded.
    """
    files = find_files(folder, NAME)
    images = images_among(files)
    if not images:
        raise nothing_found(folder, files, "no image", NAME)
    paths = index_by_name((_name(path), path) for path in images)
    yield from map(_read_face, paths.items())


def _name(path: Path) -> str:
    """Name of a portrait as the official archive has it, without suffix: "KA.AN1.39"."""
    match = FILE_NAME.fullmatch(path.name)
    if not match or match[2].upper() not in CODES:
        raise UserError(
            f"JAFFE: file name {path} received, a name like KA.AN1.39.tiff expected (person, "
            f"one of {' '.join(CODES)} and take, serial); restore the name or remove the file."
        )
    person, code, take, serial = (part.upper() for part in match.groups())
    return f"{person}.{code}{take}.{serial}"


def _read_face(name_and_path: tuple[str, Path]) -> Face:
    name, path = name_and_path
    square, _ = crop_to_face(read_whole_picture(path))
    label = EXPRESSIONS.index(CODES[name[3:5]])
    return Face(f"{NAME}/{name}", to_face(square), label, NAME, f"{NAME}/{name[:2]}")
