"""The spatial attention of a network as a map over the whole face."""

import keras
from keras import ops

from fer_tf.faces.face import FACE_SIZE


class AttentionMap(keras.layers.Layer):
    """Resizes the mask of a `SpatialAttention` to the size of a face.

    This is one layer and not several operations of a functional model, because Keras refuses a
    model in which two operations have the same name, and a loaded network brings names of the
    process that saved it.

    Args:
        attention: the built `SpatialAttention`.
        hidden: number of rows at the top and at the bottom of the face that its network does not
            see.

    Input: the input of the attention, float [B, h, w, C]. Output: float [B, 48, 48], 0 in the
    hidden rows. The layer is not saved.
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
