"""JAFFE: gray 256x256 portraits in one folder, the label in the file's name."""

import re
from collections.abc import Iterator
from pathlib import Path

from fer_tf.errors import InputError
from fer_tf.expressions import EXPRESSIONS
from fer_tf.faces import Face, crop_to_face, read_picture
from fer_tf.preprocessing import to_face
from fer_tf.sources.archive import has_files, image_files, require_files

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

# Person, expression, take and serial. Copies in circulation lack a dot here or double it there.
_FILE_NAME = re.compile(r"([A-Z]{2})\.*([A-Z]{2})(\d)\.*(\d+)\.+TIFF?", re.IGNORECASE)


def is_present(folder: Path) -> bool:
    """Tell whether the folder holds anything to read, complete or not."""
    return has_files(folder)


def read(folder: Path) -> Iterator[Face]:
    """Read all portraits, each cropped to its face, in the order of their names.

    Args:
        folder: holds the TIFF files, at any depth; files that are no images are ignored.

    Yields:
        Faces named like "jaffe/KA.AN1.39", of subject "jaffe/KA".

    Raises:
        InputError: no image, an image whose name is not understood or that cannot be decoded, or
            two files of one name.
    """
    require_files(folder, INSTRUCTIONS)
    paths: dict[str, Path] = {}
    for path in image_files(folder):
        match = _FILE_NAME.fullmatch(path.name)
        if not match or match[2].upper() not in CODES:
            raise InputError(
                f"JAFFE: file name {path} received, a name like KA.AN1.39.tiff expected (person, "
                f"one of {' '.join(CODES)} and take, serial); restore the name or remove the file."
            )
        person, code, take, serial = (part.upper() for part in match.groups())
        name = f"{person}.{code}{take}.{serial}"
        if name in paths:
            raise InputError(f"JAFFE: {paths[name]} and {path} are both {name}; remove one.")
        paths[name] = path
    if not paths:
        raise InputError(f"{folder} holds no image. {INSTRUCTIONS}")
    for name, path in sorted(paths.items()):
        person, code = name[:2], name[3:5]
        square, _ = crop_to_face(read_picture(path))
        label = EXPRESSIONS.index(CODES[code])
        yield Face(f"{NAME}/{name}", to_face(square), label, NAME, f"{NAME}/{person}")
