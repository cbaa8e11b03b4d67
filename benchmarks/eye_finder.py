"""Measure how well and how fast eyes are found on faces of FER2013 with eyes marked by hand.

    python benchmarks/eye_finder.py --raw-dir data/raw --json results/eye_finder.json

Compares `fer_tf.occlusion.eyes` with:

- the eye keypoints of BlazeFace (`blazeface_eyes.py`), in boxes of `KEYPOINT_BOX` pixels, of the
  face as it is, with a black border, and enlarged beforehand;
- the paper's literal reading: haarcascade_eye.xml on the 48x48 face as it is, everything it finds
  blackened; and the same cascade on the face enlarged four times;
- boxes that never move, which are also taken where BlazeFace sees no face.

Each file of labels is a table of its own: eye_labels_tuning.csv helped to choose borders, boxes and
the finder's constants, eye_labels_held_out.csv did not. A second table for each file has the same
faces with drawn sunglasses, so that no eye is visible.

Columns: share of eyes whose centre is black; share of eyes covered, i.e. the centre and at least
90 % of the 9x5 pixels around it (those within the image) are black; both with Wilson's 95 %
interval and without hidden eyes, which have no label; mean share of black pixels; share of faces in
which two or more, one, or no eyes were found; CPU milliseconds on one core for a face, median and
mean over other faces.
"""

import argparse
import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from time import thread_time

import cv2
import numpy as np
from blazeface_eyes import FAR, NEAR, keypoint_estimator
from rich.console import Console
from rich.table import Table
from scipy.stats import binomtest

from fer_tf.data.sources import fer2013
from fer_tf.errors import UserError
from fer_tf.faces.face import FACE_SIZE
from fer_tf.occlusion.eyes import CASCADE, USUAL_EYES, boxes_about, find_eyes
from fer_tf.occlusion.occluders.photo import draw_sunglasses
from fer_tf.provenance import provenance

ROOT = Path(__file__).resolve().parent.parent
LABELS = [ROOT / "tests" / "data" / f"eye_labels_{part}.csv" for part in ("tuning", "held_out")]
COLUMNS = ("left_x", "left_y", "right_x", "right_y")

AROUND = (9, 5)
"""Width and height in pixels of what must be black around a centre for an eye to be covered."""

COVERED = 0.9
"""Share of these pixels."""

WARM_UP = 20

SUNGLASSES = (15, 15, 15)
"""Blue, green and red of the lenses."""

KEYPOINT_BOX = (14, 11)
"""Width and height of the boxes about BlazeFace's keypoints, chosen on the tuning labels."""

