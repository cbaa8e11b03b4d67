"""Ways to make one seven-way answer of several networks (the paper's sections 2 and 4).

Each way takes the probabilities of the networks that it needs and returns scores float [N, 7],
whose largest is the answer. The subnets' labels have nothing in common, which settles what the
classical ways of section 2 are for them: every label has at most one vote, so there is no majority;
and the average of their outputs, 0 where a subnet does not know a label, has the largest value
where the concatenation has it. Among networks that each answer all seven both are defined.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from sklearn.neural_network import MLPClassifier

from fer_tf.expressions import EXPRESSIONS, MULTI_NETWORK, SUBNETS, TASKS

Probabilities = Mapping[str, np.ndarray]
"""Network -> float [N, classes of its task]."""

FLAT = "flat"
FLAT_NO_ATTENTION = "flat, no attention"
TWO_FLAT = "both flat averaged"
FLAT_LONGER = "flat, trained longer"
"""Gone on with for as long as the networks that start from the flat one."""

PATH_SELECTION = "path selection"
JOINT = "joint probability"
CONCATENATION = "concatenated argmax"

_WEIGHTS = 2.0 ** np.linspace(-3, 3, 25)  # tried, relative to the first network's
_SHARES = np.linspace(0, 1, 21)  # likewise, of an average of two


@dataclass(frozen=True)
class Method:
    """One way to answer.

    Attributes:
        name: of it.
        answer: probabilities -> scores float [N, 7].
        is_distribution: whether the scores of an image are probabilities (routed, those outside
            the path taken are 0), so that the largest is a confidence.
        networks: of which probabilities it needs, per image and at most.
        fitted_on: the split on which it chose something, "" where there is nothing to choose.
    """

    name: str
    answer: Callable[[Probabilities], np.ndarray]
    is_distribution: bool
    networks: int
    fitted_on: str = ""


def methods(validation: Probabilities, labels: np.ndarray) -> list[Method]:
    """All ways that the networks at hand allow.

    Args:
        validation: probabilities on the validation split, on which the ways that have something
            to choose choose it. Networks: the four of the multi-network, `FLAT`,
            `FLAT_NO_ATTENTION`, `FLAT_LONGER`; some may be missing.
        labels: int [N] of the same images.
    """
    found = []
    paths = all(network in validation for network in MULTI_NETWORK)
    flats = [name for name in (FLAT, FLAT_NO_ATTENTION, FLAT_LONGER) if name in validation]
    if paths:
        found += [
            Method(PATH_SELECTION, path_selection, True, 2),
            Method(JOINT, joint, True, 4),
            Method(CONCATENATION, concatenated, False, 3),
            _weighted_concatenation(validation, labels),
            _small_network("small network on the concatenation", SUBNETS, validation, labels),
            _small_network("the same, with BeginNet's output", MULTI_NETWORK, validation, labels),
        ]
    found += [Method(name, lambda p, name=name: p[name], True, 1) for name in flats]
    if paths and FLAT in validation:
        found += [
            Method(f"{JOINT} and {FLAT} averaged", lambda p: (joint(p) + p[FLAT]) / 2, True, 5),
            _weighted_average(validation, labels),
        ]
    if paths and FLAT in flats and FLAT_NO_ATTENTION in flats:
        found.append(Method(TWO_FLAT, _mean_flat, True, 2))
        found.append(Method("majority vote of joint and both flat", _majority, False, 6))
    return found


def joint(probabilities: Probabilities) -> np.ndarray:
    """P(path of j) * P(j given its path) over all paths: float [N, 7]."""
    return _by_label(probabilities, probabilities["begin"])


def path_selection(probabilities: Probabilities) -> np.ndarray:
    """The same, 0 outside the path that BeginNet picks (section 3.2)."""
    begin = probabilities["begin"]
    taken = np.eye(begin.shape[1])[begin.argmax(axis=1)]
    return _by_label(probabilities, begin * taken)


def concatenated(probabilities: Probabilities) -> np.ndarray:
    """The subnets' outputs side by side, in label order (section 4)."""
    return _by_label(probabilities, np.ones_like(probabilities["begin"]))


def _by_label(probabilities, weights):
    """The subnets' outputs in label order, each times its weight, float [N, paths]."""
    result = np.zeros((len(weights), len(EXPRESSIONS)))
    for path, network in enumerate(SUBNETS):
        labels = [expressions[0] for expressions in TASKS[network].expressions]
        result[:, labels] = weights[:, path : path + 1] * probabilities[network]
    return result


def _weighted_concatenation(validation, labels):
    """Weighs each subnet by the weight with which most of the validation split is right."""
    outputs = concatenated(validation)
    path_of = np.array(TASKS["begin"].class_of)

    def weigh(scores, weights):
        return scores * np.array((1.0, *weights))[path_of]

    best = max(
        product(_WEIGHTS, repeat=len(SUBNETS) - 1),
        key=lambda weights: (  # Of equally good ones the most equal.
            (weigh(outputs, weights).argmax(axis=1) == labels).sum(),
            -np.abs(np.log((1.0, *weights))).sum(),
        ),
    )
    return Method(
        "weighted averaging of the subnets",
        lambda probabilities: weigh(concatenated(probabilities), best),
        False,
        3,
        "validation",
    )


def _small_network(name, networks, validation, labels):
    """A hidden layer of 32 units on what the networks say; the paper does not describe its own."""
    model = MLPClassifier((32,), max_iter=2000, early_stopping=True, random_state=0)

    def inputs(probabilities):
        return np.concatenate([probabilities[network] for network in networks], axis=1)

    try:
        model.fit(inputs(validation), labels)
    except ValueError:  # Too few images to hold some back for the early stopping.
        model.set_params(early_stopping=False).fit(inputs(validation), labels)

    def answer(probabilities):
        result = np.zeros((len(probabilities[networks[0]]), len(EXPRESSIONS)))
        result[:, model.classes_] = model.predict_proba(inputs(probabilities))
        return result

    return Method(name, answer, True, len(networks), "validation")


def _weighted_average(validation, labels):
    """The average of joint probability and flat with the best share on the validation split."""
    together, alone = joint(validation), validation[FLAT]

    def mix(one, other, share):
        return share * one + (1 - share) * other

    best = max(
        _SHARES,
        key=lambda share: (
            (mix(together, alone, share).argmax(axis=1) == labels).sum(),
            -abs(share - 0.5),
        ),
    )
    name = f"{JOINT} and {FLAT}, weighted"
    return Method(name, lambda p: mix(joint(p), p[FLAT], best), True, 5, "validation")


def _mean_flat(probabilities):
    return (probabilities[FLAT] + probabilities[FLAT_NO_ATTENTION]) / 2


def _majority(probabilities):
    """One vote each; where all three differ, the largest mean probability decides."""
    voters = [joint(probabilities), probabilities[FLAT], probabilities[FLAT_NO_ATTENTION]]
    votes = sum(np.eye(len(EXPRESSIONS))[voter.argmax(axis=1)] for voter in voters)
    return votes + np.mean(voters, axis=0) / 2  # Less than a vote.
