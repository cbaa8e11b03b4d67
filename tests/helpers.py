"""Small archives in the layouts of the four databases, drawn so that no test needs a real face.

Every `folder` argument is the source's own folder, e.g. `data/raw/kdef`; it is made where missing.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from fer_tf.data.sources.drawn import draw_face, draw_portrait
from fer_tf.expressions import EXPRESSIONS

FER2013_CODES = {
    "Anger": 0,
    "Disgust": 1,
    "Fear": 2,
    "Happiness": 3,
    "Sadness": 4,
    "Surprise": 5,
    "Normal": 6,
}
JAFFE_CODES = {
    "Happiness": "HA",
    "Normal": "NE",
    "Sadness": "SA",
    "Anger": "AN",
    "Fear": "FE",
    "Disgust": "DI",
    "Surprise": "SU",
}
KDEF_CODES = {
    "Happiness": "HA",
    "Normal": "NE",
    "Sadness": "SA",
    "Anger": "AN",
    "Fear": "AF",
    "Disgust": "DI",
    "Surprise": "SU",
}
RAF_DB_CODES = {
    "Surprise": 1,
    "Fear": 2,
    "Disgust": 3,
    "Happiness": 4,
    "Sadness": 5,
    "Anger": 6,
    "Normal": 7,
}

FER2013_USAGES = ("Training", "PublicTest", "PrivateTest")


def draw_fer2013(
    folder: Path,
    count_per_expression: int = 3,
    header: str = "emotion,pixels,Usage",
    name: str = "fer2013.csv",
) -> list[int]:
    """Write a FER2013 table; the columns follow `header`, blanks after its commas included.

    `header="emotion, Usage, pixels", name="icml_face_data.csv"` draws the other official file.
    The usages take turns, so every expression has each of them from three rows on.

    Returns:
        The label (0 to 6) of every row, in the order of the rows.
    """
    labels = [label for _ in range(count_per_expression) for label in range(len(EXPRESSIONS))]
    lines = [header]
    for row, label in enumerate(labels):
        take = row // len(EXPRESSIONS)
        pixels = draw_face(row, label, take)
        values = {
            "emotion": str(FER2013_CODES[EXPRESSIONS[label]]),
            "pixels": " ".join(map(str, pixels.ravel())),
            "Usage": FER2013_USAGES[take % len(FER2013_USAGES)],
        }
        lines.append(",".join(values[column.strip()] for column in header.split(",")))
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n")
    return labels


def draw_jaffe(
    folder: Path, persons: Sequence[str] = ("KA", "KL", "KM"), takes: int = 1
) -> dict[str, int]:
    """Write JAFFE's flat folder of 256x256 gray photographs named like `KA.AN1.39.tiff`.

    Returns:
        File name -> label (0 to 6).
    """
    labels = {}
    for subject, person in enumerate(persons):
        serial = 0
        for label, expression in enumerate(EXPRESSIONS):
            for take in range(takes):
                serial += 1
                name = f"{person}.{JAFFE_CODES[expression]}{take + 1}.{serial}.tiff"
                portrait = draw_portrait(subject, label, take, size=256)
                _write(Path(folder) / name, cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY))
                labels[name] = label
    return labels


def draw_kdef(
    folder: Path, persons: Sequence[str] = ("F01", "M02", "F31"), sessions: str = "AB"
) -> dict[str, int]:
    """Write KDEF's folders of 562x762 colour photographs named like `AF01/AF01ANS.JPG`.

    Each folder holds the seven frontal pictures (angle S) and two others; `AF31`, where it is
    drawn, also holds the profile that the official archive calls `AF31V.JPG`.

    Returns:
        Name of every frontal file, without its folder -> label (0 to 6).
    """
    labels = {}
    for subject, person in enumerate(persons):
        for take, session in enumerate(sessions):
            place = Path(folder) / f"{session}{person}"
            for label, expression in enumerate(EXPRESSIONS):
                name = f"{place.name}{KDEF_CODES[expression]}S.JPG"
                _write(place / name, _kdef_photo(subject, label, take))
                labels[name] = label
            beside = [f"{place.name}ANHL.JPG", f"{place.name}HAFR.JPG"]
            if place.name == "AF31":
                beside.append("AF31V.JPG")
            for name in beside:
                _write(place / name, _kdef_photo(subject, 0, take))
    return labels


def draw_raf_db(
    folder: Path, train_per_expression: int = 2, test_per_expression: int = 1
) -> dict[str, int]:
    """Write RAF-DB's basic part: the label list and the aligned 100x100 colour faces.

    Returns:
        Name as the list has it, e.g. `train_00001.jpg` -> label (0 to 6).
    """
    folder = Path(folder) / "basic"
    parts = (("train_{:05d}", train_per_expression), ("test_{:04d}", test_per_expression))
    labels = {}
    for pattern, count in parts:
        for number in range(count * len(EXPRESSIONS)):
            label = number % len(EXPRESSIONS)
            stem = pattern.format(number + 1)
            face = draw_face(len(labels), label, 0, size=100, colour=True)
            _write(folder / "Image" / "aligned" / f"{stem}_aligned.jpg", face)
            labels[f"{stem}.jpg"] = label
    lines = [f"{name} {RAF_DB_CODES[EXPRESSIONS[label]]}" for name, label in labels.items()]
    listing = folder / "EmoLabel" / "list_patition_label.txt"
    listing.parent.mkdir(parents=True, exist_ok=True)
    listing.write_text("\n".join(lines) + "\n")
    return labels


def encode_picture(suffix: str, *options: int) -> bytes:
    """Encode 100x100 pixels of soft noise; `options` are those of `cv2.imencode`."""
    noise = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    return cv2.imencode(suffix, cv2.resize(noise, (100, 100)), options)[1].tobytes()


PLAIN_TIFF = (cv2.IMWRITE_TIFF_COMPRESSION, 1)


def encode_half_picture(suffix: str) -> bytes:
    """Encode as above, a TIFF plainly, with zeros in its second half, which OpenCV lets pass."""
    if suffix == ".tiff":  # 8 bytes, the pixels, the directory, which others put first
        data = encode_picture(suffix, *PLAIN_TIFF)
        return data[:15_000] + bytes(15_008) + data[30_008:]
    data = encode_picture(suffix)
    return data[: len(data) // 2].ljust(len(data), b"\0")


def _kdef_photo(subject: int, label: int, take: int) -> np.ndarray:
    """uint8 [762, 562, 3], BGR: the middle of a square portrait, as wide as KDEF's pictures."""
    portrait = cv2.resize(draw_portrait(subject, label, take, size=254), (762, 762))
    return portrait[:, 100:662]


def _write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), image):
        raise OSError(f"cannot write {path}")