Finder = Callable[[np.ndarray], tuple[np.ndarray, int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--raw-dir", type=Path, default=ROOT / "data" / "raw")
    parser.add_argument("--labels", type=Path, action="append", help="may be repeated; else both")
    parser.add_argument("--timed", type=int, default=400, help="faces to measure the time with")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    images = np.stack([face.image for face in fer2013.read(arguments.raw_dir / fer2013.NAME)])
    timed = images[np.random.default_rng(0).permutation(len(images))[: WARM_UP + arguments.timed]]
    cv2.setNumThreads(1)
    finders = {
        "ours": find_eyes,
        "BlazeFace 128 px": blazeface_finder(NEAR, border=0),
        "BlazeFace 128 px, border 16": blazeface_finder(NEAR, border=16),
        "BlazeFace 128 px, border 16, face enlarged 4x": blazeface_finder(NEAR, 16, 4),
        "BlazeFace 256 px": blazeface_finder(FAR, border=0),
        "BlazeFace 256 px, border 48": blazeface_finder(FAR, border=48),
        "BlazeFace 256 px, border 48, face enlarged 2x": blazeface_finder(FAR, 48, 2),
        "BlazeFace 256 px, border 48, face enlarged 4x": blazeface_finder(FAR, 48, 4),
        "paper's literal reading, 48 px": cascade_finder(1),
        "the same cascade, 192 px": cascade_finder(4),
        "fixed boxes": lambda face: (np.array(USUAL_EYES), 0),
    }
    times = {name: time_per_face(find, timed) for name, find in finders.items()}
    tables = {}
    for path in arguments.labels or LABELS:
        faces, eyes = read_labels(path, images)
        rows = {name: measure(find, faces, eyes) | times[name] for name, find in finders.items()}
        tables[path.name] = {"faces": len(faces), "finders": rows}
        show(path.name, rows, len(faces))
        faces, eyes = with_sunglasses(faces, eyes)
        rows = {name: measure(find, faces, eyes) | times[name] for name, find in finders.items()}
        tables[path.name]["with_sunglasses"] = {"faces": len(faces), "finders": rows}
        show(f"{path.name}, with sunglasses", rows, len(faces))
    if arguments.json:
        result = vars(provenance()) | {
            "data": f"FER2013, {len(images):,} rows; times over {arguments.timed} of them",
            "labels": tables,
        }
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


def cascade_finder(enlarged: int) -> Finder:
    """The cascade with OpenCV's own settings, on the whole face."""
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + CASCADE)
    side = enlarged * FACE_SIZE

    def find(face: np.ndarray) -> tuple[np.ndarray, int]:
        large = face if enlarged == 1 else cv2.resize(face, (side, side))
        boxes = np.reshape(cascade.detectMultiScale(large), (-1, 4))
        # Rounded outwards, so that no pixel found stays visible.
        begin = boxes[:, :2] // enlarged
        end = -(-(boxes[:, :2] + boxes[:, 2:]) // enlarged)
        return np.hstack([begin, end - begin]).astype(int), min(len(boxes), 2)

    return find


def blazeface_finder(network: tuple[str, int], border: int, enlarged: int = 1) -> Finder:
    """Boxes about BlazeFace's eye keypoints; arguments as in `keypoint_estimator`."""
    estimate = keypoint_estimator(network, border, enlarged)

    def find(face: np.ndarray) -> tuple[np.ndarray, int]:
        eyes = estimate(face)
        return (np.array(USUAL_EYES), 0) if eyes is None else (boxes_about(eyes, *KEYPOINT_BOX), 2)

    return find


def read_labels(path: Path, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The labelled faces uint8 [N, 48, 48] and their eyes float [N, 2, 2], NaN where hidden."""
    places = {hashlib.sha1(image.tobytes()).hexdigest(): image for image in images}
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    missing = [row["sha1"] for row in rows if row["sha1"] not in places]
    if missing:
        raise UserError(
            f"{path}: {len(missing)} of {len(rows)} labelled faces are not in this FER2013, the "
            f"first has SHA-1 {missing[0]}; the file with the original pixels is needed."
        )
    eyes = [[float(row[column] or "nan") for column in COLUMNS] for row in rows]
    return np.stack([places[row["sha1"]] for row in rows]), np.reshape(eyes, (-1, 2, 2))


def with_sunglasses(faces: np.ndarray, eyes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The faces both of whose eyes are labelled, with drawn sunglasses, and their eyes."""
    labelled = ~np.isnan(eyes).any(axis=(1, 2))
    pictures = [cv2.cvtColor(face, cv2.COLOR_GRAY2BGR) for face in faces[labelled]]
    for picture, pair in zip(pictures, eyes[labelled], strict=True):
        draw_sunglasses(picture, pair, SUNGLASSES)
    return np.stack([picture[..., 0] for picture in pictures]), eyes[labelled]


def measure(find: Finder, faces: np.ndarray, eyes: np.ndarray) -> dict:
    """Shares of centres and eyes covered and of black pixels; faces by number of eyes found."""
    centres, covered, black = [], [], []
    faces_by_count = [0, 0, 0]
    for face, pair in zip(faces, eyes, strict=True):
        boxes, count = find(face)
        faces_by_count[count] += 1
        mask = blackened(boxes)
        black.append(mask.mean())
        for eye in pair[~np.isnan(pair).any(axis=1)]:
            centre, share = cover(mask, eye)
            centres.append(centre)
            covered.append(centre and share >= COVERED)
    return {
        "eyes": len(centres),
        "centres": share_of(centres),
        "covered": share_of(covered),
        "black": float(np.mean(black)),
        "found": dict(zip(("none", "one", "two"), faces_by_count, strict=True)),
    }


def blackened(boxes: np.ndarray) -> np.ndarray:
    """Bool [48, 48], True within any of the boxes (x, y, width, height)."""
    mask = np.zeros((FACE_SIZE, FACE_SIZE), bool)
    for x, y, width, height in boxes:
        mask[y : y + height, x : x + width] = True
    return mask


def cover(mask: np.ndarray, eye: np.ndarray) -> tuple[bool, float]:
    """Whether an eye's centre (x, y) is black and the share of the pixels around it that are."""
    x, y = (int(np.clip(np.floor(value + 0.5), 0, FACE_SIZE - 1)) for value in eye)
    across, down = (size // 2 for size in AROUND)
    around = mask[max(0, y - down) : y + down + 1, max(0, x - across) : x + across + 1]
    return bool(mask[y, x]), float(around.mean())


def share_of(hits: list[bool]) -> dict:
    interval = binomtest(sum(hits), len(hits)).proportion_ci(method="wilson")
    return {"share": float(np.mean(hits)), "95": [float(interval.low), float(interval.high)]}


def time_per_face(find: Finder, faces: np.ndarray) -> dict:
    """Median and mean milliseconds; the first `WARM_UP` faces are not counted."""
    times = []
    for face in faces:
        begin = thread_time()
        find(face)
        times.append(1000 * (thread_time() - begin))
    times = times[WARM_UP:]
    return {"ms_median": float(np.median(times)), "ms_mean": float(np.mean(times))}


def show(name: str, rows: dict[str, dict], faces: int) -> None:
    eyes = next(iter(rows.values()))["eyes"]
    table = Table(title=f"{name}: {faces} faces, {eyes} eyes")
    for column in ("", "centres %", "covered %", "black %", "found 2/1/0 %", "ms (mean)"):
        table.add_column(column, justify="right" if column else "left")
    for finder, row in rows.items():
        found = "/".join(f"{100 * row['found'][key] / faces:.0f}" for key in ("two", "one", "none"))
        table.add_row(
            finder,
            _percent(row["centres"]),
            _percent(row["covered"]),
            f"{100 * row['black']:.1f}",
            found,
            f"{row['ms_median']:.2f} ({row['ms_mean']:.2f})",
        )
    Console().print(table)


def _percent(result: dict) -> str:
    low, high = (100 * bound for bound in result["95"])
    return f"{100 * result['share']:.1f} ({low:.1f} to {high:.1f})"


if __name__ == "__main__":
    main()
