import dataclasses

import keras
import numpy as np
import pytest

from fer_tf.expressions import MULTI_NETWORK
from fer_tf.models.folding import fold
from fer_tf.models.shared_trunk import cut
from fer_tf.training.network import begin_from, build_network
from tests.networks import TINY_RECIPE, images_for


def networks(shared):
    """The four, equal up to a stage, to the last layer but one (3), or in nothing (0)."""
    recipe = dataclasses.replace(TINY_RECIPE, dropout=0.3)
    keras.utils.set_random_seed(0)
    all_networks = [build_network(name, recipe, "none") for name in MULTI_NETWORK]
    rng = np.random.default_rng(0)
    for net in all_networks:
        for layer in net.layers:
            layer.set_weights([rng.uniform(0.1, 1, w.shape) for w in layer.get_weights()])
    for net in all_networks[1:]:
        initial_weights = {layer.name: layer.get_weights() for layer in net.layers}
        if shared:
            begin_from(net, all_networks[0])
        for layer in net.layers:
            if shared == 1 and layer.name.startswith("stage_2"):
                layer.set_weights(initial_weights[layer.name])
    return all_networks


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("shared, output", [(1, (None, 16, 16, 16)), (3, (None, 32))])
def test_the_trunk_ends_at_the_first_block_with_other_weights(shared, output, folded):
    whole = networks(shared)
    if folded:
        whole = [fold(net) for net in whole]
    trunk, tails = cut(whole)
    assert trunk.output_shape == output
    images = images_for([0, 1, 2])
    for net, tail in zip(whole, tails, strict=True):
        np.testing.assert_allclose(tail(trunk(images)), net(images), rtol=1e-4, atol=1e-4)
    names = [layer.name for tail in tails for layer in tail.layers if layer.weights]
    assert "stem" not in names and names.count("logits") == 4


def test_networks_without_equal_weights_have_no_trunk():
    whole = networks(0)
    trunk, tails = cut(whole)
    assert trunk is None and tails == whole
