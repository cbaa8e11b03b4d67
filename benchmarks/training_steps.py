"""Worker of training_throughput.py: training steps of our network, on command.

Prints one line when it is ready, `{"weights": N}`; for each line with a number on its standard
input it does that many steps and prints `{"seconds": S, "cpu_seconds": C}`.
"""

import argparse
import json
import os
import sys
from time import perf_counter, process_time

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np
import tensorflow as tf

from fer_tf.data.input_pipeline import training_batches
from fer_tf.faces.face import FACE_SIZE
from fer_tf.models.expression_net import expression_net
from fer_tf.models.layers.batch_normalization import BatchNormalization
from fer_tf.models.layers.grouped_conv2d import GroupedConv2D
from fer_tf.models.layers.pointwise_conv2d import PointwiseConv2D
from fer_tf.training.optimizer import SGD
from fer_tf.training.replicated_model import ReplicatedModel

CLASSES = 3
WARM_UP = 2


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("step", "attention", "fit", "stock"))
    parser.add_argument("size", type=int)
    parser.add_argument("batch", type=int)
    arguments = parser.parse_args()

    keras.utils.set_random_seed(0)
    net = expression_net(CLASSES, arguments.size, attention=arguments.kind == "attention")
    if arguments.kind == "stock":
        net = with_stock_layers(net)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (arguments.batch, FACE_SIZE, FACE_SIZE, 1)).astype("uint8")
    classes = rng.integers(0, CLASSES, arguments.batch).astype("int32")
    if arguments.kind == "fit":
        run_fit(net, images, classes)
    else:
        run_steps(net, images, classes, arguments.kind == "stock")


def with_stock_layers(net):
    """The same network of Keras' own layers alone.

    At stride 2 Keras' "same" pads other sides than GroupedConv2D does; the work is the same.
    """

    def stock(layer):
        config = layer.get_config()
        if isinstance(layer, BatchNormalization):
            return keras.layers.BatchNormalization.from_config(config)
        if isinstance(layer, PointwiseConv2D):
            return keras.layers.Conv2D(**config, kernel_size=1, use_bias=False)
        if isinstance(layer, GroupedConv2D):
            return keras.layers.Conv2D(**config, padding="same", use_bias=False)
        return type(layer).from_config(config)

    return keras.models.clone_model(net, clone_function=stock)


def parts(net, stock=False):
    """What both ways of training share: optimizer and loss of the paper's recipe."""
    optimizer = (keras.optimizers.SGD if stock else SGD)(0.01, momentum=0.9)
    optimizer.build(net.trainable_variables)
    return optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def run_steps(net, images, classes, stock):
    """The bare step: forward, backward and SGD on one batch that is there."""
    optimizer, loss_of = parts(net, stock)
    images, classes = tf.constant(images), tf.constant(classes)

    @tf.function(jit_compile=False)
    def step():
        with tf.GradientTape() as tape:
            loss = loss_of(classes, net(images, training=True))
        weights = [weight.value for weight in net.trainable_weights]
        optimizer.apply(tape.gradient(loss, weights), net.trainable_weights)
        return loss

    turns = Turns(net)
    while turns.go_on():
        step().numpy()
        turns.step_done()


def run_fit(net, images, classes):
    """`fit` as `fer_tf.training.train.train_network` calls it for the recipe `paper`."""
    optimizer, loss_of = parts(net)
    model = ReplicatedModel([net.input, keras.layers.RandomFlip("horizontal"), net])
    accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    model.compile(optimizer=optimizer, loss=loss_of, metrics=[accuracy], jit_compile=False)
    turns = Turns(net)

    class TakeTurns(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if not turns.go_on():
                sys.exit()

        def on_train_batch_end(self, batch, logs=None):
            turns.step_done()

    many = 64  # Batches per epoch: starting an epoch is not what is measured.
    model.fit(
        training_batches(
            np.tile(images, (many, 1, 1, 1)),
            np.tile(classes, many),
            batch_size=len(images),
            seed=0,
        ),
        steps_per_epoch=many,
        epochs=sys.maxsize,
        verbose=0,
        shuffle=False,  # The batches come shuffled.
        callbacks=[TakeTurns()],
    )


class Turns:
    """Waits for commands between steps and answers them.

    Args:
        net: the network trained, whose weights are counted.
    """

    def __init__(self, net):
        self.weights = sum(int(np.prod(weight.shape)) for weight in net.trainable_weights)
        self.left = WARM_UP
        self.started = None

    def go_on(self) -> bool:
        """Whether another step is to be done; waits for the next command if it has to."""
        if self.left == 0:
            command = sys.stdin.readline()
            if not command:
                return False
            self.left = int(command)
            self.started = perf_counter(), process_time()
        return True

    def step_done(self):
        """Counts the step; after a turn's last one prints its line."""
        self.left -= 1
        if self.left:
            return
        line = {"weights": self.weights}
        if self.started:
            seconds, cpu_seconds = self.started
            line = {
                "seconds": perf_counter() - seconds,
                "cpu_seconds": process_time() - cpu_seconds,
            }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
