"""What each step of recipe `strong` gains on the validation images of one database.

    python benchmarks/studies/strong_gains.py --database concat_db --json results/strong/gains.json

Compares on the same images, and never on test images:

- fine-tuning: the flat network of the database against that of all occlusions from which it began.
- mirroring: each against its mean with the answer for the mirror image.
- heads: path selection and joint probability of BeginNet and the subnets, which share the flat
  network's trunk, against the flat network.
- the teacher, on `uncovered` alone: against the flat network that learnt from it.

The networks must be trained: `python cli.py train flat --database mixed --recipe strong`, then
`python cli.py train all --database ... --recipe strong`.
"""

import json
import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import numpy as np
from rich.console import Console
from rich.table import Table
from run_options import run_options
from scipy.special import softmax

from fer_tf.data.database import MIXED, UNCOVERED, find_database
from fer_tf.evaluation.ensembles import FLAT, JOINT, PATH_SELECTION, joint, path_selection
from fer_tf.evaluation.metrics import Bootstrap, compare, scores
from fer_tf.evaluation.run_set import groups_of
from fer_tf.expressions import MULTI_NETWORK
from fer_tf.files import write_json
from fer_tf.provenance import provenance
from fer_tf.training.checkpoint import load_best
from fer_tf.training.recipes import get_recipe
from fer_tf.training.run_folder import RunKey

MIRRORED = ", mirrored"


def main():
    parser = run_options(__doc__, recipe="strong")
    arguments = parser.parse_args()
    database = find_database(arguments.database, arguments.data_dir)
    recipe = get_recipe(arguments.recipe)
    own = RunKey.of(database, recipe)
    mixed = RunKey.of(database.beside(MIXED), recipe)
    data = database.read("validation", stream=False)

    def answers_of(folder):
        """The softmax for the images and its mean with that for the mirror images."""
        network = load_best(folder)
        both = [
            softmax(network.predict(images, batch_size=256, verbose=0), axis=1)
            for images in (data.images, data.images[:, :, ::-1])
        ]
        return both[0], np.mean(both, axis=0)

    networks = {name: own.folder(arguments.runs_dir, name) for name in (FLAT, *MULTI_NETWORK)}
    networks[MIXED] = mixed.folder(arguments.runs_dir, FLAT)
    if database.name == UNCOVERED:
        for name in recipe.distillation.teachers:
            networks[name] = networks[FLAT].parents[1] / name / FLAT
    single, both = {}, {}
    for name, folder in networks.items():
        single[name], both[name] = answers_of(folder)
    answers = {}
    for suffix, found in (("", single), (MIRRORED, both)):
        for name in found:
            if name not in MULTI_NETWORK:
                answers[name + suffix] = found[name]
        answers[PATH_SELECTION + suffix] = path_selection(found)
        answers[JOINT + suffix] = joint(found)
        answers[f"{JOINT} and {FLAT}{suffix}"] = (joint(found) + found[FLAT]) / 2

    bootstrap = Bootstrap(groups_of(database, data))
    right = {name: answer.argmax(axis=1) == data.labels for name, answer in answers.items()}
    pairs = [(FLAT, MIXED), (PATH_SELECTION, FLAT), (JOINT, FLAT), (f"{JOINT} and {FLAT}", FLAT)]
    pairs += [(name + MIRRORED, name) for name in (MIXED, FLAT, PATH_SELECTION, JOINT)]
    pairs += [(FLAT, name) for name in networks if name.startswith("teacher")]
    numbers = {
        "provenance": provenance(),
        "data": f"{database}, {len(data.labels):,} validation images",
        "recipe": recipe.name,
        "ways": {
            name: vars(scores(data.labels, answer.argmax(axis=1), bootstrap))
            for name, answer in answers.items()
        },
        "gains": [
            {"one": one, "other": other} | vars(compare(right[one], right[other], bootstrap))
            for one, other in pairs
        ],
    }
    show(numbers)
    print(json.dumps({name: round(row["accuracy"], 4) for name, row in numbers["ways"].items()}))
    if arguments.json:
        write_json(arguments.json, numbers)


def show(numbers):
    table = Table("", "against", "points (95 %)", title=f"{numbers['data']}, {numbers['recipe']}")
    for row in numbers["gains"]:
        low, high = (100 * bound for bound in row["difference_95"])
        gain = f"{100 * row['difference']:+.1f} ({low:+.1f} to {high:+.1f})"
        table.add_row(row["one"], row["other"], gain)
    Console().print(table)


if __name__ == "__main__":
    main()
