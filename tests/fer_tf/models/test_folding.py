import keras
import numpy as np
import pytest
import tensorflow as tf

from fer_tf.data.sources.drawn import draw_face
from fer_tf.models.backbone import Backbone
from fer_tf.models.expression_net import expression_net
from fer_tf.models.folding import FoldedConv2D, fold
from fer_tf.models.layers.grouped_conv2d import GroupedConv2D

TINY = {"blocks": (1, 2), "groups": 4, "group_width": 2, "stem_filters": 8}
NETWORKS = {
    "like paper": {"image_size": 64, "backbone": Backbone(**TINY)},
    "like quick": {
        "image_size": 48,
        "rows": (24, 48),
        "backbone": Backbone(**TINY, stem_kernel=3),
    },
    "like from_scratch": {
        "image_size": 48,
        "rows": (24, 48),
        "dropout": 0.2,
        "backbone": Backbone(**TINY, stem_kernel=3, stem_pool=False),
    },
    "no attention": {"image_size": 33, "attention": False, "backbone": Backbone(**TINY)},
}


def trained(network, seed=0):
    """Gives all weights values such as training leaves behind: none stays at its beginning."""
    rng = np.random.default_rng(seed)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights(
                [
                    rng.uniform(-0.3, 1.2, gamma.shape),
                    rng.normal(0, 0.3, beta.shape),
                    rng.normal(0, 0.3, mean.shape),
                    rng.uniform(0.3, 2, variance.shape),
                ]
            )
    return network


def images():
    noise = np.random.default_rng(1).integers(0, 256, (3, 48, 48, 1))
    faces = np.stack([draw_face(i, i, 0) for i in range(5)]).reshape(-1, 48, 48, 1)
    return np.concatenate([noise, faces]).astype("uint8")


def answers_in_a_graph(network):
    """As a server computes them: there alone TensorFlow joins operations."""
    return tf.function(lambda images: network(images, training=False), autograph=False)(images())


@pytest.fixture(params=NETWORKS)
def network(request):
    keras.utils.set_random_seed(4)
    return trained(expression_net(3, **NETWORKS[request.param]))


def test_outputs_equal_those_of_the_network(network):
    expected = network(images(), training=False)
    assert np.std(expected) > 0.1
    np.testing.assert_allclose(answers_in_a_graph(fold(network)), expected, atol=1e-5)


def test_no_batch_normalization_and_no_dropout_remain(network):
    kinds = (keras.layers.BatchNormalization, keras.layers.Dropout, GroupedConv2D)
    assert not [layer.name for layer in fold(network).layers if isinstance(layer, kinds)]


def test_the_network_does_not_change(network):
    before, config = network.get_weights(), network.get_config()
    folded = fold(network)
    for layer in folded.layers:
        layer.set_weights([weight * 0 for weight in layer.get_weights()])
    for one, other in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert network.get_config() == config
    assert network.trainable_weights


def test_bfloat16_outputs_are_float32_and_nearly_equal(network):
    expected = network(images(), training=False)
    answers = answers_in_a_graph(fold(network, "bfloat16"))
    assert answers.dtype == tf.float32
    assert 0 < np.abs(answers - expected).max() < 0.05 * np.abs(expected).max()


def test_the_backbone_computes_in_bfloat16(network):
    layers = fold(network, "bfloat16").layers
    dtypes = {layer.name: layer.compute_dtype for layer in layers}
    assert dtypes["stem"] == dtypes["stage_2_block_2_relu"] == "bfloat16"
    assert dtypes["rescale"] == dtypes["pool"] == dtypes["logits"] == "float32"


def test_folds_a_convolution_with_a_bias_and_a_norm_without_scale():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, 2, padding="same", bias_initializer="normal")(inputs)
    x = keras.layers.BatchNormalization(scale=False, beta_initializer="normal")(x)
    network = keras.Model(inputs, x)
    network.layers[2].moving_mean.assign([1.0, -2.0, 3.0, 0.5])
    data = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    folded = fold(network)
    np.testing.assert_allclose(folded(data), network(data, training=False), atol=1e-5)
    assert [type(layer) for layer in folded.layers[1:]] == [FoldedConv2D]


@pytest.mark.parametrize("case", ["activation between", "output used twice", "no convolution"])
def test_keeps_a_norm_that_cannot_be_folded(case):
    inputs = keras.Input((8, 8, 3))
    x = inputs
    if case != "no convolution":
        activation = "relu" if case == "activation between" else None
        x = keras.layers.Conv2D(4, 3, activation=activation)(x)
    y = keras.layers.BatchNormalization(moving_mean_initializer="ones")(x)
    outputs = keras.layers.Add()([x, y]) if case == "output used twice" else y
    network = keras.Model(inputs, outputs)
    data = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    folded = fold(network)
    np.testing.assert_allclose(folded(data), network(data, training=False), atol=1e-5)
    assert [type(a) for a in folded.layers] == [type(a) for a in network.layers]


def test_refuses_an_unknown_precision():
    with pytest.raises(ValueError, match="float16"):
        fold(expression_net(2, 32, Backbone(**TINY)), "float16")


def test_float16_weights_take_half_the_size_and_give_nearly_equal_outputs(network):
    expected = network(images(), training=False)
    folded = fold(network, weights="float16")
    kernels = [layer.kernel for layer in folded.layers if isinstance(layer, FoldedConv2D)]
    assert kernels and {kernel.dtype for kernel in kernels} == {"float16"}
    answers = answers_in_a_graph(folded)
    assert answers.dtype == tf.float32
    np.testing.assert_allclose(answers, expected, atol=0.02)
    assert np.abs(answers - expected).max() > 0


def test_refuses_an_unknown_type_of_weights():
    with pytest.raises(ValueError, match="'bfloat16'"):
        fold(expression_net(2, 32, Backbone(**TINY)), weights="bfloat16")
