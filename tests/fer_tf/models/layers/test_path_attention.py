import numpy as np
import pytest
import tensorflow as tf

from fer_tf.expressions import MULTI_NETWORK, SUBNETS
from fer_tf.models.expression_net import attention_maps, attention_model
from fer_tf.models.layers.path_attention import PathAttention
from fer_tf.models.layers.path_selection import PathSelection
from fer_tf.training.network import build_network
from tests.networks import TINY_RECIPE, images_for


@pytest.fixture(scope="module")
def networks():
    return {name: build_network(name, TINY_RECIPE, "none") for name in MULTI_NETWORK}


@pytest.fixture(scope="module")
def look(networks):
    maps = [attention_model(networks[name]) for name in SUBNETS]
    selection = PathSelection(networks["begin"], [networks[name] for name in SUBNETS])
    return tf.function(PathAttention(selection, maps))


def test_a_face_gets_the_attention_of_the_subnet_that_begin_net_picks(networks, look):
    images = images_for([0, 1, 2, 1])
    outputs = look(tf.constant(images))
    for image, chosen, attention_map in zip(
        images, outputs["path_probabilities"].numpy(), outputs["attention"], strict=True
    ):
        subnet = networks[SUBNETS[chosen.argmax()]]
        np.testing.assert_allclose(
            attention_map, attention_maps(subnet, image[np.newaxis])[0], atol=1e-5
        )


def test_no_network_is_called_with_an_empty_batch(look):
    outputs = look(tf.zeros([0, 48, 48, 1], tf.uint8))
    shapes = {name: tuple(values.shape) for name, values in outputs.items()}
    assert shapes == {"path_probabilities": (0, 3), "attention": (0, 48, 48)}
