"""Random occlusion of faces."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from fer_tf.occlusion.occlude import visible_pixels


@keras.saving.register_keras_serializable(package="fer_tf")
class RandomOcclusion(keras.layers.Layer):
    """Blackens a random kind of occlusion in each image in training.

    The layer follows the layers that move faces, so the edge of a black half is in the same row as
    in inference. A network of several kinds trains on each face under all of them.

    Args:
        kinds: kinds of `RECOGNISED`, of which each image gets one, all with equal probability.
        usual_eyes: share of the images of kind "eyes" in which the boxes of `USUAL_EYES` are black
            instead of the eyes of this face, 0 to 1.
        seed: of the random numbers, or None.

    Input: [B, 48, 48, 2] of any dtype: the uncovered face, and a mask that is above 127 at its
    eyes. Output: [B, 48, 48, 1] of the same dtype. Outside training the output is the first
    channel, and the mask may be missing.
    """

    def __init__(self, kinds: Sequence[str], usual_eyes=0.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.kinds = tuple(kinds)
        self.usual_eyes = usual_eyes
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        if not training:
            return inputs[..., :1]
        faces, eyes = inputs[..., :1], inputs[..., 1:] > 127
        # The pixels that each kind covers at fixed positions, bool [kinds, 48, 48, 1].
        covered = ~np.stack([visible_pixels(kind) for kind in self.kinds])
        count = ops.shape(inputs)[0]
        kind = self._draw(count, len(self.kinds))
        black = ops.take(covered, kind, axis=0)
        if "eyes" in self.kinds:
            at_own_eyes = self._draw(count, 1000) >= round(1000 * self.usual_eyes)
            uses_mask = ops.logical_and(kind == self.kinds.index("eyes"), at_own_eyes)
            black = ops.where(ops.reshape(uses_mask, (-1, 1, 1, 1)), eyes, black)
        return ops.where(black, ops.zeros_like(faces), faces)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 1)

    def get_config(self):
        return {
            **super().get_config(),
            "kinds": self.kinds,
            "usual_eyes": self.usual_eyes,
            "seed": self.seed,
        }

    def _draw(self, count, limit):
        return keras.random.randint((count,), 0, limit, seed=self.seed_generator)
