"""Covers faces while a network is trained: each time anew, and after they were moved."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from fer_tf.occlusion.occlude import visible_pixels


@keras.saving.register_keras_serializable(package="fer_tf")
class RandomOcclusion(keras.layers.Layer):
    """Blackens one kind of occlusion in each image, drawn anew in each step.

    It comes after the layers that move faces, so that the edge of a black half stays where it is
    when the network answers, and a network of several kinds meets each face under all of them.

    Args:
        kinds: kinds of `RECOGNISED` among which each image gets one, all equally often.
        usual_eyes: share of the images of kind "eyes" in which the boxes of `USUAL_EYES` are black
            in the place of the boxes found in this face, 0 to 1.
        seed: of the drawing, or None.

    Input: [B, 48, 48, 2] of any dtype: the uncovered face, and a mask that is above 127 where eyes
    were found. Output: [B, 48, 48, 1] of the same dtype. Outside training the output is the first
    channel, which then may be the only one.
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
        # What each kind covers without looking for eyes, bool [kinds, 48, 48, 1].
        covered = ~np.stack([visible_pixels(kind) for kind in self.kinds])
        count = ops.shape(inputs)[0]
        kind = self._draw(count, len(self.kinds))
        black = ops.take(covered, kind, axis=0)
        if "eyes" in self.kinds:
            found = self._draw(count, 1000) >= round(1000 * self.usual_eyes)
            of_eyes = ops.logical_and(kind == self.kinds.index("eyes"), found)
            black = ops.where(ops.reshape(of_eyes, (-1, 1, 1, 1)), eyes, black)
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
