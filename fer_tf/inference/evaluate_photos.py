"""A model's accuracy on a user's own photographs, and a figure of its answers."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from fer_tf.errors import UserError
from fer_tf.export.model_card import named_with_accuracy
from fer_tf.faces.picture_files import left_out
from fer_tf.faces.pictures import read_files, summary
from fer_tf.inference.outputs import progress_bar
from fer_tf.inference.photo_folders import (
    accuracy_table,
    add_labels,
    choose_shown,
    find_labelled,
    panels,
    sentences,
)
from fer_tf.inference.predict import ExpressionModel, check_runtime, find_model
from fer_tf.inference.prediction_files import output_file
from fer_tf.plots.results import plot_predictions


@dataclass(frozen=True)
class PhotoEvaluation:
    """The accuracy of a model on labelled photographs.

    Attributes:
        table: the number of correct predictions for each expression.
        sentences: report the accuracy, the model, and the files written or left out.
        failure: a sentence on the files that could not be read, or None.
    """

    table: Table
    sentences: list[str]
    failure: str | None


def evaluate_photos(
    folder: Path,
    figure: Path | None,
    name: str | None,
    models_dir: Path,
    load_tensorflow: Callable[[], None],
) -> PhotoEvaluation:
    """Measures a model on photographs that are sorted into folders by their expression.

    Args:
        folder: see `fer_tf.inference.photo_folders.find_labelled`.
        figure: a PNG file for the faces with the answers, outside `folder`; or None.
        name: the model's name, see `fer_tf.inference.predict.find_model`.
        models_dir: where models are found.
        load_tensorflow: imports TensorFlow; called where the model needs it, once the photographs
            and the model have been found.

    Raises:
        UserError: if there is no such folder or model, the figure cannot be written, or no
            photograph can be read.
    """
    failures, skipped = {}, []
    photos = find_labelled(folder, skipped)
    if figure and figure.suffix.lower() != ".png":
        raise UserError(f"--figure got {figure}; the name of a PNG file is expected.")
    if figure and folder.resolve() in figure.resolve().parents:
        raise UserError(f"--figure {figure} lies among the photographs; name another place.")
    version = find_model(name, models_dir)
    with output_file(figure) if figure else contextlib.nullcontext() as out:
        if check_runtime(version):
            load_tensorflow()
        with progress_bar(list(photos), False) as bar:
            pictures = read_files(bar.track(photos, description="Files"), 1, failures)
            answers = add_labels(photos, ExpressionModel(version).predict(pictures))
        failure = summary(failures, len(photos)) if failures else None
        if not answers:
            raise UserError(failure)
        lines = choose_shown(answers)
        if out:
            plot_predictions(panels(lines), out)
    result = [
        *sentences(answers),
        *left_out(skipped),
        f"Answered by {named_with_accuracy(version)}",
    ]
    if figure:
        count = sum(len(line) for line in lines)
        result.append(f"Wrote {figure}: {count} of {len(answers)} photographs")
    return PhotoEvaluation(accuracy_table(answers), result, failure)
