"""Figures of results: confusion matrices, reliability, predictions and attention maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from fer_tf.expressions import EXPRESSIONS
from fer_tf.faces.face import FACE_SIZE
from fer_tf.plots.faces import DPI, LINES, save
from fer_tf.records.evaluation import ReliabilityPair

_RIGHT, _WRONG = "#007a3d", "#c00000"  # Green and red as in Fig. 7; wrong ones also have a box.


@dataclass(frozen=True)
class Panel:
    """A face and its prediction.

    Attributes:
        image: uint8 [S, S], gray, or [S, S, 3], red, green, blue.
        truth: its label, 0 to 6.
        predicted: the predicted label.
        probability: P(path) * P(expression given the path).
        path: the path taken.
    """

    image: np.ndarray
    truth: int
    predicted: int
    probability: float
    path: str


def plot_confusions(truth: np.ndarray, predicted: Mapping[str, np.ndarray], path: Path, title: str):
    """Draws confusion matrices side by side (cf. Fig. 6), each row in shares of its true label.

    Args:
        truth: int [N], labels 0 to 6.
        predicted: name of a method -> int [N].
        path: the PNG file.
        title: the figure's title.
    """
    from matplotlib.figure import Figure
    from sklearn.metrics import confusion_matrix

    labels = range(len(EXPRESSIONS))
    figure = Figure((4.6 * len(predicted) + 0.6, 4.9), layout="constrained")
    axes = figure.subplots(1, len(predicted), squeeze=False, sharey=True)[0]
    for axis, (name, answers) in zip(axes, predicted.items(), strict=True):
        matrix = confusion_matrix(truth, answers, labels=labels)
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(shares.shape):
            share = shares[row, column]
            colour = "white" if share > 0.5 else "black"
            text = f"{100 * share:.0f}"
            axis.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
        axis.set_xticks(labels, EXPRESSIONS, rotation=45, ha="right")
        axis.set_yticks(labels, EXPRESSIONS)
        axis.set(xlabel="predicted", title=f"{name}: {100 * np.mean(truth == answers):.1f} % right")
    axes[0].set_ylabel("true; % of the row")
    figure.suptitle(title)
    save(figure, path)


def plot_reliability(curves: Mapping[str, ReliabilityPair], path: Path, title: str):
    """Draws accuracy against confidence, before and after temperature scaling.

    Args:
        curves: name of a method -> its reliability.
        path: the PNG file.
        title: the figure's title.
    """
    from matplotlib.figure import Figure

    figure = Figure((3.6 * len(curves) + 0.6, 4.2), layout="constrained")
    axes = figure.subplots(1, len(curves), squeeze=False, sharey=True)[0]
    for axis, (name, pair) in zip(axes, curves.items(), strict=True):
        axis.plot([0, 1], [0, 1], color="0.6", linewidth=1)
        for (when, curve), (colour, dashes) in zip(vars(pair).items(), LINES, strict=False):
            axis.plot(
                [each.confidence for each in curve.bins],
                [each.accuracy for each in curve.bins],
                marker="o",
                color=colour,
                linestyle=dashes,
                markersize=4,
                label=f"{when}: ECE {100 * curve.ece:.1f} %",
            )
        axis.set(xlabel="confidence", title=name, xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axis.grid(alpha=0.3)
        axis.legend(loc="upper left")
    axes[0].set_ylabel("share of right answers")
    figure.suptitle(title)
    save(figure, path)


def plot_predictions(rows: Sequence[Sequence[Panel | None]], path: Path | BinaryIO):
    """Draws faces with their predictions (cf. Fig. 7): green where right, red where wrong.

    Args:
        rows: lines of panels, None where a place stays empty. A figure of real faces must not be
            passed on.
        path: the PNG file, by its path or open.
    """
    from matplotlib.figure import Figure

    columns = max(1, *(len(row) for row in rows))
    figure = Figure((1.45 * columns, 1.95 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for axis in axes.ravel():
        axis.axis("off")
    for line, row in zip(axes, rows, strict=True):
        for axis, panel in zip(line, row, strict=False):
            if panel is None:
                continue
            right = panel.predicted == panel.truth
            axis.imshow(panel.image, cmap="gray", vmin=0, vmax=255)
            answer = f"{EXPRESSIONS[panel.predicted]} {panel.probability:.2f} ({panel.path})"
            true = "" if right else f"\ntrue: {EXPRESSIONS[panel.truth]}"
            colour = _RIGHT if right else _WRONG
            box = None if right else {"edgecolor": colour, "facecolor": "none", "pad": 1.5}
            axis.set_title(answer + true, fontsize=8, color=colour, bbox=box)
    figure.savefig(path, dpi=DPI, format="png")


def plot_attention(
    images: np.ndarray, maps: Mapping[str, np.ndarray], path: Path, titles: Sequence[str] = ()
):
    """Draws faces, a column each, and below them the attention map of each network.

    Args:
        images: uint8 [N, 48, 48, 1]. A figure of real faces must not be passed on.
        maps: name of a network -> float [N, 48, 48] of
            `fer_tf.models.expression_net.attention_maps`, NaN outside its input.
        path: the PNG file.
        titles: of the faces.
    """
    from matplotlib.figure import Figure

    rows = 1 + len(maps)
    figure = Figure((1.15 * len(images) + 1.1, 1.15 * rows), layout="constrained")
    axes = figure.subplots(rows, len(images), squeeze=False)
    for line, (name, values) in zip(axes, {"face": None, **maps}.items(), strict=True):
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
        for column, axis in enumerate(line):
            axis.imshow(images[column], cmap="gray", vmin=0, vmax=255)
            if values is not None:
                shown = axis.imshow(values[column], cmap="viridis", vmin=0, vmax=1, alpha=0.65)
            axis.set(xticks=[], yticks=[], xlim=(-0.5, FACE_SIZE - 0.5))
            axis.set_frame_on(False)
    for axis, title in zip(axes[0], titles, strict=False):
        axis.set_title(title, fontsize=9)
    if maps:
        figure.colorbar(shown, ax=axes[1:], label="mask", shrink=0.8)
    save(figure, path)
