"""Shares as percentages, with their confidence intervals."""

from fer_tf.records.evaluation import Interval, PairedDifference, Scores


def percent(share: float) -> str:
    """A share, 0 to 1, as "61.0"."""
    return f"{100 * share:.1f}"


def percent_with_interval(share: float, interval: Interval) -> str:
    """A share and its interval as "61.0 (59.3 to 62.9)"."""
    low, high = interval
    return f"{percent(share)} ({percent(low)} to {percent(high)})"


def accuracy_with_interval(scores: Scores) -> str:
    """An accuracy and its interval, as `percent_with_interval` writes them."""
    return percent_with_interval(scores.accuracy, scores.accuracy_95)


def points_with_interval(compared: PairedDifference) -> str:
    """A difference in percentage points as "+1.1 points (+0.0 to +2.3)"."""
    low, high = compared.difference_95
    return f"{100 * compared.difference:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"
