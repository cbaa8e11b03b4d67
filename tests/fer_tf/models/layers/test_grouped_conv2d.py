import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from fer_tf.models.layers.grouped_conv2d import GroupedConv2D


def split_convolutions(x, kernel, groups, strides):
    """The definition: each group convolved alone, padded alike on all sides."""
    x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    parts = zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1), strict=True)
    return tf.concat([tf.nn.conv2d(a, k, strides, "VALID") for a, k in parts], -1)


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("size", [8, 9])
def test_equals_split_convolutions_in_values_and_gradients(strides, size):
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(2, size, size, 12)), tf.float32)
    layer = GroupedConv2D(24, 4, strides=strides)
    layer.build(x.shape)
    kernel = tf.convert_to_tensor(layer.kernel)
    weights = None
    results = []
    for function in (
        lambda x: layer(x),
        lambda x: split_convolutions(x, layer.kernel.value, 4, strides),
    ):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
            if weights is None:
                weights = tf.constant(rng.normal(size=y.shape), tf.float32)
            loss = tf.reduce_sum(y * weights)
        results.append([y, *tape.gradient(loss, [x, layer.kernel.value])])
    assert layer.compute_output_shape(x.shape) == results[0][0].shape
    assert kernel.shape == (3, 3, 3, 24)
    for ours, reference in zip(*results, strict=True):
        np.testing.assert_allclose(ours, reference, rtol=1e-4, atol=1e-4)


def test_equals_split_convolutions_with_onednn_off():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(
        [*command, "-k", "values_and_gradients"],
        env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": "0"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_trains_without_xla_and_reloads_to_equal_outputs(tmp_path):
    inputs = keras.Input((8, 8, 8))
    model = keras.Model(inputs, GroupedConv2D(8, 2, strides=2)(inputs))
    concrete = tf.function(model).get_concrete_function(tf.TensorSpec((None, 8, 8, 8)))
    functions = concrete.graph.as_graph_def().library.function
    assert not any(f.attr["_XlaMustCompile"].b for f in functions)
    x = np.random.default_rng(0).normal(size=(3, 8, 8, 8)).astype("float32")
    model.save(tmp_path / "model.keras")
    reloaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(reloaded(x), model(x))


def test_refuses_channels_that_do_not_divide():
    with pytest.raises(ValueError, match="filters=6"):
        GroupedConv2D(6, 4)
    with pytest.raises(ValueError, match="10 input channels"):
        GroupedConv2D(8, 4).build((None, 8, 8, 10))
