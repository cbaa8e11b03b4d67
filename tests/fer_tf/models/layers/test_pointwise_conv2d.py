import keras
import numpy as np
import pytest
import tensorflow as tf

from fer_tf.models.layers.pointwise_conv2d import PointwiseConv2D


def features(shape=(2, 6, 6, 8)):
    return tf.constant(np.random.default_rng(0).normal(size=shape), tf.float32)


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("size", [(6, 6), (5, 7), (1, 1)])
def test_equals_keras_convolution_in_values_and_gradients(size, strides):
    x = features((2, *size, 8))
    stock = keras.layers.Conv2D(12, 1, strides, use_bias=False)
    ours = PointwiseConv2D(12, strides)
    for layer in (stock, ours):
        layer.build(x.shape)
    ours.set_weights(stock.get_weights())
    results = []
    for layer in (stock, ours):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(tf.sin(y))
        results.append([y, *tape.gradient(loss, [x, layer.kernel.value])])
    assert ours.compute_output_shape(x.shape) == stock.compute_output_shape(x.shape)
    assert ours.compute_output_shape(x.shape) == results[1][0].shape
    for keras_values, our_values in zip(*results, strict=True):
        np.testing.assert_allclose(our_values, keras_values, rtol=1e-5, atol=1e-5)


def test_takes_any_batch_and_image_size():
    inputs = keras.Input((None, None, 8))
    model = keras.Model(inputs, PointwiseConv2D(4, 2)(inputs))
    assert model.output_shape == (None, None, None, 4)
    function = tf.function(model, input_signature=[tf.TensorSpec((None, None, None, 8))])
    assert function(features((3, 5, 4, 8))).shape == (3, 3, 2, 4)
    assert function(features((0, 5, 4, 8))).shape == (0, 3, 2, 4)


def test_reloads_to_equal_outputs(tmp_path):
    inputs = keras.Input((6, 6, 8))
    model = keras.Model(inputs, PointwiseConv2D(4, 2, kernel_initializer="ones")(inputs))
    model.save(tmp_path / "model.keras")
    reloaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(reloaded(features()), model(features()))
    assert reloaded.layers[-1].get_config() == model.layers[-1].get_config()
