"""Numbers: how well trained networks, alone and combined, do on a database's test split."""

from pathlib import Path

import numpy as np
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from fer_tf.errors import InputError
from fer_tf.expressions import EXPRESSIONS, MULTI_NETWORK, TASKS
from fer_tf.input_pipeline import Database, evaluation_batches
from fer_tf.runs import RUN_FILE, read_run
from fer_tf.serving import checkpoint_sha256

RESAMPLES = 2000
"""Bootstrap resamples behind each 95 % interval."""


def evaluate(database: Database, run_folders: dict[str, Path], split: str = "test") -> dict:
    """Evaluates four networks and their path selection on one split.

    Args:
        database: the prepared database.
        run_folders: run folder of each network in `MULTI_NETWORK`, and of "flat" if it is trained.
        split: which split.

    Returns:
        A dict of plain values: the database, the recipe, under "sha256" that of each checkpoint,
        which says what was measured, and under "results" a list of dicts, one
        for each network and one for the combination, with "name", "images", "accuracy",
        "accuracy_95" (low, high), "floor" (share of the largest class), "balanced_accuracy",
        "balanced_accuracy_95" and "chance" (balanced accuracy of guessing); of the combination
        also "path_right", "right_given_path" and "confusion_matrix" (rows: true labels).

    Raises:
        InputError: if the runs were not trained on this database as it is now.
    """
    from fer_tf.checkpoint import load_best

    data = database.read(split)
    batches = evaluation_batches(data.images, data.labels)
    run, logits, results = None, {}, []
    for network, folder in run_folders.items():
        run = read_run(folder)
        if run["data_fingerprint"] != database.fingerprint():
            raise InputError(
                f"{folder / RUN_FILE} was trained on other faces than {database} holds now; train "
                "again with --restart."
            )
        logits[network] = load_best(folder).predict(batches, verbose=0)
        classes = np.array(TASKS[network].class_of)[data.labels]
        own = classes >= 0
        name = TASKS[network].title
        results.append(_scores(name, classes[own], logits[network][own].argmax(-1)))

    begin, *subnets = (logits[network] for network in MULTI_NETWORK)
    path = begin.argmax(-1)
    per_path = [
        np.array([labels[0] for labels in TASKS[network].expressions])[subnet.argmax(-1)]
        for network, subnet in zip(MULTI_NETWORK[1:], subnets, strict=True)
    ]
    combined = np.stack(per_path)[path, np.arange(len(path))]
    path_right = path == np.array(TASKS["begin"].class_of)[data.labels]
    results.append(
        _scores("combined", data.labels, combined)
        | {
            "path_right": float(path_right.mean()),
            "right_given_path": float((combined == data.labels)[path_right].mean()),
            "confusion_matrix": confusion_matrix(
                data.labels, combined, labels=range(len(EXPRESSIONS))
            ).tolist(),
        }
    )
    return {
        "database": str(database),
        "split": split,
        "recipe": run["recipe"]["name"],
        "labels": list(EXPRESSIONS),
        "sha256": {name: checkpoint_sha256(folder) for name, folder in run_folders.items()},
        "results": results,
    }


def table(numbers: dict):
    """What `evaluate` returned as a `rich.table.Table`, percentages with 95 % intervals."""
    from rich.table import Table

    columns = ("network", "images", "accuracy", "floor", "balanced accuracy", "chance")
    rows = Table(*columns, title=f"{numbers['database']}, {numbers['split']} split")
    for row in numbers["results"]:
        cells = [row["name"], str(row["images"])]
        for name, reference in (("accuracy", "floor"), ("balanced_accuracy", "chance")):
            low, high = row[f"{name}_95"]
            cells.append(f"{100 * row[name]:.1f} ({100 * low:.1f} to {100 * high:.1f})")
            cells.append(f"{100 * row[reference]:.1f}")
        rows.add_row(*cells)
    return rows


def _scores(name, truth, predicted):
    """Accuracy and balanced accuracy with intervals; truth and predicted int [N]."""
    present, counts = np.unique(truth, return_counts=True)
    accuracy_95, balanced_95 = _intervals(truth, predicted)
    return {
        "name": name,
        "images": len(truth),
        "accuracy": float((truth == predicted).mean()),
        "accuracy_95": accuracy_95,
        "floor": float(counts.max() / counts.sum()),
        "balanced_accuracy": float(balanced_accuracy_score(truth, predicted)),
        "balanced_accuracy_95": balanced_95,
        "chance": 1 / len(present),
    }


def _intervals(truth, predicted):
    """95 % intervals of accuracy and balanced accuracy by the percentile bootstrap.

    Resampling images with replacement is drawing a confusion matrix from a multinomial.
    """
    matrix = confusion_matrix(truth, predicted, labels=np.union1d(truth, predicted))
    count, classes = matrix.sum(), len(matrix)
    draws = np.random.default_rng(0).multinomial(count, matrix.ravel() / count, size=RESAMPLES)
    draws = draws.reshape(-1, classes, classes)
    right = np.diagonal(draws, axis1=1, axis2=2)
    totals = draws.sum(-1)
    with np.errstate(invalid="ignore"):
        balanced = np.nanmean(np.where(totals, right / totals, np.nan), axis=1)
    accuracy = right.sum(-1) / count
    return [np.quantile(values, (0.025, 0.975)).tolist() for values in (accuracy, balanced)]
