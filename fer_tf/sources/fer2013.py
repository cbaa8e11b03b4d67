"""FER2013: one csv file whose rows hold a label, 48x48 gray values and a usage."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fer_tf.errors import InputError
from fer_tf.expressions import EXPRESSIONS
from fer_tf.faces import FACE_SIZE, Face
from fer_tf.sources.archive import has_files, image_files, require_files

NAME = "fer2013"

INSTRUCTIONS = (
    "FER2013 (Goodfellow et al. 2013, arXiv 1307.0414) is handed out by Kaggle, competition "
    "'challenges-in-representation-learning-facial-expression-recognition-challenge', to "
    "everybody who accepts its rules; put its fer2013.csv, or its icml_face_data.csv which holds "
    f"the same faces, into <raw-dir>/{NAME}/."
)

TABLES = ("fer2013.csv", "fer2013/fer2013.csv", "icml_face_data.csv")
"""Where the table may stand; the second is what unpacking fer2013.tar.gz on the spot gives."""

COLUMNS = ("emotion", "pixels", "Usage")

USAGES = ("Training", "PublicTest", "PrivateTest")

CODES = {
    "0": "Anger",
    "1": "Disgust",
    "2": "Fear",
    "3": "Happiness",
    "4": "Sadness",
    "5": "Surprise",
    "6": "Normal",
}

_AGAIN = "the file was cut or changed: unpack it again"


def is_present(folder: Path) -> bool:
    """Tell whether the folder holds anything to read, complete or not."""
    return has_files(folder)


def read(folder: Path) -> Iterator[Face]:
    """Read all rows, whatever their usage, in the order of the file.

    Args:
        folder: holds one of `TABLES`; columns are found by their names, blanks around them ignored.

    Yields:
        Faces named "fer2013/<row>", rows counted from 0 without the header. No subject is known.

    Raises:
        InputError: no table or two, another header, no rows, or a malformed row, named by its line.
    """
    path = _find_table(folder)
    # A byte that is no text becomes one that is no digit, and its line is named below.
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        lines = csv.reader(file)
        try:
            columns = _find_columns(next(lines, []), path)
            row = 0
            for fields in filter(None, lines):
                where = f"{path}, line {lines.line_num}"
                if len(fields) <= max(columns):
                    raise InputError(
                        f"{where}: {len(fields)} columns received, at least {max(columns) + 1} "
                        f"expected; {_AGAIN}."
                    )
                code, pixels, usage = (fields[column].strip() for column in columns)
                if usage not in USAGES:
                    raise InputError(
                        f"{where}: Usage {usage!r} received, one of {', '.join(USAGES)} expected; "
                        f"{_AGAIN}."
                    )
                yield Face(f"{NAME}/{row}", _image(pixels, where), _label(code, where), NAME)
                row += 1
        except csv.Error as error:
            raise InputError(f"{path}, line {lines.line_num}: {error}; {_AGAIN}.") from error
    if row == 0:
        raise InputError(f"{path} holds a header and no rows; {_AGAIN}.")


def _find_table(folder: Path) -> Path:
    require_files(folder, INSTRUCTIONS)
    found = [name for name in TABLES if (folder / name).is_file()]
    if len(found) > 1:
        raise InputError(
            f"{folder} holds {' and '.join(found)}, the same faces more than once; keep "
            f"{found[0]} and remove the rest."
        )
    if not found:
        images = image_files(folder)
        held = f"images ({images[0].relative_to(folder)}) but no table" if images else "no table"
        raise InputError(
            f"{folder} holds {held}, fer2013.csv or icml_face_data.csv expected; copies sorted "
            f"into class folders are not read, the csv file is needed. {INSTRUCTIONS}"
        )
    return folder / found[0]


def _find_columns(header: list[str], path: Path) -> list[int]:
    if not header:
        raise InputError(f"{path} is empty or begins with an empty line; {_AGAIN}.")
    names = [name.strip() for name in header]
    if not set(COLUMNS) <= set(names):
        received = ",".join(names)
        raise InputError(
            f"{path}, line 1: header {received[:60]!r} received, the columns {','.join(COLUMNS)} "
            "expected; put the original file in its place."
        )
    return [names.index(column) for column in COLUMNS]


def _label(code: str, where: str) -> int:
    if code not in CODES:
        raise InputError(
            f"{where}: emotion {code!r} received, a code from 0 to 6 expected; {_AGAIN}."
        )
    return EXPRESSIONS.index(CODES[code])


def _image(pixels: str, where: str) -> np.ndarray:
    try:
        # 2 s for the whole file, against 6 s by str.split and np.array.
        values = np.fromstring(pixels, dtype=np.int64, sep=" ")
    except ValueError:
        raise InputError(
            f"{where}: pixels that are no whole numbers received, {FACE_SIZE**2} numbers from 0 "
            f"to 255 expected; {_AGAIN}."
        ) from None
    if values.size != FACE_SIZE**2:
        raise InputError(
            f"{where}: {values.size} pixels received, {FACE_SIZE**2} expected; {_AGAIN}."
        )
    if values.min() < 0 or values.max() > 255:
        wrong = values[(values < 0) | (values > 255)][0]
        raise InputError(f"{where}: pixel {wrong} received, 0 to 255 expected; {_AGAIN}.")
    return values.astype(np.uint8).reshape(FACE_SIZE, FACE_SIZE)
