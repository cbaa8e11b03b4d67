"""KDEF: colour portraits from five angles in 140 folders, of which the frontal ones are read."""

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

NAME = "kdef"

INSTRUCTIONS = (
    "KDEF (Lundqvist, Flykt and Ohman 1998, Karolinska Institutet) is given by its owners on "
    "request, for research that is not commercial, at kdef.se, and may not be passed on; put its "
    f"140 folders, as in <raw-dir>/{NAME}/AF01/AF01ANS.JPG, into <raw-dir>/{NAME}/."
)

CODES = {
    "AF": "Fear",
    "AN": "Anger",
    "DI": "Disgust",
    "HA": "Happiness",
    "NE": "Normal",
    "SA": "Sadness",
    "SU": "Surprise",
}

FRONTAL = "S"

MISNAMED_PROFILES = ("AF31V.JPG", "AM31H.JPG")
"""Two profiles whose names are incomplete in the official archive."""

FILE_NAME = re.compile(r"([AB])([FM]\d\d)([A-Z]{2})(FL|HL|S|HR|FR)\.JPE?G", re.IGNORECASE)
"""Session, person (sex and number), expression, angle."""


def read(folder: Path, map: Callable = map) -> Iterator[Face]:
    """Read the frontal portraits, each cropped to its face, in the order of their names.

    Args:
        folder: contains the JPEG files, at any depth. The averaged faces in a folder AKDEF, the
            other four angles and files that are no images are ignored.
        map: replaces the built-in for the pictures; it may use threads but must keep the order.

    Yields:
        Faces named like "kdef/AF01ANS", of subject "kdef/F01": both sessions, A and B, show the
        same person.

    Raises:
        UserError: no frontal image, an image whose name is not understood, two files of one name,
            or, while iterating, an image that is not whole or cannot be decoded.
    """
    files = find_files(folder, NAME)
    images = images_among(files)
    of_one_person = [path for path in images if not _is_averaged(path.relative_to(folder))]
    frontal = [(path.stem.upper(), path) for path in of_one_person if _is_frontal(path)]
    if not frontal:
        if of_one_person:
            lack = f"{len(of_one_person)} pictures from other angles and no frontal picture"
        elif images:
            lack = "the averaged faces (AKDEF) alone and no frontal picture"
        else:
            lack = "no frontal picture"
        raise nothing_found(folder, files, f"{lack} (angle {FRONTAL})", NAME)
    yield from map(_read_face, index_by_name(frontal).items())


def _is_averaged(path: Path) -> bool:
    return any(part.upper() == "AKDEF" for part in path.parts)


def _is_frontal(path: Path) -> bool:
    if path.name.upper() in MISNAMED_PROFILES:
        return False
    match = FILE_NAME.fullmatch(path.name)
    if not match or match[3].upper() not in CODES:
        raise UserError(
            f"KDEF: file name {path} received, a name like AF01ANS.JPG expected (session A or "
            f"B, sex F or M, person, one of {' '.join(CODES)}, angle FL HL S HR or FR); "
            "restore the name or remove the file."
        )
    return match[4].upper() == FRONTAL


def _read_face(name_and_path: tuple[str, Path]) -> Face:
    name, path = name_and_path
    square, _ = crop_to_face(read_whole_picture(path))
    label = EXPRESSIONS.index(CODES[name[4:6]])
    return Face(f"{NAME}/{name}", to_face(square), label, NAME, f"{NAME}/{name[1:4]}")
