"""Batch normalization that trains faster on TensorFlow."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="fer_tf")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` that uses TensorFlow's fused operation in training.

    In training Keras 3 uses elementwise operations and reductions, each of which passes over the
    whole feature map, and so do their gradients. `FusedBatchNormV3` is one operation with one
    gradient, and TensorFlow fuses it with the ReLU that follows. Arguments, weights, outputs,
    gradients and moving statistics equal those of Keras' layer, to rounding.

    Where the fused operation does not compute the same, this layer calls Keras' computation: in
    inference, on other backends, when statistics are synchronized across replicas, and for all
    inputs but float32 or bfloat16 [B, H, W, C] normalized over the last axis with scale and center.

    Input and output: float [B, ..., C].
    """

    def call(self, inputs, training=None, mask=None):
        if not (training and self.trainable and mask is None and self._fuses(inputs)):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        # Not tf.compat.v1.nn.fused_batch_norm, which raises epsilon to 1.001e-5.
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=ops.convert_to_tensor(self.gamma),
            offset=ops.convert_to_tensor(self.beta),
            mean=[],
            variance=[],
            epsilon=self.epsilon,
        )
        # The operation returns the variance divided by count - 1, Keras averages the one divided
        # by count.
        count = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
        variance *= (count - 1) / count
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))
        return outputs

    def _fuses(self, inputs):
        return (
            keras.backend.backend() == "tensorflow"
            and len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and keras.backend.standardize_dtype(inputs.dtype) == self.compute_dtype
            and self.compute_dtype in ("float32", "bfloat16")
            and self.scale
            and self.center
            and not (self.renorm or self.synchronized)
        )
