import keras
import numpy as np
import pytest
import tensorflow as tf

from fer_tf.models.layers.batch_normalization import BatchNormalization

STOCK = keras.layers.BatchNormalization


def layer_of(kind, shape, **arguments):
    """A built layer whose weights are neither 0 nor 1, the same for both kinds."""
    layer = kind(**{"momentum": 0.9, "epsilon": 1e-5} | arguments)
    layer.build(shape)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.uniform(0.5, 2, w.shape) for w in layer.weights])
    return layer


def features(shape, spread=3.0):
    return tf.constant(spread * np.random.default_rng(0).normal(0.5, 1, shape), tf.float32)


def training_step(layer, x, dy):
    """Outputs, gradients to the input and the weights, and the moving statistics afterwards."""
    weights = [w.value for w in layer.trainable_weights]
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    gradients = tape.gradient(y, [x, *weights], dy)
    return [y, *gradients, *(w.numpy() for w in layer.non_trainable_weights)]


def operations(layer, x, training):
    function = tf.function(lambda x: layer(x, training=training)).get_concrete_function(x)
    return {operation.type for operation in function.graph.get_operations()}


@pytest.mark.parametrize("spread", [3.0, 0.002])  # A variance of 4e-6 lets epsilon matter.
@pytest.mark.parametrize("shape", [(4, 6, 5, 8), (4, 2, 1, 3), (1, 1, 1, 4)])
def test_a_training_step_equals_keras(shape, spread):
    x = features(shape, spread)
    dy = tf.constant(np.random.default_rng(2).normal(size=shape), tf.float32)
    ours = training_step(layer_of(BatchNormalization, shape), x, dy)
    # In float64, since Keras' own float32 arithmetic is off by more where the variance is small.
    wide = [tf.cast(a, tf.float64) for a in (x, dy)]
    theirs = training_step(layer_of(STOCK, shape, dtype="float64"), *wide)
    assert len(ours) == 6
    for a, b in zip(ours, theirs, strict=True):
        # Gradients divide by the spread, hence the size they are compared with.
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * max(1, np.abs(b).max()))


def test_inference_and_a_frozen_layer_equal_keras_and_update_no_statistics():
    x = features((4, 6, 5, 8))
    expected = layer_of(STOCK, x.shape)(x, training=False)
    layer = layer_of(BatchNormalization, x.shape)
    before = layer.get_weights()
    np.testing.assert_array_equal(layer(x, training=False), expected)
    layer.trainable = False
    np.testing.assert_array_equal(layer(x, training=True), expected)
    for a, b in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_only_training_uses_the_fused_operation():
    x = features((4, 6, 5, 8))
    layer = layer_of(BatchNormalization, x.shape)
    assert "FusedBatchNormV3" in operations(layer, x, training=True)
    assert "FusedBatchNormV3" not in operations(layer, x, training=False)


@pytest.mark.parametrize(
    "arguments, shape",
    [
        ({"synchronized": True}, (4, 6, 5, 8)),
        ({"axis": 1}, (4, 6, 5, 8)),
        ({"scale": False}, (4, 6, 5, 8)),
        ({"center": False}, (4, 6, 5, 8)),
        ({"renorm": True}, (4, 6, 5, 8)),
        ({"dtype": "mixed_float16"}, (4, 6, 5, 8)),
        ({}, (8, 3)),
    ],
)
def test_unsupported_settings_use_keras_computation(arguments, shape):
    x = features(shape)
    layer = layer_of(BatchNormalization, shape, **arguments)
    assert "FusedBatchNormV3" not in operations(layer, x, training=True)
    expected = layer_of(STOCK, shape, **arguments)(x, training=True)
    np.testing.assert_array_equal(tf.cast(layer(x, training=True), "float32"), expected)


def test_weights_saved_with_keras_layers_can_be_loaded(tmp_path):
    def network(kind):
        inputs = keras.Input((6, 5, 8))
        return keras.Model(inputs, kind(name="bn")(inputs))

    stock, ours = network(STOCK), network(BatchNormalization)
    x = features((4, 6, 5, 8))
    stock(x, training=True)
    stock.save_weights(tmp_path / "stock.weights.h5")
    ours.load_weights(tmp_path / "stock.weights.h5")
    np.testing.assert_array_equal(ours(x), stock(x))
    ours.save(tmp_path / "ours.keras")
    reloaded = keras.models.load_model(tmp_path / "ours.keras")
    assert isinstance(reloaded.get_layer("bn"), BatchNormalization)
    np.testing.assert_array_equal(reloaded(x), stock(x))


def test_bfloat16_is_computed_by_the_fused_operation_with_statistics_in_float32():
    x = features((8, 6, 5, 8))
    half = tf.cast(x, tf.bfloat16)
    layer = layer_of(BatchNormalization, x.shape, dtype="mixed_bfloat16")
    assert "FusedBatchNormV3" in operations(layer, half, training=True)
    wide = layer_of(BatchNormalization, x.shape)
    outputs = layer(half, training=True)
    assert outputs.dtype == tf.bfloat16
    np.testing.assert_allclose(
        tf.cast(outputs, tf.float32), wide(x, training=True), rtol=0.02, atol=0.05
    )
    for ours, theirs in zip(layer.get_weights(), wide.get_weights(), strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, rtol=0.01)
