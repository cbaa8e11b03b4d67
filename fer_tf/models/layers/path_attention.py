"""What the subnet on an image's path looks at, as a map over the face."""

import keras
import tensorflow as tf

from fer_tf.expressions import PATHS
from fer_tf.faces.face import FACE_SIZE


class PathAttention(keras.layers.Layer):
    """Lets BeginNet pick a path for each image and the subnet of that path show its attention.

    Of the subnets the attention alone is evaluated, which costs little. For export, on TensorFlow
    only.

    Args:
        selection: the `PathSelection` whose paths are taken.
        maps: the attention of one subnet per path, see
            `fer_tf.models.expression_net.attention_model`.

    Input: uint8 [N, 48, 48, 1]; N may be 0.

    Output: a dict of

    - "path_probabilities": float32 [N, 3], the softmax of BeginNet, as `PathSelection` has it.
    - "attention": float32 [N, 48, 48], 0 to 1, above 0.5 where the subnet weighs more than on the
      face's mean; 0 in rows that it does not look at.
    """

    def __init__(self, selection, maps, **kwargs):
        super().__init__(trainable=False, **kwargs)
        self.selection = selection
        self.maps = list(maps)

    def build(self, input_shape):
        self.built = True  # The networks come built.

    def call(self, inputs):
        # See PathSelection: no network ever sees an empty batch.
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
        own = [
            tf.cond(tf.shape(part)[0] > 0, lambda maps=maps, part=part: maps(part), _no_maps)
            for maps, part in zip(self.maps, tf.dynamic_partition(images, path, count), strict=True)
        ]
        return probabilities, tf.dynamic_stitch(positions, own)

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
