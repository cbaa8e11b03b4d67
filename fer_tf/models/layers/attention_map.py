"""The attention of a network as a map over the whole face."""

import keras
from keras import ops

from fer_tf.faces.face import FACE_SIZE


class AttentionMap(keras.layers.Layer):
    """What a `SpatialAttention` weighs, at the size of a face.

    One layer, not operations of a functional model: those of a network that was loaded bear names
    of the process that made it, which Keras gives again in this one and then refuses.

    Args:
        attention: the built `SpatialAttention`, whose weights are used as they are.
        hidden: how many rows at the top and at the bottom of the face its network does not see.

    Input: what the attention stands on, float [B, h, w, C]. Output: float [B, 48, 48], 0 in the
    hidden rows. It is not saved on its own: the network that it belongs to is.
    """

    def __init__(self, attention, hidden=(0, 0), **kwargs):
        super().__init__(**kwargs)
        self.attention = attention
        self.hidden = hidden

    def call(self, inputs):
        masks = self.attention.mask(inputs)
        size = (FACE_SIZE - sum(self.hidden), FACE_SIZE)
        masks = ops.image.resize(masks, size, interpolation="bilinear")[..., 0]
        return ops.pad(masks, ((0, 0), self.hidden, (0, 0)))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], FACE_SIZE, FACE_SIZE)
