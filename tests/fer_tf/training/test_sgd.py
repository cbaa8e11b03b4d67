import keras
import numpy as np
import pytest
import tensorflow as tf

from fer_tf.training.optimizer import SGD

SHAPES = [(3, 3, 2, 4), (5,)]


def weights_after_steps(kind, steps=4, **arguments):
    """Weights and the optimizer's own variables after steps in a graph."""
    random = np.random.default_rng(0)
    weights = [keras.Variable(random.normal(size=shape).astype("float32")) for shape in SHAPES]
    gradients = [random.normal(size=(steps, *shape)).astype("float32") for shape in SHAPES]
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    optimizer = kind(rate, **arguments)
    optimizer.build(weights)
    step = tf.function(lambda *given: optimizer.apply(given, weights))
    for i in range(steps):
        step(*(tf.constant(gradient[i]) for gradient in gradients))
    return [np.asarray(v) for v in (*weights, *optimizer.variables)]


@pytest.mark.parametrize(
    "arguments",
    [
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "clipnorm": 0.5},
        {},
    ],
    ids=["momentum", "nesterov", "decay and clipping", "no momentum"],
)
def test_steps_equal_those_of_keras(arguments):
    ours = weights_after_steps(SGD, **arguments)
    keras_own = weights_after_steps(keras.optimizers.SGD, **arguments)
    assert len(ours) == len(keras_own)
    for one, other in zip(ours, keras_own, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


def test_a_sparse_gradient_uses_keras_computation():
    table = keras.Variable(np.ones((4, 2), "float32"))
    optimizer = SGD(0.1, momentum=0.9)
    optimizer.build([table])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.gather(table.value, [1, 1]))
    optimizer.apply(tape.gradient(loss, [table.value]), [table])
    np.testing.assert_allclose(table.numpy()[:, 0], [1, 0.8, 1, 1], rtol=1e-6)


def test_reloads_from_its_config():
    read = keras.optimizers.deserialize(keras.optimizers.serialize(SGD(0.1, 0.9, nesterov=True)))
    assert type(read) is SGD and read.momentum == 0.9 and read.nesterov
