"""Measures a model that recognises the occlusion on test faces, through its signatures."""

from pathlib import Path

import numpy as np
from rich.table import Table

from fer_tf.data.database import UNCOVERED, find_database
from fer_tf.errors import UserError
from fer_tf.evaluation.metrics import Bootstrap, scores
from fer_tf.evaluation.run_set import groups_of
from fer_tf.expressions import EXPRESSIONS
from fer_tf.inference.predict import ExpressionModel
from fer_tf.occlusion.kinds import ANY_OCCLUSION, DATABASES, RECOGNISED
from fer_tf.percent import accuracy_with_interval, percent
from fer_tf.provenance import provenance
from fer_tf.records.manifest import KindEvaluation, ModelEvaluation, RecallScores, read_manifest

DATABASE_OF = {"none": UNCOVERED} | {kind: name for name, kind in DATABASES.items()}
"""Kind of occlusion -> the database whose test faces are covered so."""

SIGNATURES = {"path_selection": "serving_default", "joint_probability": "all_paths"}
"""Field of `KindEvaluation` -> the signature that it measures."""


def evaluate_model(version: Path, data_dir: Path) -> ModelEvaluation:
    """Measures a version on the test split of the config that its networks were trained on.

    Args:
        version: of a model of `fer_tf.export.any_occlusion`.
        data_dir: the TFDS data directory that contains the three databases.

    Raises:
        UserError: if the model recognises no occlusion, or the databases are not prepared or
            contain other faces than those it was trained on.
    """
    manifest = read_manifest(version)
    if not manifest.recognises_occlusion:
        raise UserError(f"{version} is of one database; measure it with `evaluate DATABASE`.")
    whole = find_database(f"{UNCOVERED}/{manifest.config}", data_dir)
    if whole.fingerprint() != manifest.data_fingerprint:
        raise UserError(
            f"{version} was trained on other faces than {data_dir} holds as {manifest.config} now, "
            "some of which may be among its test faces; build the databases anew from the same "
            "files, or combine networks that were trained on these."
        )
    model = ExpressionModel(version)
    return ModelEvaluation(
        provenance=provenance(),
        model=f"{version.parent.name}, version {version.name}",
        data=f"{ANY_OCCLUSION}/{manifest.config}",
        split="test",
        kinds={
            kind: _evaluate_kind(
                model, kind, find_database(f"{DATABASE_OF[kind]}/{manifest.config}", data_dir)
            )
            for kind in RECOGNISED
        },
    )


def _evaluate_kind(model, kind, database):
    data = database.read("test", stream=False)
    bootstrap = Bootstrap(groups_of(database, data))
    measured = {}
    for method, signature in SIGNATURES.items():
        answer = model.ask(signature, data.images[..., 0])
        right = answer["class_id"] == data.labels
        recall = {
            expression: float(right[data.labels == label].mean())
            for label, expression in enumerate(EXPRESSIONS)
            if (data.labels == label).any()
        }
        scored = scores(data.labels, answer["class_id"], bootstrap)
        measured[method] = RecallScores(**vars(scored), recall=recall)
    recognised = np.array([each.decode() for each in answer["occlusion"]]) == kind
    return KindEvaluation(faces=str(database), recognised=float(recognised.mean()), **measured)


def model_table(measured: ModelEvaluation) -> Table:
    """The scores for a terminal."""
    columns = ("faces", "recognised, %", "path selection, %", "joint probability, %", "balanced, %")
    table = Table(*columns, title=f"{measured.model}, {measured.split} faces")
    for kind, row in measured.kinds.items():
        table.add_row(
            kind,
            percent(row.recognised),
            accuracy_with_interval(row.path_selection),
            accuracy_with_interval(row.joint_probability),
            percent(row.path_selection.balanced_accuracy),
        )
    return table
