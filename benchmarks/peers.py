r"""fer_tf beside the package `fer` on the same photographs: size, first answer, time, faces found.

    python -m venv ours && ours/bin/pip install .
    python -m venv peer && peer/bin/pip install fer==25.10.3
    python benchmarks/peers.py --ours ours/bin/python --peer peer/bin/python \
        --json results/peers.json

Each program has an environment of its own and reads the files itself. The photographs: portraits
drawn by this program, and the portrait that comes with Matplotlib, uncovered and with a mask, a
headset and sunglasses drawn over it. One process answers the first photograph, another one all; a
further photograph costs the difference divided by their number. Medians of the rounds. Accuracy on
held-out faces is in results/, not here: drawn faces and four photographs measure none.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
from rich.console import Console
from rich.table import Table

from fer_tf.app.example_pictures import write_examples
from fer_tf.data.sources.drawn import draw_portrait
from fer_tf.files import write_json
from fer_tf.provenance import provenance

DRAWN = 8

OURS = """
import json, sys
from fer_tf import ExpressionRecognizer
recognizer = ExpressionRecognizer()
found = [[face for face in recognizer(photo) if face.square] for photo in sys.argv[1:]]
print(json.dumps([[face.label for face in faces] for faces in found]))
"""

PEER = """
import json, sys
import cv2
from fer.fer import FER
detector = FER()
found = [detector.detect_emotions(cv2.imread(photo)) for photo in sys.argv[1:]]
print(json.dumps([[max(f["emotions"], key=f["emotions"].get) for f in faces] for faces in found]))
"""

MEASURED = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
use = resource.getrusage(resource.RUSAGE_CHILDREN)
print(use.ru_utime + use.ru_stime, use.ru_maxrss / 1024)
print(done.stdout.splitlines()[-1] if done.stdout else done.stderr)
sys.exit(done.returncode)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", type=Path, required=True, help="Python with fer_tf installed")
    parser.add_argument("--peer", type=Path, required=True, help="Python with fer installed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    programs = {"fer_tf": (arguments.ours, OURS), "fer": (arguments.peer, PEER)}
    with tempfile.TemporaryDirectory() as folder:
        photos = draw(Path(folder))
        rows = {name: {"first": [], "all": []} for name in programs}
        labels = {}
        for _ in range(arguments.rounds):  # The programs in turns.
            for name, (python, code) in programs.items():
                first, _ = run(python, code, photos[:1])
                every, labels[name] = run(python, code, photos)
                rows[name]["first"].append(first)
                rows[name]["all"].append(every)
    numbers = {
        "provenance": provenance(),
        "rounds": arguments.rounds,
        "photographs": [photo.name for photo in photos],
        "programs": {
            name: {
                "installed_mb": size_of(python.parents[1]),
                **summary(rows[name], len(photos) - 1),
                "photographs_with_a_face": sum(bool(faces) for faces in labels[name]),
                "labels": labels[name],
            }
            for name, (python, _) in programs.items()
        },
    }
    show(numbers)
    if arguments.json:
        write_json(arguments.json, numbers)


def draw(folder):
    photos = [folder / f"drawn_{number}.png" for number in range(DRAWN)]
    for number, photo in enumerate(photos):
        cv2.imwrite(str(photo), draw_portrait(number, number % 7, 0, size=600))
    write_examples(folder / "examples")
    return photos + sorted((folder / "examples").iterdir())


def run(python, code, photos):
    """(CPU seconds, peak MiB) of a process, and its labels for each photograph."""
    command = [sys.executable, "-c", MEASURED, python, "-c", code, *photos]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    use, answer = done.stdout.split("\n", 1)
    if done.returncode:
        sys.exit(f"{python} failed: {answer}")
    seconds, memory = map(float, use.split())
    return (seconds, memory), json.loads(answer)


def summary(rows, further):
    first, every = (statistics.median(row[0] for row in rows[key]) for key in ("first", "all"))
    return {
        "first_answer_cpu_s": first,
        "further_photograph_cpu_s": (every - first) / further,
        "peak_mib": statistics.median(row[1] for row in rows["first"]),
    }


def size_of(environment):
    """Megabytes of the files in an environment."""
    paths = (path for path in environment.rglob("*") if not path.is_symlink())
    return round(sum(path.stat().st_size for path in paths if path.is_file()) / 1e6)


def show(numbers):
    programs = numbers["programs"]
    count = len(numbers["photographs"])
    table = Table(
        "", *programs, title=f"{count} photographs, medians of {numbers['rounds']} rounds"
    )
    for key in ("installed_mb", "peak_mib"):
        table.add_row(key, *(f"{row[key]:,.0f}" for row in programs.values()))
    for key in ("first_answer_cpu_s", "further_photograph_cpu_s"):
        table.add_row(key, *(f"{row[key]:.2f}" for row in programs.values()))
    found = (f"{row['photographs_with_a_face']} of {count}" for row in programs.values())
    table.add_row("photographs with a face", *found)
    Console().print(table)


if __name__ == "__main__":
    main()
