"""Metrics with 95 % intervals, paired comparisons and calibration, for classes of any task."""

from collections.abc import Mapping

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.sparse import coo_array
from scipy.special import log_softmax, softmax
from scipy.stats import binomtest
from sklearn.metrics import f1_score, recall_score

from fer_tf.records.evaluation import (
    ConfidenceBin,
    Interval,
    PairedDifference,
    Reliability,
    Scores,
)

RESAMPLES = 2000
"""Number of bootstrap resamples for each 95 % interval."""

BINS = 15
"""Number of equally wide bins of the expected calibration error (Guo et al. 2017)."""


class Bootstrap:
    """Resamples images by groups: images of one person or photograph are drawn together.

    Args:
        groups: int [N], which images belong together.

    Attributes:
        groups: number of groups.
    """

    def __init__(self, groups: np.ndarray):
        _, self._group = np.unique(groups, return_inverse=True)
        self.groups = count = int(self._group.max(initial=-1)) + 1
        rng = np.random.default_rng(0)
        drawn = np.zeros((RESAMPLES, count), np.float32)
        for times in drawn:
            times[:] = np.bincount(rng.integers(0, count, count), minlength=count)
        self._drawn = drawn

    def sums(self, columns: np.ndarray, rows: np.ndarray, width: int) -> np.ndarray:
        """Counts how often each column occurs in each resample.

        Args:
            columns: int [M], 0 to width - 1, one for each image in `rows`.
            rows: int [M], indices of images.
            width: number of columns.

        Returns:
            float [RESAMPLES, width].
        """
        shape = (self._drawn.shape[1], width)
        table = coo_array((np.ones(len(rows), np.float32), (self._group[rows], columns)), shape)
        return self._drawn @ table.toarray().astype(np.float32)

    @staticmethod
    def interval(values: np.ndarray) -> Interval:
        """Returns the percentile interval of values [RESAMPLES] without NaN (a class not drawn)."""
        low, high = np.nanquantile(values, (0.025, 0.975))
        return float(low), float(high)


def scores(
    truth: np.ndarray, predicted: np.ndarray, bootstrap: Bootstrap, rows: np.ndarray | None = None
) -> Scores:
    """Measures predictions.

    Args:
        truth: int [N] classes.
        predicted: int [N].
        bootstrap: of all images.
        rows: int [N], indices of these images among all images; None: all.

    Returns:
        The scores; macro-F1 averages over the classes that occur in `truth`.
    """
    present, counts = np.unique(truth, return_counts=True)
    classes = int(max(truth.max(), predicted.max())) + 1
    rows = np.arange(len(truth)) if rows is None else rows
    cells = bootstrap.sums(truth * classes + predicted, rows, classes**2)
    matrices = cells.reshape(-1, classes, classes)
    right = np.diagonal(matrices, axis1=1, axis2=2)
    true, predictions = matrices.sum(axis=2), matrices.sum(axis=1)
    drawn = np.maximum((true > 0).sum(axis=1), 1)  # number of classes in each resample
    with np.errstate(invalid="ignore"):
        samples = {
            "accuracy": right.sum(axis=1) / true.sum(axis=1),
            "balanced_accuracy": (right / np.maximum(true, 1)).sum(axis=1) / drawn,
            "macro_f1": (2 * right / np.maximum(true + predictions, 1)).sum(axis=1) / drawn,
        }
    macro = {"labels": present, "average": "macro", "zero_division": 0}
    values = {
        "accuracy": (truth == predicted).mean(),
        "balanced_accuracy": recall_score(truth, predicted, **macro),
        "macro_f1": f1_score(truth, predicted, **macro),
    }
    measured = {}
    for name, value in values.items():
        measured |= {name: float(value), f"{name}_95": bootstrap.interval(samples[name])}
    return Scores(
        images=len(truth),
        majority_baseline=float(counts.max() / counts.sum()),
        chance=1 / len(present),
        **measured,
    )


def compare(one: np.ndarray, other: np.ndarray, bootstrap: Bootstrap) -> PairedDifference:
    """Compares two predictors on the same images.

    Args:
        one: bool [N], whether the first predictor is right on each image.
        other: bool [N], whether the other one is.
        bootstrap: of these images.

    Returns:
        The difference one minus other.
    """
    change = one.astype(int) - other
    sums = bootstrap.sums(change + 1, np.arange(len(change)), 3)
    counts = np.bincount(change + 1, minlength=3)
    wins, losses = int(counts[2]), int(counts[0])
    return PairedDifference(
        difference=float(change.mean()),
        difference_95=bootstrap.interval((sums[:, 2] - sums[:, 0]) / sums.sum(axis=1)),
        only_one_right=wins,
        only_other_right=losses,
        mcnemar_p=float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0,
    )


def fit_temperature(logits: np.ndarray, classes: np.ndarray) -> float:
    """Fits the temperature that minimises the cross-entropy of divided logits (Guo et al. 2017).

    Args:
        logits: float [N, C].
        classes: int [N], the true classes of images outside the training split.
    """
    rows = np.arange(len(classes))

    def loss(log_temperature):
        return -log_softmax(logits / np.exp(log_temperature), axis=1)[rows, classes].mean()

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def tempered(
    logits: Mapping[str, np.ndarray], temperatures: Mapping[str, float]
) -> dict[str, np.ndarray]:
    """Returns the probabilities of networks, whose logits are divided by their temperatures.

    Args:
        logits: network -> float [N, C].
        temperatures: network -> its temperature, 1 where it is missing.
    """
    return {
        name: softmax(values / temperatures.get(name, 1.0), axis=1)
        for name, values in logits.items()
    }


def reliability(confidence: np.ndarray, right: np.ndarray) -> Reliability:
    """Measures how well confidence agrees with accuracy.

    Args:
        confidence: float [N], 0 to 1.
        right: bool [N], whether each prediction is right.

    Returns:
        The expected calibration error over `BINS` bins, and the bins that are not empty.
    """
    index = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = []
    for number in np.unique(index):
        inside = index == number
        bins.append(
            ConfidenceBin(
                images=int(inside.sum()),
                confidence=float(confidence[inside].mean()),
                accuracy=float(right[inside].mean()),
            )
        )
    gaps = [each.images * abs(each.confidence - each.accuracy) for each in bins]
    return Reliability(ece=float(sum(gaps) / max(len(right), 1)), bins=bins)
