"""Whether path selection beats one flat network: of equal recipe, of equal weights, of equal work.

    python benchmarks/studies/flat_or_paths.py --database concat_db

Four networks have four times the weights of a flat one, and of them two answer each face. So the
flat network is compared with four networks of the same recipe; with four of half the groups, which
of `quick` is 0.31 of the weights; and two flat networks, with and without attention, their
probabilities averaged, with path selection, which does as much work for each face. Where the four
start from the flat network, a fifth goes on from there on all seven expressions for as long as
BeginNet does, with its schedule: so more training is told from more networks. What is not trained
yet is trained.
"""

import dataclasses
import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from rich.console import Console
from rich.table import Table
from run_options import run_options

from fer_tf.data.database import find_database
from fer_tf.evaluation.ensembles import (
    FLAT,
    FLAT_LONGER,
    FLAT_NO_ATTENTION,
    JOINT,
    PATH_SELECTION,
    TWO_FLAT,
)
from fer_tf.evaluation.evaluate import EvaluatedSplit, evaluate
from fer_tf.evaluation.metrics import Bootstrap, compare, scores
from fer_tf.evaluation.report import sentences
from fer_tf.evaluation.run_set import LONGER, groups_of
from fer_tf.expressions import MULTI_NETWORK, TASKS
from fer_tf.files import write_json
from fer_tf.provenance import provenance
from fer_tf.records.run import read_run
from fer_tf.training.checkpoint import load_best
from fer_tf.training.recipe_changes import with_changes
from fer_tf.training.recipes import get_recipe
from fer_tf.training.run_folder import RunKey
from fer_tf.training.session import TrainingSession
from fer_tf.training.train import train_network


def main():
    parser = run_options(__doc__)
    arguments = parser.parse_args()

    database = find_database(arguments.database, arguments.data_dir)
    recipe = get_recipe(arguments.recipe)
    backbone = dataclasses.replace(recipe.backbone, groups=recipe.backbone.groups // 2)
    quarter = dataclasses.replace(recipe, name=f"{recipe.name}-quarter", backbone=backbone)
    splits = {name: database.read(name) for name in ("train", "validation")}
    evaluations, weights = {}, {}
    for name, variant, networks in (
        ("full", recipe, (FLAT, *MULTI_NETWORK)),
        ("no attention", with_changes(recipe, attention=False), (FLAT,)),
        ("quarter", quarter, quarter.multi_network),
    ):
        key = RunKey.of(database, variant)
        for network in networks:
            parts = (split.for_task(TASKS[network]) for split in splits.values())
            train_network(network, key, *parts, arguments.runs_dir, TrainingSession(verbose=2))
        if name == "full" and recipe.init_from:
            train_longer(database, recipe, splits, arguments.runs_dir)
        parent = key.folder(arguments.runs_dir, FLAT).parent
        weights[name] = {n: read_run(parent / n).weights for n in networks}
    for name, variant in (("full", recipe), ("quarter", quarter)):
        parent = RunKey.of(database, variant).folder(arguments.runs_dir, FLAT).parent
        evaluations[name] = evaluate(database, parent)

    numbers = measure(database, evaluations, weights) | {"provenance": provenance()}
    show(numbers, evaluations["full"].numbers)
    if arguments.json:
        write_json(arguments.json, numbers)


def train_longer(database, recipe, splits, runs_dir):
    """Goes on with the flat network as BeginNet does."""
    start = load_best(RunKey.of(database, recipe).folder(runs_dir, FLAT))
    schedules = recipe.schedules | {FLAT: recipe.schedules["begin"]}
    longer = dataclasses.replace(recipe, name=f"{recipe.name}{LONGER}", schedules=schedules)
    parts = (split.for_task(TASKS[FLAT]) for split in splits.values())
    train_network(
        FLAT, RunKey.of(database, longer), *parts, runs_dir, TrainingSession(verbose=2), start=start
    )


def measure(database, evaluations: dict[str, EvaluatedSplit], weights) -> dict:
    """Accuracy, weights and work of each way, and its difference from the flat network."""
    full, quarter = evaluations["full"], evaluations["quarter"]
    four, small = (
        sum(weights[name][network] for network in MULTI_NETWORK) for name in ("full", "quarter")
    )
    one = weights["full"][FLAT]
    counts = {FLAT: one, FLAT_NO_ATTENTION: one, FLAT_LONGER: one, TWO_FLAT: 2 * one}
    counts |= {PATH_SELECTION: four, JOINT: four}
    answers = {name: full.answers[name] for name in counts if name in full.answers}
    for name in (PATH_SELECTION, JOINT):
        answers[f"{name}, a quarter each"] = quarter.answers[name]
        counts[f"{name}, a quarter each"] = small
    labels = full.split.labels
    bootstrap = Bootstrap(groups_of(database, full.split))
    right = {name: answer.argmax(axis=1) == labels for name, answer in answers.items()}
    return {
        "data": f"{database}, {len(labels):,} test images",
        "recipe": full.numbers.recipe,
        "sha256": {name: each.numbers.sha256 for name, each in evaluations.items()},
        "ways": [
            {"name": name, "weights": counts[name]}
            | vars(scores(labels, answer.argmax(axis=1), bootstrap))
            | {"minus_flat": vars(compare(right[name], right[FLAT], bootstrap))}
            for name, answer in answers.items()
        ],
        "comparisons": [vars(row) for row in full.numbers.comparisons],
    }


def show(numbers, evaluation):
    table = Table(title=f"{numbers['data']}, recipe {numbers['recipe']}, %")
    for column in ("", "weights", "accuracy", "minus flat", "p"):
        table.add_column(column, justify="right")
    for row in numbers["ways"]:
        change = row["minus_flat"]
        low, high = (100 * bound for bound in change["difference_95"])
        table.add_row(
            row["name"],
            f"{row['weights']:,}",
            f"{100 * row['accuracy']:.1f}",
            f"{100 * change['difference']:+.1f} ({low:+.1f} to {high:+.1f})",
            f"{change['mcnemar_p']:.2g}",
        )
    Console().print(table)
    for sentence in sentences(evaluation):
        print(sentence)


if __name__ == "__main__":
    main()
