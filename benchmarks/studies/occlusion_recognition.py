"""How often OcclusionNet tells how a face is covered, on faces that it did not learn from.

    python cli.py train occlusion_net
    python benchmarks/studies/occlusion_recognition.py --json results/occlusion_recognition.json

Three tables. Kinds: each face of the split once for each kind, drawn as for training with other
random numbers. Occluders: each occluder of `fer_tf.occlusion.occluders.draw` by itself.
Independent: the masks, sunglasses and headsets of `fer_tf.occlusion.occluders.photo`, which nothing
was learnt from, drawn into the face enlarged four times. All are drawn; no face wears a real mask.

Columns: how many pictures; share recognised, with Wilson's 95 % interval; what they were taken
for. FER2013's uncovered faces hold some that wear sunglasses or hold a hand to the mouth: they
count as "none" and lower its share.
"""

import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table
from run_options import run_options
from scipy.stats import binomtest

from fer_tf.data.database import UNCOVERED, find_database
from fer_tf.data.input_pipeline import evaluation_batches
from fer_tf.data.occluder_dataset import draw_split, eye_boxes
from fer_tf.export.any_occlusion import occlusion_folder
from fer_tf.faces.face import FACE_SIZE
from fer_tf.files import plain, write_json
from fer_tf.occlusion.kinds import RECOGNISED
from fer_tf.occlusion.occluders.draw import OCCLUDERS, draw_occluder
from fer_tf.occlusion.occluders.photo import OCCLUDERS as INDEPENDENT
from fer_tf.provenance import provenance
from fer_tf.records.run import read_run
from fer_tf.training.checkpoint import load_best
from fer_tf.training.run_folder import checkpoint_sha256

KIND_OF = {"mask": "lower", "sunglasses": "eyes", "headset": "upper"}
ENLARGED = 4


def main():
    parser = run_options(__doc__, UNCOVERED, recipe=None)
    parser.add_argument("--split", default="test", choices=("validation", "test"))
    parser.add_argument("--faces", type=int, default=1000, help="to draw each occluder into")
    arguments = parser.parse_args()

    database = find_database(arguments.database, arguments.data_dir)
    folder = occlusion_folder(arguments.runs_dir, database.config)
    run, network = read_run(folder), load_best(folder)

    def measure(images, kind):
        logits = network.predict(evaluation_batches(np.stack(images)[..., np.newaxis]), verbose=0)
        return row_of(logits.argmax(axis=1), kind)

    images, classes = draw_split(database, arguments.split, seed=1)
    kinds = {
        kind: measure(images[classes == number, ..., 0], kind)
        for number, kind in enumerate(RECOGNISED)
    }
    faces = database.read(arguments.split).images[..., 0]
    random = np.random.default_rng(2)
    faces = faces[random.permutation(len(faces))[: arguments.faces]]
    boxes = eye_boxes(faces)
    occluders = {
        kind: {
            name: measure(
                [
                    draw_occluder(face, eyes, kind, random, name)
                    for face, eyes in zip(faces, boxes, strict=True)
                ],
                kind,
            )
            for name in names
        }
        for kind, names in OCCLUDERS.items()
    }
    independent = {
        f"{name}, {shade}": measure(
            [draw_large(*pair, draw, colour) for pair in zip(faces, boxes, strict=True)],
            KIND_OF[name],
        )
        for name, (draw, colours) in INDEPENDENT.items()
        for shade, colour in colours.items()
    }
    numbers = {
        "provenance": provenance(),
        "data": f"{database}, {arguments.split}: {len(images) // len(RECOGNISED):,} faces for the "
        f"kinds, {len(faces):,} for each occluder",
        "run": {name: getattr(run, name) for name in ("commit", "seed", "best_epoch", "weights")}
        | {"recipe": plain(run.recipe), "sha256": checkpoint_sha256(folder)},
        "kinds": kinds,
        "occluders": occluders,
        "independent": independent,
    }
    show(numbers)
    if arguments.json:
        write_json(arguments.json, numbers)


def row_of(answers, kind):
    """What a network said of pictures of one kind."""
    right = answers == RECOGNISED.index(kind)
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    taken = np.bincount(answers, minlength=len(RECOGNISED)) / len(answers)
    return {
        "kind": kind,
        "images": len(answers),
        "recognised": float(right.mean()),
        "95": [float(interval.low), float(interval.high)],
        "taken_for": dict(zip(RECOGNISED, taken.round(4).tolist(), strict=True)),
    }


def draw_large(face, boxes, draw, colour):
    """The face with an independent occluder, uint8 [48, 48], placed by the boxes' middles."""
    side = ENLARGED * FACE_SIZE
    large = cv2.cvtColor(cv2.resize(face, (side, side)), cv2.COLOR_GRAY2BGR)
    draw(large, ENLARGED * (boxes[:, :2] + boxes[:, 2:] / 2) - 0.5, colour)
    small = cv2.resize(large, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)


def show(numbers):
    table = Table(title=f"OcclusionNet on {numbers['data']}")
    for column in ("", "kind", "recognised % (95 %)", *RECOGNISED):
        table.add_column(column, justify="right" if column else "left")
    parts = {"all as in training": numbers["kinds"]}
    parts |= {f"{kind}: by itself": rows for kind, rows in numbers["occluders"].items()}
    parts["independent drawings"] = numbers["independent"]
    for part, rows in parts.items():
        table.add_section()
        table.add_row(f"[bold]{part}")
        for name, row in rows.items():
            low, high = (100 * bound for bound in row["95"])
            taken = (f"{100 * share:.1f}" for share in row["taken_for"].values())
            shown = f"{100 * row['recognised']:.1f} ({low:.1f} to {high:.1f})"
            table.add_row(name, row["kind"], shown, *taken)
    Console().print(table)


if __name__ == "__main__":
    main()
