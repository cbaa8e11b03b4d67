"""A user's own photographs in folders named after expressions, with a model's answers."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import cv2
import numpy as np

from fer_tf.errors import UserError
from fer_tf.expressions import EXPRESSIONS, find_label
from fer_tf.faces.face import crop_square, read_picture
from fer_tf.faces.picture_files import PICTURE_SUFFIXES, entries
from fer_tf.faces.pictures import Picture
from fer_tf.files import is_rubbish
from fer_tf.inference.prediction import Prediction
from fer_tf.plots.results import Panel

MOST_SHOWN = 8
"""Photographs of each expression in the figure at most."""

SHOWN_SIDE = 240
"""Pixels to which larger face squares are reduced for the figure."""


@dataclass(frozen=True)
class LabelledPrediction:
    """A labelled photograph and a model's answer for it.

    Attributes:
        photo: the file.
        truth: its label, 0 to 6, by its folder.
        prediction: the answer for the largest face, or for the largest centred square where no face
            was found.
        faces: the number of faces that were found.
    """

    photo: Path
    truth: int
    prediction: Prediction
    faces: int

    @property
    def right(self) -> bool:
        """Whether the model answered with the label."""
        return self.prediction.class_id == self.truth


def find_labelled(folder: Path, skipped: list[Path] | None = None) -> dict[Path, int]:
    """Find the photographs in a folder's sub-folders, one for each expression.

    Args:
        folder: contains some of `Happiness/`, `Sadness/` and so on, in any case, or under another
            name that `fer_tf.expressions.find_label` knows. Pictures in folders below a sub-folder
            belong to it; files that `fer_tf.files.is_rubbish` names are left out.
        skipped: gets the files with other suffixes and the files beside the sub-folders.

    Returns:
        File -> its label, 0 to 6; label by label, then by name.

    Raises:
        UserError: if it is no folder, cannot be read, has a sub-folder of another name, or has no
            picture.
    """
    expected = f"{', '.join(EXPRESSIONS[:-1])} or {EXPRESSIONS[-1]}"
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; name one whose sub-folders are called {expected}.")
    children = entries(folder)
    labels = {path: find_label(path.name) for path in children if path.is_dir()}
    if unknown := [path.name for path, label in labels.items() if label is None]:
        raise UserError(
            f"{folder} has a sub-folder {unknown[0]!r}; {expected} is expected, by which the "
            "pictures in it are labelled: rename it or move it away."
        )
    files = {path: label for sub, label in labels.items() for path in _files(sub)}
    photos = {path: label for path, label in files.items() if _is_picture(path)}
    if skipped is not None:
        others = [path for path in (*children, *files) if path not in labels]
        skipped += [path for path in others if path not in photos]
    if not photos:
        raise UserError(
            f"{folder} has no picture in a sub-folder called {expected}; put the photographs of "
            f"each expression into its own, e.g. {folder / EXPRESSIONS[0] / 'a.jpg'}."
        )
    return dict(sorted(photos.items(), key=lambda item: (item[1], item[0])))


def add_labels(
    photos: dict[Path, int], predicted: Iterable[tuple[Picture, list[Prediction]]]
) -> list[LabelledPrediction]:
    """Combine predictions and labels; no picture is kept.

    Args:
        photos: the result of `find_labelled`.
        predicted: the pairs that `fer_tf.inference.predict.ExpressionModel.predict` yields.
    """
    return [
        LabelledPrediction(
            Path(picture.photo),
            photos[Path(picture.photo)],
            predictions[0],
            sum(each.square is not None for each in predictions),
        )
        for picture, predictions in predicted
    ]


def accuracy_table(answers: list[LabelledPrediction]):
    """The correct predictions of each of the seven expressions: a `rich.table.Table`."""
    from rich.table import Column, Table

    right, count = (Column(name, justify="right") for name in ("right", "photographs"))
    rows = Table("expression", right, count)
    for label, name in enumerate(EXPRESSIONS):
        right_ones = [answer.right for answer in answers if answer.truth == label]
        rows.add_row(name, str(sum(right_ones)), str(len(right_ones)))
    return rows


def sentences(answers: list[LabelledPrediction]) -> list[str]:
    """Sentences on the accuracy, with Wilson's 95 % confidence interval, and on faces not found.

    Args:
        answers: at least one.
    """
    right, count = sum(answer.right for answer in answers), len(answers)
    low, high = _wilson(right, count)
    majority = np.bincount([answer.truth for answer in answers]).argmax()
    baseline = sum(answer.truth == majority for answer in answers) / count
    lines = [
        f"{right} of {count} photographs right: {100 * right / count:.1f} % (95 % interval "
        f"{100 * low:.1f} to {100 * high:.1f}); always {EXPRESSIONS[majority]}: "
        f"{100 * baseline:.1f} %."
    ]
    if none := sum(answer.faces == 0 for answer in answers):
        lines.append(f"In {none} no face was found: the largest centred square was taken.")
    if several := sum(answer.faces > 1 for answer in answers):
        lines.append(f"In {several} several faces were found: the largest was taken.")
    return lines


def _wilson(right: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, without SciPy, which takes much space."""
    z = NormalDist().inv_cdf(0.975)
    middle = (right + z**2 / 2) / (count + z**2)
    half = z / (count + z**2) * (right * (count - right) / count + z**2 / 4) ** 0.5
    return middle - half, middle + half


def choose_shown(answers: list[LabelledPrediction]) -> list[list[LabelledPrediction]]:
    """Choose the photographs of the figure: a line for each expression, at most `MOST_SHOWN` long.

    From a longer line every n-th photograph by name is taken, right or wrong, so every run of the
    command shows the same ones.
    """
    lines = [
        [answer for answer in answers if answer.truth == label] for label in range(len(EXPRESSIONS))
    ]
    return [
        [line[i] for i in np.linspace(0, len(line) - 1, min(MOST_SHOWN, len(line))).astype(int)]
        for line in lines
        if line
    ]


def panels(lines: list[list[LabelledPrediction]]) -> list[list[Panel]]:
    """Faces for `fer_tf.plots.results.plot_predictions`; the photographs are read again.

    Raises:
        UserError: if a photograph is gone.
    """
    return [[_panel(answer) for answer in line] for line in lines]


def _panel(answer):
    picture, prediction = read_picture(answer.photo), answer.prediction
    square = prediction.area(picture.shape)
    side = min(SHOWN_SIDE, square.side)
    face = cv2.resize(crop_square(picture, square), (side, side), interpolation=cv2.INTER_AREA)
    colours = cv2.cvtColor(face, cv2.COLOR_BGR2RGB)
    return Panel(
        colours, answer.truth, prediction.class_id, prediction.probability, prediction.path
    )


def _files(folder):
    for path in folder.rglob("*"):
        if path.is_file() and not any(map(is_rubbish, path.relative_to(folder).parts)):
            yield path


def _is_picture(path):
    return path.suffix.lower() in PICTURE_SUFFIXES
