"""What the choice of the paths is worth: the paper's partition against one from confusions.

    python benchmarks/studies/partition.py --database concat_db

Of all partitions with as many expressions on the paths as the paper's has, the one is taken across
whose paths the flat network confuses the fewest images of the validation split. Its four networks
are trained as the paper's were, and both answer the same test images. Networks of another partition
live in a process of their own, where `fer_tf.expressions.PATHS` is the other one from the start.
"""

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import numpy as np
from run_options import run_options

from fer_tf import expressions
from fer_tf.files import plain, read_record, write_record
from fer_tf.records.evaluation import Evaluation


def main():
    parser = run_options(__doc__)
    parser.add_argument("--paths", type=json.loads, help="train this partition; used by itself")
    parser.add_argument("--answers", type=Path, help="where its answers go; used by itself")
    arguments = parser.parse_args()
    if arguments.paths:
        use(arguments.paths)
        train(arguments)
    else:
        compare_partitions(arguments)


def use(paths):
    """Makes another partition the one in use; before any other module of fer_tf is imported."""
    expressions.PATHS = {path: tuple(names) for path, names in paths.items()}
    expressions.TASKS = expressions.tasks_of(expressions.PATHS)


def train(arguments):
    """Trains the four networks of the partition in use beside a copy of the flat one."""
    from fer_tf.data.database import find_database
    from fer_tf.evaluation.evaluate import evaluate
    from fer_tf.training.recipes import get_recipe
    from fer_tf.training.run_folder import RunKey
    from fer_tf.training.session import TrainingSession
    from fer_tf.training.train import train_network

    database = find_database(arguments.database, arguments.data_dir)
    key = RunKey.of(database, get_recipe(arguments.recipe))
    runs_dir = arguments.runs_dir / "other_partition"
    flat = key.folder(runs_dir, "flat")
    copy_run(key.folder(arguments.runs_dir, "flat"), flat)
    splits = [database.read(name) for name in ("train", "validation")]
    for network in expressions.MULTI_NETWORK:
        parts = (split.for_task(expressions.TASKS[network]) for split in splits)
        train_network(network, key, *parts, runs_dir, TrainingSession(verbose=2))
    evaluation = evaluate(database, flat.parent)
    write_record(arguments.answers.with_suffix(".json"), evaluation.numbers)
    np.savez(arguments.answers, **evaluation.answers)


def copy_run(source, folder):
    """Copies the flat network's run, which knows no paths but those that it was written with."""
    from fer_tf.records.run import read_run, write_run

    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    paths = {path: list(names) for path, names in expressions.PATHS.items()}
    write_run(folder, replace(read_run(folder), paths=paths))


def compare_partitions(arguments):
    """Derives the other partition, has it trained, compares."""
    from fer_tf.data.database import find_database
    from fer_tf.evaluation.ensembles import FLAT, JOINT, PATH_SELECTION
    from fer_tf.evaluation.evaluate import evaluate
    from fer_tf.evaluation.metrics import Bootstrap, compare
    from fer_tf.evaluation.run_set import groups_of
    from fer_tf.files import write_json
    from fer_tf.provenance import provenance

    database = find_database(arguments.database, arguments.data_dir)
    parent = arguments.runs_dir / database.name / database.config / arguments.recipe
    held_out = evaluate(database, parent, "validation")
    confused = confusion(held_out.split.labels, held_out.answers[FLAT].argmax(axis=1))
    paths = fewest_crossings(confused)
    print("From confusions:", " | ".join(", ".join(names) for names in paths.values()))
    with tempfile.TemporaryDirectory() as place:
        answers = Path(place) / "answers.npz"
        own = ["--paths", json.dumps(paths), "--answers", str(answers)]
        subprocess.run([sys.executable, __file__, *sys.argv[1:], *own], check=True)
        theirs = dict(np.load(answers))
        their_numbers = read_record(answers.with_suffix(".json"), Evaluation, "try again")
    ours = evaluate(database, parent)
    labels = ours.split.labels
    bootstrap = Bootstrap(groups_of(database, ours.split))

    def right(answers, method):
        return answers[method].argmax(axis=1) == labels

    numbers = {
        "provenance": provenance(),
        "data": f"{database}, {len(labels):,} test images",
        "recipe": arguments.recipe,
        "partitions": {
            "paper": describe(expressions.PATHS, confused, ours.numbers),
            "confusions": describe(paths, confused, their_numbers),
        },
        "confusions_minus_paper": {
            method: vars(compare(right(theirs, method), right(ours.answers, method), bootstrap))
            for method in (PATH_SELECTION, JOINT)
        },
        "confusions_minus_flat": {
            method: vars(compare(right(theirs, method), right(ours.answers, FLAT), bootstrap))
            for method in (PATH_SELECTION, JOINT)
        },
    }
    print(json.dumps(numbers, indent=1, default=plain))
    if arguments.json:
        write_json(arguments.json, numbers)


def confusion(truth, said) -> np.ndarray:
    """Images by true and by said label, int [7, 7]."""
    count = len(expressions.EXPRESSIONS)
    return np.bincount(truth * count + said, minlength=count**2).reshape(count, count)


def fewest_crossings(confused: np.ndarray) -> dict[str, list[str]]:
    """The partition across whose paths the fewest images are confused, sizes as the paper's."""
    sizes = [len(names) for names in expressions.PAPER_PATHS.values()]
    best = min(partitions(range(len(confused)), sizes), key=lambda p: crossings(confused, p))
    names = np.array(expressions.EXPRESSIONS)
    return {
        path: names[list(labels)].tolist()
        for path, labels in zip(expressions.PAPER_PATHS, best, strict=True)
    }


def partitions(labels, sizes):
    """All ways to split labels into parts of these sizes, each part in label order."""
    if not sizes:
        yield ()
        return
    for part in itertools.combinations(labels, sizes[0]):
        rest = [label for label in labels if label not in part]
        for others in partitions(rest, sizes[1:]):
            yield (part, *others)


def crossings(confused, parts):
    """Images whose true and said label lie on two paths."""
    return int(confused.sum() - sum(confused[np.ix_(part, part)].sum() for part in parts))


def describe(paths, confused, numbers):
    """A partition, what flat confuses across it, and the accuracies of its networks."""
    parts = [[expressions.EXPRESSIONS.index(name) for name in names] for names in paths.values()]
    methods = {row.name: plain(row) for row in numbers.methods}
    return {
        "paths": {path: list(names) for path, names in paths.items()},
        "flat_confused_across_on_validation": crossings(confused, parts),
        "networks": [plain(row) for row in numbers.results],
        "methods": {name: methods[name] for name in ("path selection", "joint probability")},
    }


if __name__ == "__main__":
    main()
