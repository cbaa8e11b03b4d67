"""Figures of faces and of losses, by matplotlib without pyplot, so that no window opens."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np

from fer_tf.expressions import EXPRESSIONS
from fer_tf.faces.face import FACE_SIZE, Face
from fer_tf.files import written_beside
from fer_tf.occlusion.kinds import OCCLUSIONS
from fer_tf.occlusion.occlude import occlude

DPI = 150
_ENLARGED = 3 * FACE_SIZE  # pixels
_PLACE = _ENLARGED + FACE_SIZE // 5  # pixels of a face and the white space beside it
_FRAME = 128  # gray, because a bright face needs a border
# Colours of Okabe and Ito, which the colour-blind can distinguish; the dashes are for gray prints.
LINES = [
    *(("#0072b2", "-"), ("#d55e00", "--"), ("#009e73", "-."), ("#000000", ":")),
    *(("#cc79a7", (0, (5, 1))), ("#56b4e9", (0, (1, 1))), ("#e69f00", (0, (6, 1, 1, 1)))),
]


def plot_occlusions(
    faces: Sequence[Face], path: Path, boxes: Sequence[np.ndarray] | None = None
) -> None:
    """Draws faces, a column each, uncovered and with each kind of occlusion (cf. Fig. 1).

    Args:
        faces: a few faces. A figure of real faces must not be passed on.
        path: the PNG file.
        boxes: the eyes of each face, int [2, 4] of `fer_tf.occlusion.eyes.find_eyes`, which is
            called when None.
    """
    from matplotlib.figure import Figure

    eyes = [None] * len(faces) if boxes is None else boxes
    rows = {"uncovered": [face.image for face in faces]}
    for kind in OCCLUSIONS:
        rows[kind] = [
            occlude(face.image, kind, pair) for face, pair in zip(faces, eyes, strict=True)
        ]
    titles = [EXPRESSIONS[face.expression] for face in faces]
    if len({face.source for face in faces}) > 1:
        titles = [f"{title}\n{face.source}" for title, face in zip(titles, faces, strict=True)]
    figure = Figure((1.15 * len(faces) + 0.3, 1.15 * len(rows) + 0.3), layout="constrained")
    axis = figure.subplots()
    _show(axis, list(rows.values()), list(rows), rotation=90)
    axis.set_xticks(_PLACE * np.arange(len(faces)) + _ENLARGED / 2, titles)
    axis.tick_params(labeltop=True, labelbottom=False, length=0)
    save(figure, path)


def plot_splits(
    samples: Mapping[str, Sequence[Sequence[np.ndarray]]],
    counts: Mapping[str, Sequence[int]],
    path: Path,
) -> None:
    """Draws a database (cf. Fig. 2): side by side its splits, a line for each expression.

    Args:
        samples: split -> for each expression a few faces of the database, uint8 [48, 48]. A
            figure of real faces must not be passed on.
        counts: split -> number of images of each expression.
        path: the PNG file.
    """
    from matplotlib.figure import Figure

    columns = max(len(faces) for lines in samples.values() for faces in lines)
    size = (0.8 + len(samples) * (0.6 + 0.62 * columns), 0.3 + 0.64 * len(EXPRESSIONS))
    figure = Figure(size, layout="constrained")
    axes = figure.subplots(1, len(samples))
    for index, (split, axis) in enumerate(zip(samples, axes, strict=True)):
        labels = [f"{count:,}" for count in counts[split]]
        if index == 0:
            labels = [f"{name}\n{label}" for name, label in zip(EXPRESSIONS, labels, strict=True)]
        _show(axis, samples[split], labels)
        axis.set_xticks([])
        axis.set_title(f"{split}: {sum(counts[split]):,} images", fontsize=11)
    save(figure, path)


def plot_losses(losses: Mapping[str, Sequence[float]], path: Path, title: str = "") -> None:
    """Draws the validation losses of networks over their epochs (cf. Fig. 5).

    Args:
        losses: name of a network -> its loss after each epoch. A dot marks the lowest, whose
            weights are kept.
        path: the PNG file.
        title: the figure's title.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure((6.4, 4.8), layout="constrained")
    axis = figure.subplots()
    for (name, values), (colour, dashes) in zip(losses.items(), cycle(LINES)):
        epochs = np.arange(1, len(values) + 1)
        best = int(np.argmin(values))
        label = f"{name}: {values[best]:.3f} after epoch {best + 1}"
        axis.plot(epochs, values, color=colour, linestyle=dashes, linewidth=1.8, label=label)
        axis.plot(best + 1, values[best], "o", color=colour, markersize=6)
    axis.set(xlabel="epoch", ylabel="validation loss", title=title)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2)  # Inside, it would cover a line.
    save(figure, path)


def save(figure, path: Path) -> None:
    """Writes a matplotlib figure as PNG, whole or not at all."""
    with written_beside(path) as out:
        figure.savefig(out, dpi=DPI, format="png")


def _show(axis, rows: Sequence[Sequence[np.ndarray]], labels: Sequence[str], rotation: int = 0):
    """Draw rows of faces, each face in a thin frame, with a label before each row."""
    columns = max(1, *(len(faces) for faces in rows))
    gap = _PLACE - _ENLARGED
    sheet = np.full((len(rows) * _PLACE - gap, columns * _PLACE - gap), 255, np.uint8)
    for row, faces in enumerate(rows):
        for column, face in enumerate(faces):
            y, x = row * _PLACE, column * _PLACE
            place = sheet[y : y + _ENLARGED, x : x + _ENLARGED]
            place[:] = cv2.resize(face, place.shape, interpolation=cv2.INTER_CUBIC)
            place[[0, -1]] = place[:, [0, -1]] = _FRAME
    # RGBA, because a colour map of matplotlib needs 40 MB more.
    axis.imshow(cv2.cvtColor(sheet, cv2.COLOR_GRAY2RGBA))
    axis.set_frame_on(False)
    centres = _PLACE * np.arange(len(rows)) + _ENLARGED / 2
    axis.set_yticks(centres, labels, rotation=rotation, va="center")
    axis.tick_params(length=0)
