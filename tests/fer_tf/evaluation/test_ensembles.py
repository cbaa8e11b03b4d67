import numpy as np
import pytest

from fer_tf.evaluation.ensembles import (
    CONCATENATION,
    FLAT,
    FLAT_NO_ATTENTION,
    JOINT,
    PATH_SELECTION,
    joint,
    methods,
    path_selection,
)
from fer_tf.expressions import EXPRESSIONS, MULTI_NETWORK, TASKS
from fer_tf.models.layers.path_selection import PathSelection
from tests.served import tiny_networks


def some(count=60, seed=0):
    """Probabilities of all networks for images that are right in most cases, and the labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(EXPRESSIONS)
    probabilities = {}
    for name in (*MULTI_NETWORK, FLAT, FLAT_NO_ATTENTION):
        task = TASKS[name.partition(",")[0]]
        scores = rng.random((count, len(task.classes)))
        classes = np.array(task.class_of)[labels]
        rows = np.flatnonzero((classes >= 0) & (rng.random(count) < 0.7))
        scores[rows, classes[rows]] += 2
        probabilities[name] = scores / scores.sum(axis=1, keepdims=True)
    return probabilities, labels


def named(validation, labels):
    return {method.name: method for method in methods(validation, labels)}


def test_all_methods_of_the_paper_are_available():
    ways = named(*some())
    assert list(ways) == [
        "path selection",
        "joint probability",
        "concatenated argmax",
        "weighted averaging of the subnets",
        "small network on the concatenation",
        "the same, with BeginNet's output",
        "flat",
        "flat, no attention",
        "joint probability and flat averaged",
        "joint probability and flat, weighted",
        "both flat averaged",
        "majority vote of joint and both flat",
    ]
    probabilities, _ = some(seed=1)
    for way in ways.values():
        scores = way.answer(probabilities)
        assert scores.shape == (60, 7) and np.isfinite(scores).all()
        if way.is_distribution and way.name != PATH_SELECTION:
            np.testing.assert_allclose(scores.sum(axis=1), 1)


def test_only_methods_whose_networks_are_available_are_returned():
    probabilities, labels = some()
    flat = {FLAT: probabilities[FLAT]}
    assert list(named(flat, labels)) == [FLAT]
    four = {name: probabilities[name] for name in MULTI_NETWORK}
    assert FLAT not in named(four, labels) and PATH_SELECTION in named(four, labels)


def test_path_selection_and_joint_probability_equal_the_savedmodel():
    networks = tiny_networks()
    begin, *subnets = networks.values()
    images = np.random.default_rng(0).integers(0, 256, (20, 48, 48, 1)).astype("uint8")
    probabilities = {
        name: np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)
        for name, network in networks.items()
        for values in [network.predict(images, verbose=0)]
    }
    for routed, function in ((True, path_selection), (False, joint)):
        layer = PathSelection(begin, subnets, routed)
        expected = np.array(layer(images)["probabilities"])
        np.testing.assert_allclose(function(probabilities), expected, atol=1e-5)


def test_concatenation_does_not_depend_on_beginnet():
    probabilities, labels = some()
    way = named(probabilities, labels)[CONCATENATION]
    other = dict(probabilities, begin=probabilities["begin"][::-1])
    np.testing.assert_array_equal(way.answer(probabilities), way.answer(other))
    assert way.answer(probabilities)[0, 4] == probabilities["subnet_y"][0, 1]
    assert way.answer(probabilities)[0, 6] == probabilities["subnet_z"][0, 1]


def test_fitted_methods_are_at_least_as_accurate_on_validation_as_their_parts():
    probabilities, labels = some(300)
    ways = named(probabilities, labels)

    def right(name):
        return (ways[name].answer(probabilities).argmax(axis=1) == labels).mean()

    assert right("weighted averaging of the subnets") >= right(CONCATENATION)
    assert right("joint probability and flat, weighted") >= max(right(JOINT), right(FLAT))
    assert right("the same, with BeginNet's output") > right(CONCATENATION) + 0.05
    fitted = [way.name for way in ways.values() if way.fitted_on == "validation"]
    assert len(fitted) == 4


def test_among_equally_accurate_weights_the_most_equal_are_chosen():
    probabilities, labels = some(60)
    same = {FLAT: joint(probabilities)}
    even = named(probabilities | same, labels)["joint probability and flat, weighted"]
    other = dict(probabilities, **{FLAT: np.ones((60, 7)) / 7})
    expected = (joint(other) + other[FLAT]) / 2
    np.testing.assert_allclose(even.answer(other), expected)


def test_two_equal_votes_win_and_the_mean_decides_among_three():
    ways = named(*some())
    probabilities, _ = some(2)
    for network in MULTI_NETWORK:  # The joint says Surprise, the last.
        probabilities[network] = np.eye(len(TASKS[network].classes))[[-1, -1]]
    probabilities[FLAT] = np.eye(7)[[3, 3]] * 0.9 + 0.1 / 7
    probabilities[FLAT_NO_ATTENTION] = np.array([np.eye(7)[3] * 0.4, np.eye(7)[5] * 0.4]) + 0.6 / 7
    votes = ways["majority vote of joint and both flat"].answer(probabilities)
    assert votes.argmax(axis=1).tolist() == [3, 6]


@pytest.mark.parametrize("labels", [np.arange(7), np.zeros(7, int)])
def test_tiny_validation_splits_are_enough(labels):
    probabilities, _ = some(7)
    assert len(methods(probabilities, labels)) == 12
