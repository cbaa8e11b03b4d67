"""A model asked about a user's own photographs, sorted into folders named after expressions."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fer_tf.errors import UserError
from fer_tf.expressions import EXPRESSIONS, find_label
from fer_tf.faces.face import crop_square, read_picture
from fer_tf.faces.picture_files import PICTURE_SUFFIXES, entries
from fer_tf.faces.pictures import Picture
from fer_tf.files import is_rubbish
from fer_tf.inference.predict import Prediction
from fer_tf.plots.results import Panel

MOST_SHOWN = 8
"""Photographs of each expression in the figure."""

SHOWN_SIDE = 240
"""Pixels to which larger face squares are reduced for the figure."""


@dataclass(frozen=True)
class Answered:
    """A labelled photograph and what was said of it.

    Attributes:
        photo: the file.
        truth: its label, 0 to 6, by its folder.
        prediction: of the largest face; where none was found of the largest centred square.
        faces: how many were found.
    """

    photo: Path
    truth: int
    prediction: Prediction
    faces: int

    @property
    def right(self) -> bool:
        """Whether the label was said."""
        return self.prediction.class_id == self.truth


def find_labelled(folder: Path, skipped: list[Path] | None = None) -> dict[Path, int]:
    """Finds the photographs in a folder's sub-folders, one for each expression.

    Args:
        folder: holds `Happiness/`, `Sadness/` and so on, not all of them, written in any case, or
            under another name that `fer_tf.expressions.find_label` knows. Pictures in folders
            below them belong to them; what `fer_tf.rubbish` names is left out.
        skipped: files of other names, and those beside the sub-folders, are noted here.

    Returns:
        File -> its label, 0 to 6; label by label, then by name.

    Raises:
        UserError: it is no folder, cannot be read, a sub-folder has another name, or there is no
            picture.
    """
    expected = f"{', '.join(EXPRESSIONS[:-1])} or {EXPRESSIONS[-1]}"
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; name one whose sub-folders are called {expected}.")
    held = entries(folder)
    labels = {path: find_label(path.name) for path in held if path.is_dir()}
    if unknown := [path.name for path, label in labels.items() if label is None]:
        raise UserError(
            f"{folder} has a sub-folder {unknown[0]!r}; {expected} is expected, by which the "
            "pictures in it are labelled: rename it or move it away."
        )
    files = {path: label for sub, label in labels.items() for path in _files(sub)}
    found = {path: label for path, label in files.items() if _is_picture(path)}
    if skipped is not None:
        skipped += [path for path in (*held, *files) if path not in found and path not in labels]
    if not found:
        raise UserError(
            f"{folder} has no picture in a sub-folder called {expected}; put the photographs of "
            f"each expression into its own, e.g. {folder / EXPRESSIONS[0] / 'a.jpg'}."
        )
    return dict(sorted(found.items(), key=lambda item: (item[1], item[0])))


def answered(
    photos: dict[Path, int], predicted: Iterable[tuple[Picture, list[Prediction]]]
) -> list[Answered]:
    """Puts predictions beside labels; no picture is kept.

    Args:
        photos: of `find_labelled`.
        predicted: what `fer_tf.inference.predict.ExpressionModel.predict` yields of them.
    """
    return [
        Answered(
            Path(picture.photo),
            photos[Path(picture.photo)],
            predictions[0],
            sum(each.square is not None for each in predictions),
        )
        for picture, predictions in predicted
    ]


def table(answers: list[Answered]):
    """Right answers of each expression as a `rich.table.Table`, those without photographs too."""
    from rich.table import Column, Table

    right, count = (Column(name, justify="right") for name in ("right", "photographs"))
    rows = Table("expression", right, count)
    for label, name in enumerate(EXPRESSIONS):
        own = [each.right for each in answers if each.truth == label]
        rows.add_row(name, str(sum(own)), str(len(own)))
    return rows


def sentences(answers: list[Answered]) -> list[str]:
    """The accuracy with its 95 % interval (Wilson's), and what was done about the faces.

    Args:
        answers: at least one.
    """
    from scipy.stats import binomtest

    right, count = sum(each.right for each in answers), len(answers)
    interval = binomtest(right, count).proportion_ci(method="wilson")
    most = np.bincount([each.truth for each in answers]).argmax()
    baseline = sum(each.truth == most for each in answers) / count
    said = [
        f"{right} of {count} photographs right: {100 * right / count:.1f} % (95 % interval "
        f"{100 * interval.low:.1f} to {100 * interval.high:.1f}); always {EXPRESSIONS[most]}: "
        f"{100 * baseline:.1f} %."
    ]
    if none := sum(each.faces == 0 for each in answers):
        said.append(f"In {none} no face was found: the largest centred square was taken.")
    if several := sum(each.faces > 1 for each in answers):
        said.append(f"In {several} several faces were found: the largest was taken.")
    return said


def shown(answers: list[Answered]) -> list[list[Answered]]:
    """What the figure shows: a line for each expression, at most `MOST_SHOWN` long.

    Of more, some in equal steps by name are taken, whatever was said of them, the same in every
    run.
    """
    lines = [[each for each in answers if each.truth == label] for label in range(len(EXPRESSIONS))]
    return [
        [line[i] for i in np.linspace(0, len(line) - 1, min(MOST_SHOWN, len(line))).astype(int)]
        for line in lines
        if line
    ]


def panels(lines: list[list[Answered]]) -> list[list[Panel]]:
    """The faces of photographs, read again, as `fer_tf.plots.results.plot_predictions` takes them.

    Raises:
        UserError: a photograph is no longer there.
    """
    return [[_panel(each) for each in line] for line in lines]


def _panel(each):
    picture = read_picture(each.photo)
    square = each.prediction.area(picture.shape)
    side = min(SHOWN_SIDE, square.side)
    face = cv2.resize(crop_square(picture, square), (side, side), interpolation=cv2.INTER_AREA)
    said = each.prediction
    colours = cv2.cvtColor(face, cv2.COLOR_BGR2RGB)
    return Panel(colours, each.truth, said.class_id, said.probability, said.path)


def _files(folder):
    for path in folder.rglob("*"):
        if path.is_file() and not any(map(is_rubbish, path.relative_to(folder).parts)):
            yield path


def _is_picture(path):
    return path.suffix.lower() in PICTURE_SUFFIXES
