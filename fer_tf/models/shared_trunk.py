"""Splits networks whose first layers are equal into a shared trunk and a tail for each."""

import re
from collections.abc import Sequence

import keras
import numpy as np


def cut(networks: Sequence[keras.Model]) -> tuple[keras.Model | None, list[keras.Model]]:
    """Splits networks after the last block up to which all have the same weights.

    The weights themselves are compared, whatever the recipe.

    Args:
        networks: built by `fer_tf.models.expression_net.expression_net`, or such networks folded.

    Returns:
        The trunk, a model of the first network's layers from the image to a feature map or to the
        pooled features, and for each network its tail, a model of its remaining layers. Without
        equal weights the trunk is None, and the tails are the networks.
    """
    first, *others = networks
    names = [layer.name for layer in first.layers if _ends_a_block(layer.name)]
    for name in reversed(names):
        trunk = keras.Model(first.input, first.get_layer(name).output, name="trunk")
        if all(_has(network, trunk) for network in others):
            tails = [
                keras.Model(network.get_layer(name).output, network.output, name=network.name)
                for network in networks
            ]
            return trunk, tails
    return None, list(networks)


def _ends_a_block(name):
    return name == "pool" or re.fullmatch(r"stage_\d+_block_\d+_relu", name)


def _has(network, trunk):
    """Whether a network has all layers of a trunk, with equal weights."""
    layers = {layer.name: layer for layer in network.layers}
    return all(
        layer.name in layers
        and len(layer.weights) == len(layers[layer.name].weights)
        and all(map(np.array_equal, layer.get_weights(), layers[layer.name].get_weights()))
        for layer in trunk.layers
    )
