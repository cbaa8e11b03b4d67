"""The attention of the subnet that path selection picks, as a map over the face."""

import keras
import tensorflow as tf

from fer_tf.expressions import PATHS
from fer_tf.faces.face import FACE_SIZE


class PathAttention(keras.layers.Layer):
    """Picks a path for each image by BeginNet and returns the attention map of that path's subnet.

    The layer evaluates only the attention of a subnet, not its backbone, so it costs little. It is
    for export and needs TensorFlow.

    Args:
        selection: the `PathSelection` that picks the path.
        maps: for each path the attention of its subnet, a model of
            `fer_tf.models.expression_net.attention_model`.

    Input: uint8 [N, 48, 48, 1]; N may be 0.

    Output: a dict of

    - "path_probabilities": float32 [N, 3], the softmax of BeginNet.
    - "attention": float32 [N, 48, 48], 0 to 1, above 0.5 where the weight is above the face's mean;
      0 in rows that the subnet does not see.
    """

    def __init__(self, selection, maps, **kwargs):
        super().__init__(trainable=False, **kwargs)
        self.selection = selection
        self.maps = list(maps)

    def build(self, input_shape):
        self.built = True  # The networks are built already.

    def call(self, inputs):
        # No network is called with an empty batch: see PathSelection.
        probabilities, attention = tf.cond(
            tf.shape(inputs)[0] > 0,
            lambda: self._evaluate(inputs),
            lambda: (tf.zeros([0, len(PATHS)]), _no_maps()),
        )
        return {"path_probabilities": probabilities, "attention": attention}

    def _evaluate(self, images):
        probabilities = self.selection.path_probabilities(images)
        path = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
        count = len(self.maps)
        positions = tf.dynamic_partition(tf.range(tf.shape(images)[0]), path, count)
        attention = [
            tf.cond(tf.shape(part)[0] > 0, lambda maps=maps, part=part: maps(part), _no_maps)
            for maps, part in zip(self.maps, tf.dynamic_partition(images, path, count), strict=True)
        ]
        return probabilities, tf.dynamic_stitch(positions, attention)

    def compute_output_shape(self, input_shape):
        return {
            "path_probabilities": (input_shape[0], len(PATHS)),
            "attention": (input_shape[0], FACE_SIZE, FACE_SIZE),
        }

    def compute_output_spec(self, inputs):
        return {
            name: keras.KerasTensor(shape, dtype="float32")
            for name, shape in self.compute_output_shape(inputs.shape).items()
        }


def _no_maps():
    return tf.zeros([0, FACE_SIZE, FACE_SIZE])
