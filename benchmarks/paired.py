"""Two ways to answer the same images, compared image by image."""

import numpy as np

RESAMPLES = 2000


def accuracy_difference(one, other) -> dict:
    """How much more often one is right than the other, with a 95 % interval by the bootstrap.

    Args:
        one: bool [N], whether each image was answered rightly.
        other: the same of the other.
    """
    difference = one.astype(float) - other
    rows = np.random.default_rng(0).integers(0, len(difference), (RESAMPLES, len(difference)))
    low, high = np.percentile(difference[rows].mean(axis=1), [2.5, 97.5])
    return {
        "accuracy_difference": float(difference.mean()),
        "accuracy_difference_95": [float(low), float(high)],
    }
