"""Logits of classes that are made of several expressions."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="fer_tf")
class ClassLogits(keras.layers.Layer):
    """Reads the logits of classes off logits of all expressions.

    A class's probability is the sum over its expressions among those of all classes, so its logit
    is the logarithm of the sum of their exponentials. A flat network with this layer behind it is
    exactly what it says of paths (BeginNet), or of the expressions on one path (a subnet).

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
