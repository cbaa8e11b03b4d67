"""Files and terminal tables of an evaluation."""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from fer_tf.evaluation.ensembles import FLAT, JOINT, PATH_SELECTION
from fer_tf.evaluation.evaluate import EvaluatedSplit
from fer_tf.expressions import EXPRESSIONS, PATHS
from fer_tf.files import write_record, written_beside
from fer_tf.models.networks import title_of
from fer_tf.percent import (
    accuracy_with_interval,
    percent,
    percent_with_interval,
    points_with_interval,
)
from fer_tf.plots.faces import plot_losses
from fer_tf.plots.results import (
    Panel,
    plot_attention,
    plot_confusions,
    plot_predictions,
    plot_reliability,
)
from fer_tf.provenance import Provenance
from fer_tf.records.evaluation import EVALUATION, Evaluation
from fer_tf.training.callbacks import validation_losses

FACELESS = ("losses.png", "confusion.png", "reliability.png")
"""The figures that do not show faces."""

_SHOWN = (PATH_SELECTION, JOINT, FLAT)


def write_evaluation(
    evaluation: EvaluatedSplit, parent: Path, provenance: Provenance
) -> list[Path]:
    """Writes evaluation.json, methods.csv and figures into the folder of the runs.

    losses.png, confusion.png and predictions.png correspond to the paper's figures 5, 6 and 7;
    reliability.png and attention.png are additions. predictions.png and attention.png show faces of
    the split, which must not be passed on if the faces are real.

    Args:
        evaluation: from `fer_tf.evaluation.evaluate.evaluate`.
        parent: the recipe's folder.
        provenance: the program that measured.

    Returns:
        The files.
    """
    numbers, labels = evaluation.numbers, evaluation.split.labels
    title = f"{numbers.database}, recipe {parent.name}"
    write_record(parent / EVALUATION, replace(numbers, provenance=provenance))
    write_csv(parent / "methods.csv", [flat_row(row) for row in numbers.methods])
    written = [parent / EVALUATION, parent / "methods.csv"]
    shown = [name for name in _SHOWN if name in evaluation.answers]
    predicted = {name: evaluation.answers[name].argmax(axis=1) for name in shown}
    if losses := validation_losses(evaluation.folders):
        plot_losses(losses, parent / "losses.png", title)
        written.append(parent / "losses.png")
    if shown:
        plot_confusions(labels, predicted, parent / "confusion.png", title)
        curves = {name: numbers.reliability[name] for name in shown}
        plot_reliability(curves, parent / "reliability.png", title)
        written += [parent / "confusion.png", parent / "reliability.png"]
    if PATH_SELECTION in shown:
        with written_beside(parent / "predictions.png") as out:
            plot_predictions(_panels(evaluation), out)
        written.append(parent / "predictions.png")
    rows = _one_of_each(labels)
    images = evaluation.split.images[rows]
    if maps := _attention(evaluation, images):
        titles = [EXPRESSIONS[label] for label in labels[rows]]
        plot_attention(images, maps, parent / "attention.png", titles)
        written.append(parent / "attention.png")
    return written


def flat_row(record) -> dict:
    """Returns a dataclass of scores as a table row; each interval becomes two columns."""
    row = {}
    for name, value in vars(record).items():
        if name.endswith("_95"):
            row[name.replace("_95", "_low")], row[name.replace("_95", "_high")] = value
        elif value is not None and not isinstance(value, dict | list):
            row[name] = value
    return row


def write_csv(path: Path, rows: Sequence[dict]) -> None:
    """Writes dicts as a CSV table with a column for each key; numbers have five digits."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()})
    with written_beside(path) as out:
        out.write(text.getvalue().encode())


def networks_table(numbers: Evaluation) -> Table:
    """Returns the table of the networks: percentages with 95 % intervals."""
    table = _table(numbers, "network", "images", "accuracy", "majority", "balanced", "F1")
    for row in numbers.results:
        table.add_row(
            row.name,
            str(row.images),
            accuracy_with_interval(row),
            percent(row.majority_baseline),
            percent_with_interval(row.balanced_accuracy, row.balanced_accuracy_95),
            percent(row.macro_f1),
        )
    return table


def methods_table(numbers: Evaluation) -> Table:
    """Returns the table of the ensemble methods, all on the same images."""
    table = _table(numbers, "method", "accuracy", "path right", "then label", "balanced", "F1")
    for row in numbers.methods:
        shares = row.path_right, row.right_given_path, row.balanced_accuracy, row.macro_f1
        accuracy = accuracy_with_interval(row)
        table.add_row(row.name, accuracy, *map(percent, shares))
    return table


def sentences(numbers: Evaluation) -> list[str]:
    """Returns a sentence for each comparison."""
    return [
        f"{row.one} minus {row.other}: {points_with_interval(row)}; of "
        f"{row.only_one_right + row.only_other_right} images right in one alone it has "
        f"{row.only_one_right}, McNemar p = {row.mcnemar_p:.2g}"
        for row in numbers.comparisons
    ]


def below_baseline(numbers: Evaluation) -> list[str]:
    """Returns a phrase for each network that is not more accurate than its majority baseline."""
    return [
        f"{numbers.database} {row.name} {row.accuracy:.3f} (majority baseline "
        f"{row.majority_baseline:.3f})"
        for row in numbers.results
        if row.accuracy <= row.majority_baseline
    ]


def _table(numbers, first, *others):
    title = (
        f"{numbers.database}, recipe {numbers.recipe}: {numbers.images:,} images of the "
        f"{numbers.split} split, %"
    )
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))  # Fits 80 columns.
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _panels(evaluation):
    """A row of right and a row of wrong predictions, a column for each expression."""
    answer, labels = evaluation.answers[PATH_SELECTION], evaluation.split.labels
    path = evaluation.probabilities["begin"].argmax(axis=1)
    predicted = answer.argmax(axis=1)
    lines = []
    for right in (True, False):
        rows = _one_of_each(np.where((predicted == labels) == right, labels, -1))
        line = [None] * len(EXPRESSIONS)
        for image, row in zip(evaluation.split.images[rows], rows, strict=True):
            line[labels[row]] = Panel(
                image[..., 0],
                int(labels[row]),
                int(predicted[row]),
                float(answer[row].max()),
                list(PATHS)[path[row]],
            )
        lines.append(line)
    return lines


def _one_of_each(labels):
    """The index of one random image of each expression, the same in every call."""
    rng = np.random.default_rng(0)
    candidates = [np.flatnonzero(labels == label) for label in range(len(EXPRESSIONS))]
    return np.array([rng.choice(rows) for rows in candidates if len(rows)], int)


def _attention(evaluation, images):
    from fer_tf.models.expression_net import attention_maps, has_attention
    from fer_tf.training.checkpoint import load_best

    maps = {}
    for name, folder in evaluation.folders.items():
        network = load_best(folder)
        if has_attention(network):
            maps[title_of(name)] = attention_maps(network, images)
    return maps
