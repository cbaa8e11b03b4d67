import dataclasses

import numpy as np
import pytest

from fer_tf.expressions import TASKS
from fer_tf.models.expression_net import LOGITS
from fer_tf.models.layers.class_logits import ClassLogits
from fer_tf.training.network import begin_from, build_network
from tests.networks import TINY_RECIPE, images_for


def softmax(logits):
    exponentials = np.exp(logits - np.max(logits, axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("network", ["begin", "subnet_x", "subnet_y", "subnet_z"])
def test_class_probabilities_are_sums_over_expressions(network):
    logits = np.random.default_rng(0).normal(0, 3, (5, 7)).astype("float32")
    layer = ClassLogits(TASKS[network].expressions)
    parts = [softmax(logits)[:, list(labels)].sum(axis=1) for labels in layer.expressions]
    expected = np.stack(parts, axis=1)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax(np.asarray(layer(logits))), expected, rtol=1e-4)
    again = ClassLogits.from_config(layer.get_config())
    np.testing.assert_array_equal(again(logits), layer(logits))


def test_networks_initialised_from_flat_give_its_probabilities():
    recipe = dataclasses.replace(TINY_RECIPE, expression_logits=True)
    flat = build_network("flat", recipe, "none")
    assert flat.output_shape == (None, 7) and flat.layers[-1].name == LOGITS
    images = images_for([0, 1, 2])
    flat_probabilities = softmax(np.asarray(flat(images)))
    for network in ("begin", "subnet_y"):
        net = build_network(network, recipe, "none")
        begin_from(net, flat)
        parts = [
            flat_probabilities[:, list(labels)].sum(axis=1) for labels in TASKS[network].expressions
        ]
        expected = np.stack(parts, axis=1)
        expected /= expected.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(softmax(np.asarray(net(images))), expected, rtol=1e-3)
