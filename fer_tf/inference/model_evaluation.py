"""Measures a published model that recognises the occlusion, as its users ask it, on test faces."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.table import Table

from fer_tf.data.input_pipeline import UNCOVERED, find_database
from fer_tf.errors import UserError
from fer_tf.evaluation.metrics import Bootstrap, scores
from fer_tf.evaluation.run_set import groups_of
from fer_tf.export.model_store import read_manifest
from fer_tf.expressions import EXPRESSIONS
from fer_tf.inference.predict import ExpressionModel
from fer_tf.occlusion.kinds import ANY_OCCLUSION, DATABASES, RECOGNISED
from fer_tf.provenance import provenance

DATABASE_OF = {"none": UNCOVERED} | {kind: name for name, kind in DATABASES.items()}
"""Kind of occlusion -> the database whose test faces are covered so."""

SIGNATURES = {"path selection": "serving_default", "joint probability": "all_paths"}
"""How the networks are combined -> the signature that does it."""


def evaluate_model(version: Path, data_dir: Path) -> dict:
    """Measures a version on the test split of the config that its networks were trained on.

    Args:
        version: of a model of `fer_tf.export.any_occlusion`.
        data_dir: the TFDS data directory that holds the three databases.

    Returns:
        "provenance", "data", "split" and "kinds": kind of `RECOGNISED` -> "recognised", the share
        of the faces of which the model says so, "path selection" and "joint probability", each
        `fer_tf.evaluation.metrics.scores` with "recall": expression -> share of its faces answered
        rightly.

    Raises:
        UserError: if the model recognises no occlusion, or the databases are not prepared or hold
            other faces than those it was trained on.
    """
    manifest = read_manifest(version)
    if "answering" not in manifest:
        raise UserError(f"{version} is of one database; measure it with `evaluate DATABASE`.")
    config = manifest["config"]
    whole = find_database(f"{UNCOVERED}/{config}", data_dir)
    if whole.fingerprint() != manifest["data_fingerprint"]:
        raise UserError(
            f"{version} was trained on other faces than {data_dir} holds as {config} now, some of "
            "which may be among its test faces; build the databases anew from the same files, or "
            "combine networks that were trained on these."
        )
    model, kinds = ExpressionModel(version), {}
    for kind in RECOGNISED:
        database = find_database(f"{DATABASE_OF[kind]}/{config}", data_dir)
        data = database.read("test", stream=False)
        bootstrap = Bootstrap(groups_of(database, data))
        kinds[kind] = {"faces": str(database)}
        for name, signature in SIGNATURES.items():
            answer = model.ask(signature, data.images[..., 0])
            right = answer["class_id"] == data.labels
            kinds[kind][name] = scores(data.labels, answer["class_id"], bootstrap) | {
                "recall": {
                    expression: float(right[data.labels == label].mean())
                    for label, expression in enumerate(EXPRESSIONS)
                    if (data.labels == label).any()
                }
            }
        recognised = np.array([each.decode() for each in answer["occlusion"]]) == kind
        kinds[kind]["recognised"] = float(recognised.mean())
    return {
        "provenance": provenance(),
        "model": f"{version.parent.name}, version {version.name}",
        "data": f"{ANY_OCCLUSION}/{config}",
        "split": "test",
        "kinds": kinds,
    }


def table(measured: Mapping) -> Table:
    """The numbers of `evaluate_model` for a terminal."""
    columns = ("faces", "recognised, %", "path selection, %", "joint probability, %", "balanced, %")
    shown = Table(*columns, title=f"{measured['model']}, {measured['split']} faces")
    for kind, row in measured["kinds"].items():
        cells = [f"{100 * row['recognised']:.1f}"]
        for name in SIGNATURES:
            low, high = row[name]["accuracy_95"]
            cells.append(f"{100 * row[name]['accuracy']:.1f} ({100 * low:.1f} to {100 * high:.1f})")
        cells.append(f"{100 * row['path selection']['balanced_accuracy']:.1f}")
        shown.add_row(kind, *cells)
    return shown
