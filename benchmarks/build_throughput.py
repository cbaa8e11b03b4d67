"""Seconds and memory of `build-datasets`, compared with its two most expensive parts.

The parts, each measured alone on one core: finding the eyes of all faces, and writing the same
arrays with TFDS for each of the three databases. The whole command also starts Python and
TensorFlow, reads, splits, searches near duplicates and draws the inspection.

The first `--images` rows of FER2013 are used; a larger number adds mirror images. `--drawn 500000`
builds one database of so many drawn faces instead: 700 drawn faces are moved and made brighter or
darker so that each is different, and their eyes are not searched.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import threading
from itertools import islice
from pathlib import Path
from time import perf_counter, sleep

import cv2
import joblib
import numpy as np
from rich.console import Console
from rich.table import Table

from fer_tf.data.face_cache import cached_faces
from fer_tf.data.sources import drawn, fer2013
from fer_tf.expressions import EXPRESSIONS
from fer_tf.faces.face import Face
from fer_tf.files import write_json
from fer_tf.occlusion.eyes import find_eyes
from fer_tf.occlusion.kinds import DATABASES
from fer_tf.occlusion.occlude import occlude
from fer_tf.provenance import provenance

ROOT = Path(__file__).resolve().parent.parent
GOAL = 1.3


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw-dir", type=Path, default=Path("data/raw"))
    parser.add_argument("--images", type=int, default=52_419)
    parser.add_argument("--drawn", type=int, help="build so many drawn faces instead")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.drawn:
            numbers = measure_drawn(arguments.drawn, Path(folder))
        else:
            numbers = measure(arguments.raw_dir, arguments.images, Path(folder))
    table = Table("what", "measured", title=f"build-datasets, {numbers['images']:,} images")
    for name, value in numbers.items():
        if name != "provenance":
            shown = f"{value:,.2f}" if isinstance(value, float) else str(value)
            table.add_row(name.replace("_", " "), shown)
    Console().print(table)
    if arguments.json:
        write_json(arguments.json, numbers)


def measure(raw_dir, count, folder):
    write_fer2013(raw_dir, count, folder / "raw" / "fer2013")
    command = ["build-datasets", "--sources", "fer2013", "--raw-dir", folder / "raw"]
    # The command runs before the parts, so that nothing of ours has warmed up.
    whole, peaks = run(ROOT / "cli.py", *command, "--data-dir", folder / "data")
    again, _ = run(ROOT / "cli.py", *command, "--data-dir", folder / "data")
    faces = cached_faces(["fer2013"], folder / "raw", folder / "data" / "faces")
    eyes = seconds_of_eyes(faces.images)
    writing = json.loads(
        subprocess.run(
            [sys.executable, __file__, "write", folder / "data" / "faces", folder / "raw", folder],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ).stdout.splitlines()[-1]  # TFDS prints before.
    )
    cores = joblib.cpu_count()
    parts = (eyes + writing["seconds"]) / cores
    return {
        "provenance": vars(provenance()),
        "images": count,
        "cores": cores,
        "eye_finding_seconds": eyes,
        "eye_finding_ms_per_face": 1000 * eyes / count,
        "three_tfds_writings_seconds": writing["seconds"],
        "parts_divided_by_cores_seconds": parts,
        "whole_seconds": whole,
        "whole_minutes": whole / 60,
        "ratio_whole_to_parts": whole / parts,
        "goal_ratio": GOAL,
        "second_run_seconds": again,
        "largest_process_mb": max(peaks),
        "tensorflow_and_tfds_alone_mb": writing["alone_mb"],
        "largest_process_above_tensorflow_mb": max(peaks) - writing["alone_mb"],
    }


def measure_drawn(count, folder):
    from unittest import mock

    base = list(drawn.read(persons=100, takes=1))
    with (
        mock.patch.object(drawn, "read", lambda folder, map: many_drawn(base, count)),
        mock.patch("fer_tf.data.face_cache.find_eyes", lambda image: (USUAL, 0)),
    ):
        started = perf_counter()
        cached_faces(["drawn"], None, folder / "data" / "faces")
        cache = perf_counter() - started
    command = ["build-datasets", "concat_db", "--sources", "drawn", "--data-dir", folder / "data"]
    whole, peaks = run(ROOT / "cli.py", *command)
    return {
        "provenance": vars(provenance()),
        "images": count,
        "faces_cache_seconds": cache,
        "one_database_seconds": whole,
        "largest_process_mb": max(peaks),
    }


USUAL = np.array([[8, 12, 13, 13], [27, 12, 13, 13]])


def many_drawn(base, count):
    for number in range(count):
        face = base[number % len(base)]
        variant = number // len(base)
        image = np.roll(face.image, variant % 48, axis=1)
        image = cv2.convertScaleAbs(image, alpha=1, beta=variant // 48)
        person = f"drawn/p{number // 35}"
        yield Face(f"drawn/{number:07d}", image, face.expression, "drawn", person)


def write_fer2013(raw_dir, count, folder):
    """Write FER2013's rows, then their mirror images, in the format of the original."""
    codes = {EXPRESSIONS.index(name): code for code, name in fer2013.CODES.items()}
    folder.mkdir(parents=True)
    faces = list(islice(fer2013.read(raw_dir / "fer2013"), count))
    with (folder / "fer2013.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(fer2013.COLUMNS)
        for number in range(count):
            face = faces[number % len(faces)]
            image = face.image[:, ::-1] if number // len(faces) % 2 else face.image
            pixels = " ".join(map(str, image.ravel().tolist()))
            table.writerow([codes[face.expression], pixels, "Training"])


def seconds_of_eyes(images):
    cv2.setNumThreads(1)
    find_eyes(images[0])
    started = perf_counter()
    for image in images:
        find_eyes(image)
    return perf_counter() - started


def run(*command):
    """Seconds of a Python command, and the peak resident MB of each of its processes."""
    peaks, started = {}, perf_counter()
    process = subprocess.Popen([sys.executable, *map(str, command)], start_new_session=True)

    def watch():
        while process.poll() is None:
            for path in Path("/proc").glob("[0-9]*"):
                try:
                    if os.getpgid(int(path.name)) == process.pid:
                        peaks[path.name] = peak_mb(path / "status")
                except (OSError, ValueError, IndexError):
                    continue  # The process ended meanwhile.
            sleep(0.1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    if process.wait():
        raise SystemExit(f"{' '.join(map(str, command))} failed.")
    seconds = perf_counter() - started
    watcher.join()
    return seconds, list(peaks.values())


def peak_mb(status):
    """The peak of a process's resident memory."""
    return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024


def write_alone(faces_dir, raw_dir, folder):
    """Write arrays with TFDS, print seconds and MB; this function runs in its own process."""
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    faces = cached_faces(["fer2013"], raw_dir, faces_dir)
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(48, 48, 1), encoding_format="png"),
            "label": tfds.features.ClassLabel(names=EXPRESSIONS),
            "id": tfds.features.Text(),
            "source": tfds.features.ClassLabel(num_classes=5),
            "subject": tfds.features.Text(),
            "eyes_found": tfds.features.Scalar(np.int32),
        }
    )

    def prepare(count, kind):
        examples = [
            {
                "image": occlude(faces.images[i], kind, faces.eye_boxes[i])[..., None],
                "label": int(faces.labels[i]),
                "id": faces.ids[i],
                "source": 0,
                "subject": "",
                "eyes_found": -1,
            }
            for i in range(count)
        ]
        started = perf_counter()
        tfds.dataset_builders.store_as_tfds_dataset(
            name=f"{kind}_{count}",
            version="1.0.0",
            features=features,
            split_datasets={"train": enumerate(examples)},
            data_dir=folder / "alone",
        )
        return perf_counter() - started

    prepare(8, "upper")
    alone = peak_mb(Path("/proc/self/status"))
    seconds = sum(prepare(len(faces), kind) for kind in DATABASES.values())
    print(json.dumps({"alone_mb": alone, "seconds": seconds}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        write_alone(*map(Path, sys.argv[2:]))
    else:
        main()
