"""An evaluation as files beside the runs that it measured, and on the terminal."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_tf.evaluation.ensembles import FLAT, JOINT, PATH_SELECTION
from fer_tf.evaluation.evaluate import Evaluation
from fer_tf.expressions import EXPRESSIONS, PATHS
from fer_tf.files import write_json, written_beside
from fer_tf.models.networks import title_of
from fer_tf.plots.faces import plot_losses
from fer_tf.plots.results import (
    Panel,
    plot_attention,
    plot_confusions,
    plot_predictions,
    plot_reliability,
)
from fer_tf.training.callbacks import validation_losses

EVALUATION = "evaluation.json"
"""In the recipe's folder; beside it `methods.csv` and the figures."""

FACELESS = ("losses.png", "confusion.png", "reliability.png")
"""The figures that show no face of the database."""

_SHOWN = (PATH_SELECTION, JOINT, FLAT)


def write_evaluation(evaluation: Evaluation, parent: Path, provenance: dict) -> list[Path]:
    """Writes evaluation.json, methods.csv, and figures 5, 6 and 7 of the paper.

    These are losses.png, confusion.png and predictions.png; reliability.png and attention.png are
    new. predictions.png and attention.png show faces of the split; pictures of real ones must not
    be passed on.

    Args:
        evaluation: what `fer_tf.evaluation.evaluate.evaluate` returned.
        parent: the recipe's folder.
        provenance: what `fer_tf.provenance.provenance` returned.

    Returns:
        The files.
    """
    numbers, title = evaluation.numbers, f"{evaluation.numbers['database']}, recipe {parent.name}"
    write_json(parent / EVALUATION, {"provenance": provenance} | numbers)
    write_csv(parent / "methods.csv", [flat_row(row) for row in numbers["methods"]])
    written = [parent / EVALUATION, parent / "methods.csv"]
    shown = [name for name in _SHOWN if name in evaluation.answers]
    said = {name: evaluation.answers[name].argmax(axis=1) for name in shown}
    if losses := validation_losses(evaluation.folders):
        plot_losses(losses, parent / "losses.png", title)
        written.append(parent / "losses.png")
    if shown:
        plot_confusions(evaluation.split.labels, said, parent / "confusion.png", title)
        curves = {name: numbers["reliability"][name] for name in shown}
        plot_reliability(curves, parent / "reliability.png", title)
        written += [parent / "confusion.png", parent / "reliability.png"]
    if PATH_SELECTION in shown:
        with written_beside(parent / "predictions.png") as out:
            plot_predictions(_panels(evaluation), out)
        written.append(parent / "predictions.png")
    rows = _one_of_each(evaluation.split.labels)
    images = evaluation.split.images[rows]
    if maps := _attention(evaluation, images):
        titles = [EXPRESSIONS[label] for label in evaluation.split.labels[rows]]
        plot_attention(images, maps, parent / "attention.png", titles)
        written.append(parent / "attention.png")
    return written


def flat_row(row: dict) -> dict:
    """One table row from the numbers of `metrics.scores`; each interval becomes two columns."""
    line = {}
    for name, value in row.items():
        if name.endswith("_95"):
            line[name.replace("_95", "_low")], line[name.replace("_95", "_high")] = value
        elif not isinstance(value, dict | list):
            line[name] = value
    return line


def write_csv(path: Path, rows: Sequence[dict]) -> None:
    """Writes dicts as a table with all their keys; numbers with five digits."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()})
    with written_beside(path) as out:
        out.write(text.getvalue().encode())


def table(numbers: dict):
    """The networks as a `rich.table.Table`, percentages with 95 % intervals."""
    rows = _table(numbers, "network", "images", "accuracy", "majority", "balanced", "chance", "F1")
    for row in numbers["results"]:
        accuracy = _percent(row, "accuracy"), f"{100 * row['majority_baseline']:.1f}"
        balanced = _percent(row, "balanced_accuracy"), f"{100 * row['chance']:.1f}"
        f1 = f"{100 * row['macro_f1']:.1f}"
        rows.add_row(row["name"], str(row["images"]), *accuracy, *balanced, f1)
    return rows


def methods_table(numbers: dict):
    """The ways to combine networks as a `rich.table.Table`, all on the same images."""
    rows = _table(numbers, "method", "accuracy", "path right", "then label", "balanced", "F1")
    for row in numbers["methods"]:
        shares = ("path_right", "right_given_path", "balanced_accuracy", "macro_f1")
        cells = [f"{100 * row[name]:.1f}" for name in shares]
        rows.add_row(row["name"], _percent(row, "accuracy"), *cells)
    return rows


def sentences(numbers: dict) -> list[str]:
    """The comparisons, a sentence each."""
    return [
        "{one} minus {other}: {0:+.1f} points ({1:+.1f} to {2:+.1f}); of {3} images right in one "
        "alone it has {only_one_right}, McNemar p = {mcnemar_p:.2g}".format(
            *(100 * value for value in (row["difference"], *row["difference_95"])),
            row["only_one_right"] + row["only_other_right"],
            **row,
        )
        for row in numbers["comparisons"]
    ]


def _table(numbers, first, *others):
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    title = (
        f"{numbers['database']}, recipe {numbers['recipe']}: {numbers['images']:,} images of the "
        f"{numbers['split']} split, %"
    )
    rows = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))  # 80 columns are enough.
    rows.add_column(first, overflow="fold")
    for name in others:
        rows.add_column(name, justify="right", no_wrap=True)
    return rows


def _percent(row, name):
    values = (row[name], *row[f"{name}_95"])
    return "{:.1f} ({:.1f}-{:.1f})".format(*(100 * value for value in values))


def _panels(evaluation):
    """A line of right and a line of wrong answers, a column for each expression."""
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
    """The row of one image of each expression, drawn by lot, the same in every run."""
    rng = np.random.default_rng(0)
    rows = (np.flatnonzero(labels == label) for label in range(len(EXPRESSIONS)))
    return np.array([rng.choice(found) for found in rows if len(found)], int)


def _attention(evaluation, images):
    from fer_tf.models.expression_net import attention_maps, has_attention
    from fer_tf.training.checkpoint import load_best

    maps = {}
    for name, folder in evaluation.folders.items():
        network = load_best(folder)
        if has_attention(network):
            maps[title_of(name)] = attention_maps(network, images)
    return maps
