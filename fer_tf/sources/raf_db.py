"""RAF-DB, basic expressions: aligned 100x100 colour faces and a list of their labels."""

import re
from collections.abc import Iterator
from pathlib import Path

from fer_tf.errors import InputError
from fer_tf.expressions import EXPRESSIONS
from fer_tf.faces import Face, read_picture
from fer_tf.preprocessing import to_face
from fer_tf.sources.archive import has_files, image_files, require_files, shorten

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

LABEL_LIST = "EmoLabel/list_patition_label.txt"
ALIGNED = "Image/aligned"

_LINE = re.compile(r"((?:train|test)_\d+)\.jpg\s+(\S+)")


def is_present(folder: Path) -> bool:
    """Tell whether the folder holds anything to read, complete or not."""
    return has_files(folder)


def read(folder: Path) -> Iterator[Face]:
    """Read the training and the test faces in the order of the label list.

    The faces are aligned and cropped by the database's authors: they are scaled, not cropped again.

    Args:
        folder: holds the folder `basic`, or is that folder.

    Yields:
        Faces named like "raf_db/train_00001". No subject is known.

    Raises:
        InputError: a file or folder is missing; a line of the list is malformed; the list and the
            images do not match, in either direction, since an image without a label means that
            the list was cut; an image cannot be decoded.
    """
    require_files(folder, INSTRUCTIONS)
    basic = folder / "basic" if (folder / "basic").is_dir() else folder
    labels = _read_labels(basic / LABEL_LIST)
    aligned = basic / ALIGNED
    listed = {f"{name}_aligned.jpg" for name in labels}
    held = {str(path.relative_to(aligned)) for path in image_files(aligned)}
    if missing := sorted(listed - held):
        raise InputError(
            f"RAF-DB: {basic / LABEL_LIST} lists {len(listed)} images, {len(missing)} of them "
            f"not in {aligned}: {shorten(missing)}; unpack the archive of aligned images there."
        )
    if unlisted := sorted(held - listed):
        raise InputError(
            f"RAF-DB: {aligned} holds {len(held)} images, {len(unlisted)} of them without a "
            f"line in {basic / LABEL_LIST}: {shorten(unlisted)}; unpack the list again or remove "
            "these images."
        )
    for name, label in labels.items():
        picture = read_picture(aligned / f"{name}_aligned.jpg")
        yield Face(f"{NAME}/{name}", to_face(picture), label, NAME)


def _read_labels(path: Path) -> dict[str, int]:
    """Map names without suffix, "train_00001", to labels 0 to 6, in the order of the list."""
    if not path.is_file():
        raise InputError(f"RAF-DB: {path} is not there. {INSTRUCTIONS}")
    labels: dict[str, int] = {}
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        if not match or match[2] not in CODES:
            raise InputError(
                f"{path}, line {number}: {line[:60]!r} received, a line like 'train_00001.jpg 5' "
                "with a code from 1 to 7 expected; unpack the list again."
            )
        if match[1] in labels:
            raise InputError(
                f"{path}, line {number}: {match[1]}.jpg is listed twice; unpack the list again."
            )
        labels[match[1]] = EXPRESSIONS.index(CODES[match[2]])
    if not labels:
        raise InputError(f"{path} holds no line; unpack the list again.")
    return labels
