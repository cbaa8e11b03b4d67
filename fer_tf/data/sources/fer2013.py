"""FER2013: one csv file whose rows are a label, 48x48 gray values and a usage."""

import csv
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from os import SEEK_END
from pathlib import Path
from typing import TextIO

import numpy as np

from fer_tf.data.sources.archive import (
    find_files,
    images_among,
    nothing_found,
    refuse_no_text,
)
from fer_tf.errors import UserError
from fer_tf.expressions import EXPRESSIONS, find_label
from fer_tf.faces.face import FACE_SIZE, Face

NAME = "fer2013"

INSTRUCTIONS = (
    "FER2013 (Goodfellow et al. 2013, arXiv 1307.0414) is handed out by Kaggle, competition "
    "'challenges-in-representation-learning-facial-expression-recognition-challenge', to "
    "everybody who accepts its rules; put its fer2013.csv, or its icml_face_data.csv which holds "
    f"the same faces, into <raw-dir>/{NAME}/."
)

FILE_NAME = re.compile(r"(?:fer2013|icml_face_data)\.csv", re.IGNORECASE)
"""The two names of the table: in the archive fer2013.tar.gz, and beside that archive."""

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


def read(folder: Path, map: Callable = map) -> Iterator[Face]:
    """Read all rows, whatever their usage, in the order of the file.

    Args:
        folder: contains one table at any depth, whose columns are found by their names.
        map: not used, because a row costs little; every source takes one.

    Yields:
        Faces named "fer2013/<row>", rows counted from 0 without the header, without subjects.

    Raises:
        UserError: no table or two, another header, no rows, a malformed row, named by its line,
            or a last row that may have been cut.
    """
    path = _find_table(folder)
    refuse_no_text(path)
    with _open(path) as file:
        lines = csv.reader(file)
        try:
            columns = _find_columns(next(lines, []), path)
            if columns[1] == max(columns):
                _require_line_end(path)
            row = 0
            for fields in lines:
                if not any(map(str.strip, fields)):
                    continue  # A blank line, `,,` where Excel wrote it.
                where = f"{path}, line {lines.line_num}"
                if len(fields) <= max(columns):
                    raise UserError(
                        f"{where}: {len(fields)} columns received, at least {max(columns) + 1} "
                        f"expected; {_AGAIN}."
                    )
                code, pixels, usage = (fields[column].strip() for column in columns)
                if usage not in USAGES:
                    cure = "spell it so" if _same(usage, USAGES) else _AGAIN
                    raise UserError(
                        f"{where}: Usage {usage!r} received, one of {', '.join(USAGES)} expected; "
                        f"{cure}."
                    )
                yield Face(f"{NAME}/{row}", _image(pixels, where), _label(code, where), NAME)
                row += 1
        except csv.Error as error:
            raise UserError(f"{path}, line {lines.line_num}: {error}; {_AGAIN}.") from error
    if row == 0:
        raise UserError(f"{path} holds a header and no rows; {_AGAIN}.")


def _find_table(folder: Path) -> Path:
    files = find_files(folder, NAME)
    tables = sorted(
        (path for path in files if FILE_NAME.fullmatch(path.name)),
        key=lambda path: (len(path.parts), path.name),
    )
    if len(tables) > 1:
        names = [str(path.relative_to(folder)) for path in tables]
        raise UserError(
            f"{folder} holds {' and '.join(names)}, the same faces more than once; keep "
            f"{names[0]} and remove the rest."
        )
    if not tables:
        if images := images_among(files):
            contents = f"images ({images[0].relative_to(folder)}) but no table"
            hint = "; copies sorted into class folders are not read, the csv file is needed"
            if find_label(images[0].parent.name) is not None:
                by_class = shlex.quote(str(images[0].parent.parent))
                hint += f" (`python cli.py evaluate-photos {by_class}` measures a model on them)"
        else:
            contents, hint = "no table", ""
        lack = f"{contents}, fer2013.csv or icml_face_data.csv expected{hint}"
        raise nothing_found(folder, files, lack, NAME)
    return tables[0]


def _open(path: Path) -> TextIO:
    try:
        # A byte that is no text is replaced by one that is no digit, so that its line is named.
        return path.open(newline="", encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); unpack it again.") from error


def _require_line_end(path: Path) -> None:
    """Refuse a table without a last line end: if it was cut, 123 could be read as 12."""
    with path.open("rb") as file:
        file.seek(-1, SEEK_END)
        if file.read(1) not in b"\r\n":
            raise UserError(
                f"{path} ends within a line, so its last pixel may be cut; unpack it again, or end "
                "the line if you know that the file is whole."
            )


def _find_columns(header: list[str], path: Path) -> list[int]:
    if not header:
        raise UserError(f"{path} is empty or begins with an empty line; {_AGAIN}.")
    names = [name.strip() for name in header]
    if not set(COLUMNS) <= set(names):
        received = ",".join(names)
        raise UserError(
            f"{path}, line 1: header {received[:60]!r} received, the columns {','.join(COLUMNS)} "
            f"expected; {_header_cure(names)}."
        )
    return [names.index(column) for column in COLUMNS]


def _header_cure(header: list[str]) -> str:
    """How the user corrects a header that lacks columns."""
    if all(_same(column, header) for column in COLUMNS):
        return "spell them so"
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        if set(COLUMNS) <= set(separator.join(header).split(separator)):
            return f"the table is separated by {name}, save it with commas"
    if header[0].startswith("sep="):
        return "remove line 1, which Excel wrote"
    if header[0] in CODES:
        return "line 1 is a row already, put the header before it"
    return "put the original file in its place"


def _same(name: str, others: Iterable[str]) -> bool:
    """Whether a name is among others, in upper or lower case."""
    return name.lower() in map(str.lower, others)


def _label(code: str, where: str) -> int:
    if code not in CODES:
        cure = _AGAIN
        if code.removesuffix(".0") in CODES:
            cure = "pandas wrote the column as decimal numbers, convert it by astype(int) before"
        raise UserError(f"{where}: emotion {code!r} received, a code from 0 to 6 expected; {cure}.")
    return EXPRESSIONS.index(CODES[code])


def _image(pixels: str, where: str) -> np.ndarray:
    try:
        # 2 s for the whole file, against 6 s by str.split and np.array.
        values = np.fromstring(pixels, dtype=np.int64, sep=" ")
    except ValueError:
        raise UserError(
            f"{where}: pixels that are no whole numbers received, {FACE_SIZE**2} numbers from 0 "
            f"to 255 expected; {_AGAIN}."
        ) from None
    if values.size != FACE_SIZE**2:
        raise UserError(
            f"{where}: {values.size} pixels received, {FACE_SIZE**2} expected; {_AGAIN}."
        )
    if values.min() < 0 or values.max() > 255:
        wrong = values[(values < 0) | (values > 255)][0]
        raise UserError(f"{where}: pixel {wrong} received, 0 to 255 expected; {_AGAIN}.")
    return values.astype(np.uint8).reshape(FACE_SIZE, FACE_SIZE)
