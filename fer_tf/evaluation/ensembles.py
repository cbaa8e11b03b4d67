"""Ensemble methods: one prediction of seven labels from several networks (sections 2 and 4).

A method takes the probabilities of networks and returns scores float [N, 7]; the label with the
largest score is its prediction. The subnets have no label in common, so two classical methods of
the paper's section 2 give nothing new for them: each label gets at most one vote, so there is no
majority; and the average of their outputs (0 for a label that a subnet does not have) has the same
largest label as their concatenation. For networks with all seven labels both methods are defined.
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
"""The flat network, trained for as many additional epochs as the networks initialised from it."""

PATH_SELECTION = "path selection"
JOINT = "joint probability"
CONCATENATION = "concatenated argmax"

_WEIGHTS = 2.0 ** np.linspace(-3, 3, 25)  # candidates, relative to the first subnet's
_SHARES = np.linspace(0, 1, 21)  # candidates for the average of two methods


@dataclass(frozen=True)
class Method:
    """An ensemble method.

    Attributes:
        name: its name in tables.
        answer: probabilities -> scores float [N, 7].
        is_distribution: whether the scores of an image are probabilities, so that the largest one
            is a confidence. Path selection has 0 outside the selected path.
        networks: largest number of networks that an image needs.
        fitted_on: the split on which the method was fitted, or "".
    """

    name: str
    answer: Callable[[Probabilities], np.ndarray]
    is_distribution: bool
    networks: int
    fitted_on: str = ""


def methods(validation: Probabilities, labels: np.ndarray) -> list[Method]:
    """Returns all methods for which the networks are available.

    Args:
        validation: probabilities on the validation split, on which some methods are fitted.
            Networks: the four of the multi-network, `FLAT`, `FLAT_NO_ATTENTION` and `FLAT_LONGER`;
            some may be missing.
        labels: int [N] of the same images.
    """
    available = []
    has_paths = all(network in validation for network in MULTI_NETWORK)
    flats = [name for name in (FLAT, FLAT_NO_ATTENTION, FLAT_LONGER) if name in validation]
    if has_paths:
        available += [
            Method(PATH_SELECTION, path_selection, True, 2),
            Method(JOINT, joint, True, 4),
            Method(CONCATENATION, concatenated, False, 3),
            _weighted_concatenation(validation, labels),
            _small_network("small network on the concatenation", SUBNETS, validation, labels),
            _small_network("the same, with BeginNet's output", MULTI_NETWORK, validation, labels),
        ]
    available += [Method(name, lambda p, name=name: p[name], True, 1) for name in flats]
    if has_paths and FLAT in validation:
        available += [
            Method(f"{JOINT} and {FLAT} averaged", lambda p: (joint(p) + p[FLAT]) / 2, True, 5),
            _weighted_average(validation, labels),
        ]
    if has_paths and FLAT in flats and FLAT_NO_ATTENTION in flats:
        available.append(Method(TWO_FLAT, _mean_flat, True, 2))
        available.append(Method("majority vote of joint and both flat", _majority, False, 6))
    return available


def joint(probabilities: Probabilities) -> np.ndarray:
    """Returns P(path of j) * P(j given its path) for each label j, float [N, 7]."""
    return _by_label(probabilities, probabilities["begin"])


def path_selection(probabilities: Probabilities) -> np.ndarray:
    """Returns the joint probability, but 0 outside the path that BeginNet picks (section 3.2)."""
    begin = probabilities["begin"]
    selected = np.eye(begin.shape[1])[begin.argmax(axis=1)]
    return _by_label(probabilities, begin * selected)


def concatenated(probabilities: Probabilities) -> np.ndarray:
    """Returns the concatenated outputs of the subnets, in label order (section 4)."""
    return _by_label(probabilities, np.ones_like(probabilities["begin"]))


def _by_label(probabilities, weights):
    """The subnets' outputs in label order, each times its weight, float [N, paths]."""
    result = np.zeros((len(weights), len(EXPRESSIONS)))
    for path, network in enumerate(SUBNETS):
        labels = [expressions[0] for expressions in TASKS[network].expressions]
        result[:, labels] = weights[:, path : path + 1] * probabilities[network]
    return result


def _weighted_concatenation(validation, labels):
    """Weighs the subnets for the highest accuracy on the validation split."""
    outputs = concatenated(validation)
    path_of = np.array(TASKS["begin"].class_of)

    def weigh(scores, weights):
        return scores * np.array((1.0, *weights))[path_of]

    best = max(
        product(_WEIGHTS, repeat=len(SUBNETS) - 1),
        key=lambda weights: (  # Among equally accurate weights the most equal ones.
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
    """A network with 32 hidden units (our choice: the paper describes none) on other outputs."""
    model = MLPClassifier((32,), max_iter=2000, early_stopping=True, random_state=0)

    def inputs(probabilities):
        return np.concatenate([probabilities[network] for network in networks], axis=1)

    try:
        model.fit(inputs(validation), labels)
    except ValueError:  # Too few images for the early stopping's validation split.
        model.set_params(early_stopping=False).fit(inputs(validation), labels)

    def answer(probabilities):
        result = np.zeros((len(probabilities[networks[0]]), len(EXPRESSIONS)))
        result[:, model.classes_] = model.predict_proba(inputs(probabilities))
        return result

    return Method(name, answer, True, len(networks), "validation")


def _weighted_average(validation, labels):
    """Joint probability and flat, averaged with the share that is best on the validation split."""
    joint_scores, flat_scores = joint(validation), validation[FLAT]

    def mix(one, other, share):
        return share * one + (1 - share) * other

    best = max(
        _SHARES,
        key=lambda share: (
            (mix(joint_scores, flat_scores, share).argmax(axis=1) == labels).sum(),
            -abs(share - 0.5),
        ),
    )
    name = f"{JOINT} and {FLAT}, weighted"
    return Method(name, lambda p: mix(joint(p), p[FLAT], best), True, 5, "validation")


def _mean_flat(probabilities):
    return (probabilities[FLAT] + probabilities[FLAT_NO_ATTENTION]) / 2


def _majority(probabilities):
    """One vote for each network; where all differ, the largest mean probability decides."""
    voters = [joint(probabilities), probabilities[FLAT], probabilities[FLAT_NO_ATTENTION]]
    votes = sum(np.eye(len(EXPRESSIONS))[voter.argmax(axis=1)] for voter in voters)
    return votes + np.mean(voters, axis=0) / 2  # The mean is less than a vote.
