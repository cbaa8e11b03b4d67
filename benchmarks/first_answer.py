"""What the first answer and each further photograph cost, with LiteRT and with TensorFlow.

    python benchmarks/first_answer.py --json results/first_answer.json

Each process runs `predict` on drawn portraits of 1,000 pixels with the model that comes with
fer_tf: one portrait, and eleven; a further photograph costs a tenth of the difference. CPU seconds
and peak memory are those of the whole process, medians of the rounds. Stages are wall times within
one process; batches are medians of the model's answers to faces that are found already.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from fer_tf.data.sources.drawn import draw_portrait
from fer_tf.files import write_json
from fer_tf.provenance import provenance

ROOT = Path(__file__).resolve().parent.parent
RUNTIMES = ("litert", "tensorflow")
FURTHER = 10
BATCHES = (1, 8, 32)

STAGES = """
import json, sys
from pathlib import Path
from time import perf_counter
start = perf_counter()
from fer_tf.faces.pictures import read_files
from fer_tf.inference.predict import ExpressionModel, faces_of, find_model
imported = perf_counter()
model = ExpressionModel(find_model("any_occlusion", Path(sys.argv[3])), sys.argv[2])
loaded = perf_counter()
(picture,) = read_files([Path(sys.argv[1])], 1, {})
((_, face),) = faces_of(picture)
found = perf_counter()
model.answer(face[None])
answered = perf_counter()
names = ("import", "load", "find", "answer")
times = (imported - start, loaded - imported, found - loaded, answered - found)
print(json.dumps(dict(zip(names, times))))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models-dir", type=Path, default=ROOT / "saved_models")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        portraits = draw(Path(folder), 1 + FURTHER)
        numbers = {"provenance": provenance(), "rounds": arguments.rounds, "pixels": 1000}
        measured = {name: {"first": [], "all": []} for name in RUNTIMES}
        for _ in range(arguments.rounds):  # The runtimes in turns.
            for name in RUNTIMES:
                for what, photos in (("first", portraits[:1]), ("all", portraits)):
                    measured[name][what].append(run(photos, name, arguments.models_dir))
        numbers["runtimes"] = {
            name: summary(rows) | {"stages_s": stages(portraits[0], name, arguments.models_dir)}
            for name, rows in measured.items()
        }
    numbers["batch_ms"] = batches(arguments.models_dir)
    show(numbers)
    if arguments.json:
        write_json(arguments.json, numbers)


def draw(folder, count):
    paths = [folder / f"{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), draw_portrait(number, number % 7, 0, size=1000))
    return paths


def run(photos, runtime, models_dir):
    """CPU seconds and peak memory in MiB of one process."""
    options = ["--runtime", runtime, "--name", "any_occlusion", "--models-dir", models_dir]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = (
        "import resource, sys, subprocess\n"
        "quiet = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL}\n"
        "done = subprocess.run(sys.argv[1:], **quiet)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
        "sys.exit(done.returncode)"
    )
    command = [sys.executable, ROOT / "cli.py", "predict", *photos, *options]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, command)],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, int(done.stdout) / 1024


def summary(rows):
    first, every = ([row[0] for row in rows[what]] for what in ("first", "all"))
    return {
        "first_answer_cpu_s": statistics.median(first),
        "further_photograph_cpu_s": (statistics.median(every) - statistics.median(first)) / FURTHER,
        "peak_mib": statistics.median(row[1] for row in rows["first"]),
    }


def stages(photo, runtime, models_dir):
    """Wall seconds of import, load, finding the face, and the first answer."""
    done = subprocess.run(
        [sys.executable, "-c", STAGES, str(photo), runtime, str(models_dir)],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    return json.loads(done.stdout.splitlines()[-1])


def batches(models_dir, rounds=15):
    """Runtime -> batch -> median milliseconds of an answer, the runtimes in turns."""
    from fer_tf.data.sources.drawn import draw_face
    from fer_tf.inference.predict import ExpressionModel, find_model

    version = find_model("any_occlusion", models_dir)
    models = {name: ExpressionModel(version, name) for name in RUNTIMES}
    faces = np.stack([draw_face(number, number % 7, 0) for number in range(max(BATCHES))])
    times = {name: {count: [] for count in BATCHES} for name in RUNTIMES}
    for count in BATCHES:
        for round_number in range(rounds + 2):
            for name, model in models.items():
                start = perf_counter()
                model.answer(faces[:count])
                if round_number >= 2:  # The first ones prepare.
                    times[name][count].append(1000 * (perf_counter() - start))
    return {
        name: {str(count): statistics.median(values) for count, values in by_count.items()}
        for name, by_count in times.items()
    }


def show(numbers):
    table = Table("", *RUNTIMES, title="predict, model any_occlusion")
    runtimes = [numbers["runtimes"][name] for name in RUNTIMES]
    for key in ("first_answer_cpu_s", "further_photograph_cpu_s", "peak_mib"):
        table.add_row(key, *(f"{row[key]:.2f}" for row in runtimes))
    for stage in runtimes[0]["stages_s"]:
        table.add_row(f"{stage}, wall s", *(f"{row['stages_s'][stage]:.2f}" for row in runtimes))
    for count in map(str, BATCHES):
        values = [numbers["batch_ms"][name][count] for name in RUNTIMES]
        table.add_row(f"{count} faces, ms", *(f"{value:.1f}" for value in values))
    Console().print(table)


if __name__ == "__main__":
    main()
