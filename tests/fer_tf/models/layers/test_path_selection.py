import keras
import numpy as np
import pytest
import tensorflow as tf

from fer_tf.models.layers.path_selection import PathSelection
from tests.networks import brightness_router, images_for

SIZES = (3, 2, 2)
FIRST = (0, 3, 5)


@keras.saving.register_keras_serializable(package="tests")
class OnlyBetween(keras.layers.Layer):
    """Fails when it sees an image whose mean is not in [low, high]."""

    def __init__(self, low, high, **kwargs):
        super().__init__(**kwargs)
        self.low, self.high = low, high

    def call(self, x):
        mean = tf.reduce_mean(tf.cast(x, tf.float32), axis=(1, 2, 3))
        inside = tf.reduce_all((mean >= self.low) & (mean <= self.high))
        with tf.control_dependencies([tf.debugging.Assert(inside, [mean])]):
            return tf.identity(x)

    def get_config(self):
        return {**super().get_config(), "low": self.low, "high": self.high}


def subnet(classes, seed, guard=None):
    """A convolution, so that oneDNN's fault with empty batches would show."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((48, 48, 1), dtype="uint8")
    x = OnlyBetween(*guard)(inputs) if guard else inputs
    x = keras.layers.Rescaling(1 / 64)(x)
    x = keras.layers.Conv2D(4, 3, strides=4, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(classes)(x))


def networks(guards=(None, None, None)):
    subnets = [subnet(k, i, g) for i, (k, g) in enumerate(zip(SIZES, guards, strict=True))]
    return brightness_router(), subnets


def softmax(logits):
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def expected(begin, subnets, x, routed):
    path_probabilities = softmax(np.array(begin(x)))
    joint = [
        path_probabilities[:, [i]] * softmax(np.array(net(x))) for i, net in enumerate(subnets)
    ]
    probabilities = np.concatenate(joint, -1)
    if routed:
        for row, path in enumerate(path_probabilities.argmax(-1)):
            keep = slice(FIRST[path], FIRST[path] + SIZES[path])
            kept = probabilities[row, keep].copy()
            probabilities[row] = 0
            probabilities[row, keep] = kept
    return path_probabilities, probabilities


@pytest.mark.parametrize("routed", [True, False])
@pytest.mark.parametrize("paths", [[0], [1], [2], [0, 0], [2, 0, 1, 1, 0, 2, 2], [1] * 5])
def test_equals_the_definition(routed, paths):
    begin, subnets = networks()
    x = images_for(paths)
    result = tf.function(PathSelection(begin, subnets, routed))(x)
    path_probabilities, probabilities = expected(begin, subnets, x, routed)
    assert path_probabilities.argmax(-1).tolist() == paths
    np.testing.assert_allclose(result["path_probabilities"], path_probabilities, atol=1e-5)
    np.testing.assert_allclose(result["probabilities"], probabilities, atol=1e-5)


@pytest.mark.parametrize("routed", [True, False])
def test_an_empty_batch_has_empty_outputs(routed):
    layer = PathSelection(*networks(), routed)
    result = tf.function(layer)(tf.zeros([0, 48, 48, 1], tf.uint8))
    assert result["path_probabilities"].shape == (0, 3)
    assert result["probabilities"].shape == (0, 7)


def test_routed_evaluates_the_selected_subnet_only():
    guards = ((0, 75), (75, 165), (165, 255))
    x = images_for([0, 2, 1, 0, 2])
    tf.function(PathSelection(*networks(guards)))(x)
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.function(PathSelection(*networks(guards), routed=False))(x)


def test_reloads_to_equal_outputs(tmp_path):
    inputs = keras.Input((48, 48, 1), dtype="uint8")
    model = keras.Model(inputs, PathSelection(*networks())(inputs))
    model.save(tmp_path / "model.keras")
    x = images_for([0, 1, 2])
    reloaded = keras.models.load_model(tmp_path / "model.keras")
    for name, value in model(x).items():
        np.testing.assert_array_equal(reloaded(x)[name], value)


def test_refuses_networks_that_do_not_fit_the_paths():
    begin, subnets = networks()
    with pytest.raises(ValueError, match=r"\[3, 3, 2, 2\].*\[3, 2, 2, 3\]"):
        PathSelection(begin, subnets[::-1])


@pytest.mark.parametrize("routed", [True, False])
@pytest.mark.parametrize("with_trunk", [True, False])
def test_mirrored_probabilities_are_the_mean_over_both_images(routed, with_trunk):
    begin, subnets = networks()
    x = images_for([2, 0, 1, 1])
    x[:, :, :12] //= 2  # No longer its own mirror image.
    trunk = keras.Sequential([keras.Input((48, 48, 1), dtype="uint8"), Halving()])
    heads = (begin, subnets)
    if with_trunk:
        heads = tuple(
            keras.Sequential([keras.Input((48, 48, 1)), net]) for net in (begin, *subnets)
        )
        heads = heads[0], heads[1:]
    given = x // 2 * 2 if with_trunk else x
    layer = PathSelection(*heads, routed, trunk if with_trunk else None, mirrored=True)
    result = tf.function(layer)(x)
    both = [expected(begin, subnets, view, routed=False) for view in (given, given[:, :, ::-1])]
    paths = np.mean([each[0] for each in both], axis=0)
    np.testing.assert_allclose(result["path_probabilities"], paths, atol=1e-5)
    subnet = [
        np.mean([softmax(np.array(n(v))) for v in (given, given[:, :, ::-1])], axis=0)
        for n in subnets
    ]
    joint = np.concatenate([paths[:, [i]] * p for i, p in enumerate(subnet)], axis=-1)
    if routed:
        for row, path in enumerate(paths.argmax(-1)):
            joint[row, : FIRST[path]] = 0
            joint[row, FIRST[path] + SIZES[path] :] = 0
    np.testing.assert_allclose(result["probabilities"], joint, atol=1e-5)


@keras.saving.register_keras_serializable(package="tests")
class Halving(keras.layers.Layer):
    """A trunk: gray levels without their last bit."""

    def call(self, x):
        return keras.ops.cast(x // 2 * 2, "uint8")


def test_trunk_and_mirroring_are_saved():
    trunk = keras.Sequential([keras.Input((48, 48, 1), dtype="uint8"), Halving()])
    layer = PathSelection(*networks(), trunk=trunk, mirrored=True)
    again = PathSelection.from_config(layer.get_config())
    assert again.mirrored and again.trunk.output_shape == (None, 48, 48, 1)
