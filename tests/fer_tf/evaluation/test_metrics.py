import numpy as np
import pytest
from scipy.special import softmax

from fer_tf.evaluation.metrics import (
    Bootstrap,
    compare,
    fit_temperature,
    reliability,
    scores,
    tempered,
)


def alone(count):
    """A bootstrap of images that each stand alone."""
    return Bootstrap(np.arange(count))


def test_intervals_are_those_of_the_binomial():
    truth = np.zeros(1000, int)
    truth[:500] = 1
    predicted = np.where(np.arange(1000) % 10 < 6, truth, 1 - truth)
    measured = scores(truth, predicted, alone(1000))
    low, high = measured.accuracy_95
    assert measured.accuracy == 0.6
    # 1.96 * sqrt(0.6 * 0.4 / 1000) = 0.030
    assert (low, high) == (pytest.approx(0.570, abs=0.005), pytest.approx(0.630, abs=0.005))


def test_intervals_resample_groups():
    """A hundred copies of ten images say no more than the ten."""
    right = np.repeat(np.arange(10) % 2, 100)
    single = scores(np.zeros(10, int), 1 - right[::100], alone(10)).accuracy_95
    copies = scores(np.zeros(1000, int), 1 - right, Bootstrap(np.repeat(np.arange(10), 100)))
    assert copies.accuracy_95 == single
    independent = scores(np.zeros(1000, int), 1 - right, alone(1000)).accuracy_95
    assert np.diff(independent) < np.diff(single) / 5


def test_guessing_one_class_has_the_balanced_accuracy_of_chance():
    measured = scores(np.array([0] * 9 + [1]), np.zeros(10, int), alone(10))
    assert measured.accuracy == measured.majority_baseline == 0.9
    assert measured.balanced_accuracy == measured.chance == 0.5
    assert measured.macro_f1 == pytest.approx((2 * 9 / 19 + 0) / 2)
    low, high = measured.macro_f1_95
    assert low < measured.macro_f1 < high


def test_images_of_a_task_are_resampled_with_all_images():
    rows = np.array([2, 5])
    measured = scores(np.array([0, 1]), np.array([0, 1]), alone(10), rows)
    assert measured.images == 2 and measured.accuracy_95 == (1.0, 1.0)


def test_a_difference_is_paired_and_has_an_exact_test():
    one, other = np.zeros(200, bool), np.zeros(200, bool)
    one[:110] = True
    other[:100] = True  # One is right where the other is, and on ten images more.
    row = compare(one, other, alone(200))
    assert row.difference == pytest.approx(0.05)
    low, high = row.difference_95
    assert 0.015 < low < 0.03 and 0.07 < high < 0.09
    assert (row.only_one_right, row.only_other_right) == (10, 0)
    assert row.mcnemar_p == pytest.approx(2 * 0.5**10)
    other[110:120] = True  # Now each is right alone on ten.
    row = compare(one, other, alone(200))
    low, high = row.difference_95
    assert row.difference == 0 and -0.06 < low < -0.03 and 0.03 < high < 0.06
    assert (row.only_one_right, row.only_other_right, row.mcnemar_p) == (10, 10, 1.0)
    other[120:122] = True
    # 12 or more of 22 by chance, or 10 or fewer.
    assert compare(one, other, alone(200)).mcnemar_p == pytest.approx(0.832, abs=1e-3)
    assert compare(one, one, alone(200)).mcnemar_p == 1.0


def test_temperature_scaling_restores_probabilities():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 3))
    classes = np.array([rng.choice(3, p=p) for p in softmax(logits, axis=1)])
    boasting = {"flat": 3 * logits}
    temperature = fit_temperature(boasting["flat"], classes)
    assert temperature == pytest.approx(3, abs=0.25)

    def ece(probabilities):
        right = probabilities.argmax(axis=1) == classes
        return reliability(probabilities.max(axis=1), right).ece

    before, after = (
        tempered(boasting, {})["flat"],
        tempered(boasting, {"flat": temperature})["flat"],
    )
    assert ece(before) > 0.15 and ece(after) < 0.03
    np.testing.assert_allclose(after.sum(axis=1), 1)


def test_reliability_bins_contain_every_image():
    curve = reliability(np.array([0.0, 0.5, 0.51, 1.0]), np.array([0, 1, 0, 1], bool))
    assert [each.images for each in curve.bins] == [1, 2, 1]
    assert curve.bins[1].confidence == pytest.approx(0.505)
    assert curve.ece == pytest.approx(2 / 4 * 0.005)
