"""RAF-DB, basic expressions: aligned 100x100 colour faces and a list of their labels."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from fer_tf.data.sources.archive import (
    find_files,
    images_among,
    index_by_name,
    nothing_found,
    read_whole_picture,
    refuse_no_text,
)
from fer_tf.errors import UserError
from fer_tf.expressions import EXPRESSIONS
from fer_tf.faces.face import Face
from fer_tf.faces.preprocessing import to_face
from fer_tf.files import shorten

NAME = "raf_db"

INSTRUCTIONS = (
    "RAF-DB (Li, Deng and Du, CVPR 2017) is given by its authors on request, to members of "
    "universities for research that is not commercial, at whdeng.cn/RAF/model1.html, and may not "
    f"be passed on; put its basic part into <raw-dir>/{NAME}/, so that there are "
    "basic/EmoLabel/list_patition_label.txt and basic/Image/aligned/train_00001_aligned.jpg."
)

CODES = {
    "1": "Surprise",
    "2": "Fear",
    "3": "Disgust",
    "4": "Happiness",
    "5": "Sadness",
    "6": "Anger",
    "7": "Normal",
}

FILE_NAME = re.compile(
    r"(?P<name>(?:train|test)_\d+)(?P<aligned>_aligned)?\.jpg|(?P<list>list_par?tition_label\.txt)",
    re.IGNORECASE,
)
"""Aligned faces, original photographs (`train_00001.jpg`) and the list, officially misspelt."""

_LINE = re.compile(r"((?:train|test)_\d+)\.jpg\s+(\S+)", re.IGNORECASE)

_CHANGED = re.compile(r"(?:train|test)_\d+(?:_aligned)?\.jpg[\s,;]+[1-7](?:\.0)?", re.IGNORECASE)


def read(folder: Path, map: Callable = map) -> Iterator[Face]:
    """Read the training and the test faces in the order of the label list.

    The faces are aligned and cropped by the database's authors: they are scaled, not cropped again.

    Args:
        folder: contains the list and the aligned faces, at any depth. The original photographs
            and a folder `compound`, the database's other part, are ignored.
        map: replaces the built-in for the pictures; it may use threads but must keep the order.

    Yields:
        Faces named like "raf_db/train_00001", without subjects.

    Raises:
        UserError: the list or the aligned faces are missing or duplicated; a line of the list is
            malformed; a listed image is missing, or an image is not listed, so that the list may
            have been cut; or, while iterating, an image that is not whole, not square or cannot be
            decoded.
    """
    files = find_files(folder, NAME)
    basic = [path for path in files if not _is_compound(path.relative_to(folder))]
    lists = [path for path in basic if _match(path, "list")]
    if not lists:
        lack = "no list_patition_label.txt"
        if len(basic) < len(files):
            lack = f"the compound expressions, but {lack} of the basic ones"
        if by_folder := [p for p in images_among(basic) if p.parent.name in CODES]:
            lack = (
                f"images by class ({by_folder[0].relative_to(folder)}) but {lack}; copies sorted "
                "into folders 1 to 7, with or without train_labels.csv, are not read: the official "
                "list is needed"
            )
        raise nothing_found(folder, basic, lack, NAME)
    listing = index_by_name(("the label list", path) for path in lists)["the label list"]
    labels = _read_labels(listing)
    images = _find_images(folder, basic)
    if missing := sorted(labels.keys() - images.keys()):
        raise UserError(
            f"RAF-DB: {listing} lists {len(labels)} images, {len(missing)} of them not in "
            f"{folder}: {shorten([f'{name}_aligned.jpg' for name in missing])}; unpack the archive "
            "of aligned images again."
        )
    if unlisted := [path.name for name, path in images.items() if name not in labels]:
        raise UserError(
            f"RAF-DB: {folder} holds {len(images)} images, {len(unlisted)} of them without a "
            f"line in {listing}: {shorten(unlisted)}; unpack the list again or remove these images."
        )
    yield from map(_read_face, ((name, label, images[name]) for name, label in labels.items()))


def _is_compound(path: Path) -> bool:
    return any(part.lower() == "compound" for part in path.parts)


def _match(path: Path, part: str) -> str | None:
    """The named part of `FILE_NAME` in a file's name, or None."""
    match = FILE_NAME.fullmatch(path.name)
    return match[part] if match else None


def _find_images(folder: Path, files: list[Path]) -> dict[str, Path]:
    """Map names as in `_read_labels` to the aligned faces and to other images beside them."""
    aligned = [path for path in files if _match(path, "aligned")]
    if not aligned:
        lack = "no aligned face, named like train_00001_aligned.jpg"
        if originals := [path for path in files if _match(path, "name")]:
            lack = f"original photographs ({originals[0].relative_to(folder)}) and {lack}"
        raise nothing_found(folder, files, lack, NAME)
    # A picture of another name counts if its folder contains aligned faces.
    folders = {path.parent for path in aligned}
    strays = [p for p in images_among(files) if p.parent in folders and not _match(p, "name")]
    named = [(_match(path, "name").lower(), path) for path in aligned]
    return index_by_name(named + [(path.name, path) for path in strays])


def _read_labels(path: Path) -> dict[str, int]:
    """Map names without suffix, "train_00001", to labels 0 to 6, in the order of the list."""
    refuse_no_text(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); unpack it again.") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is no text in UTF-8 (byte {error.start}: {error.object[error.start]:#04x}), "
            "lines like 'train_00001.jpg 5' expected; unpack the list again."
        ) from error
    labels: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        if not match or match[2] not in CODES:
            cure = "put the list of the basic part there"
            if _CHANGED.fullmatch(line.strip()):
                cure = "the list was written anew by another program: put the original there"
            raise UserError(
                f"{path}, line {number}: {line[:60]!r} received, a line like 'train_00001.jpg 5' "
                "with a code from 1 to 7 expected (the list of compound expressions goes to 11); "
                f"{cure}."
            )
        name = match[1].lower()
        if name in labels:
            raise UserError(
                f"{path}, line {number}: {match[1]}.jpg is listed twice; unpack the list again."
            )
        labels[name] = EXPRESSIONS.index(CODES[match[2]])
    if not labels:
        raise UserError(f"{path} holds no line; unpack the list again.")
    return labels


def _read_face(row: tuple[str, int, Path]) -> Face:
    name, label, path = row
    picture = read_whole_picture(path)
    height, width = picture.shape[:2]
    if height != width:
        raise UserError(
            f"{path} is {width} pixels wide and {height} high, a square face expected "
            "(100 x 100 in the official copy); put the aligned images there, not the original ones."
        )
    return Face(f"{NAME}/{name}", to_face(picture), label, NAME)
