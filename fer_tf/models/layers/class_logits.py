"""Logits of classes that consist of several expressions."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="fer_tf")
class ClassLogits(keras.layers.Layer):
    """Computes the logits of classes from the logits of all expressions.

    The probability of a class is the sum of the probabilities of its expressions, so its logit is
    the logarithm of the sum of their exponentials. After a flat network, this layer gives the flat
    network's probabilities of the paths (BeginNet) or of the expressions on one path (a subnet).

    Args:
        expressions: for each class the labels that belong to it.

    Input: float [B, 7]. Output: float [B, number of classes].
    """

    def __init__(self, expressions, **kwargs):
        super().__init__(**kwargs)
        self.expressions = [list(labels) for labels in expressions]

    def call(self, inputs):
        parts = [ops.take(inputs, labels, axis=-1) for labels in self.expressions]
        return ops.stack([ops.logsumexp(part, axis=-1) for part in parts], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], len(self.expressions))

    def get_config(self):
        return {**super().get_config(), "expressions": self.expressions}
