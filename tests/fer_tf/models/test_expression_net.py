import keras
import numpy as np
import pytest
import tensorflow as tf

from fer_tf.models.backbone import Backbone
from fer_tf.models.expression_net import attention_maps, expression_net

TINY = Backbone((1, 1), 4, 2, stem_filters=8, stem_kernel=3, stem_pool=False)


def faces(count=4):
    return np.random.default_rng(0).integers(0, 256, (count, 48, 48, 1)).astype("uint8")


@pytest.mark.parametrize("classes", [3, 2, 7])
def test_takes_faces_and_returns_float32_logits(classes):
    net = expression_net(classes, 32, TINY)
    assert net.input.dtype == "uint8" and net.input_shape == (None, 48, 48, 1)
    logits = net(faces())
    assert logits.shape == (4, classes) and logits.dtype == tf.float32


def test_the_default_is_the_papers():
    net = expression_net(3)
    assert net.get_layer("attention").input.shape == (None, 224, 224, 1)
    assert net.get_layer("pool").output.shape == (None, 2048)


def test_reloads_to_equal_outputs(tmp_path):
    net = expression_net(3, 32, TINY, dropout=0.5)
    net.save(tmp_path / "net.keras")
    np.testing.assert_array_equal(
        keras.models.load_model(tmp_path / "net.keras")(faces()), net(faces())
    )


def test_a_call_without_training_is_inference():
    net = expression_net(3, 32, TINY)
    np.testing.assert_array_equal(net(faces()), net(faces(), training=False))


def test_every_weight_gets_a_finite_gradient():
    net = expression_net(3, 32, TINY)
    labels = tf.constant([0, 1, 2, 0])
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(
            keras.losses.sparse_categorical_crossentropy(
                labels, net(faces(), training=True), from_logits=True
            )
        )
    gradients = tape.gradient(loss, [w.value for w in net.trainable_weights])
    assert len(gradients) > 20
    for weight, gradient in zip(net.trainable_weights, gradients, strict=True):
        assert gradient is not None and np.isfinite(gradient).all(), weight.path


def test_outputs_depend_only_on_the_visible_rows():
    net = expression_net(3, 48, TINY, rows=(24, 48))
    assert net.get_layer("visible_rows").output.shape == (None, 24, 48, 1)
    hidden, visible = faces(), faces()
    hidden[:, :24] = 0
    visible[:, 24:] = 0
    np.testing.assert_array_equal(net(hidden), net(faces()))
    assert np.abs(np.array(net(visible)) - np.array(net(faces()))).max() > 1e-6


def test_attention_maps_are_nan_in_hidden_rows():
    net = expression_net(3, 32, TINY, rows=(24, 48))
    maps = attention_maps(net, faces(2))
    assert maps.shape == (2, 48, 48)
    assert np.isnan(maps[:, :24]).all() and (0 < maps[:, 24:]).all() and (maps[:, 24:] < 1).all()
    brighter = faces(2)
    brighter[:, 40:, 30:] = 255
    assert np.abs(attention_maps(net, brighter) - maps)[:, 24:].max() > 0.01


def test_attention_maps_of_a_loaded_network_that_resizes():
    """The names that its process gave to operations are given again in this one."""
    keras.backend.clear_session()
    net = expression_net(3, 32, TINY)
    keras.backend.clear_session()
    maps = attention_maps(net, faces(2))
    assert maps.shape == (2, 48, 48) and np.isfinite(maps).all()
