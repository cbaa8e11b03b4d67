"""KDEF: colour portraits from five angles in 140 folders, of which the frontal ones are read."""

import re
from collections.abc import Iterator
from pathlib import Path

from fer_tf.errors import InputError
from fer_tf.expressions import EXPRESSIONS
from fer_tf.faces import Face, crop_to_face, read_picture
from fer_tf.preprocessing import to_face
from fer_tf.sources.archive import has_files, image_files, require_files

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

# Session, person (sex and number), expression, angle.
_FILE_NAME = re.compile(r"([AB])([FM]\d\d)([A-Z]{2})(FL|HL|S|HR|FR)\.JPE?G", re.IGNORECASE)


def is_present(folder: Path) -> bool:
    """Tell whether the folder holds anything to read, complete or not."""
    return has_files(folder)


def read(folder: Path) -> Iterator[Face]:
    """Read the frontal portraits, each cropped to its face, in the order of their names.

    Args:
        folder: holds the JPEG files, at any depth. The averaged faces that come along in a folder
            AKDEF, the other four angles and files that are no images are left out.

    Yields:
        Faces named like "kdef/AF01ANS", of subject "kdef/F01": both sessions, A and B, show the
        same person.

    Raises:
        InputError: no frontal image, an image whose name is not understood or that cannot be
            decoded, or two files of one name.
    """
    require_files(folder, INSTRUCTIONS)
    paths: dict[str, Path] = {}
    for path in image_files(folder):
        if path.name.upper() in MISNAMED_PROFILES or _is_averaged(path.relative_to(folder)):
            continue
        match = _FILE_NAME.fullmatch(path.name)
        if not match or match[3].upper() not in CODES:
            raise InputError(
                f"KDEF: file name {path} received, a name like AF01ANS.JPG expected (session A or "
                f"B, sex F or M, person, one of {' '.join(CODES)}, angle FL HL S HR or FR); "
                "restore the name or remove the file."
            )
        if match[4].upper() != FRONTAL:
            continue
        name = path.stem.upper()
        if name in paths:
            raise InputError(f"KDEF: {paths[name]} and {path} are both {name}; remove one.")
        paths[name] = path
    if not paths:
        raise InputError(f"{folder} holds no frontal picture (angle {FRONTAL}). {INSTRUCTIONS}")
    for name, path in sorted(paths.items()):
        person, code = name[1:4], name[4:6]
        square, _ = crop_to_face(read_picture(path))
        label = EXPRESSIONS.index(CODES[code])
        yield Face(f"{NAME}/{name}", to_face(square), label, NAME, f"{NAME}/{person}")


def _is_averaged(path: Path) -> bool:
    return any(part.upper() == "AKDEF" for part in path.parts)
