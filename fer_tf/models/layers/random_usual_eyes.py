"""Random occlusion of the boxes where eyes usually are."""

import keras
from keras import ops

from fer_tf.occlusion.occlude import visible_pixels


@keras.saving.register_keras_serializable(package="fer_tf")
class RandomUsualEyes(keras.layers.Layer):
    """Blackens the boxes of `USUAL_EYES` in a random share of the images in training.

    A model that recognises the occlusion cannot locate hidden eyes, so it blackens these fixed
    boxes. In eyeCDB the boxes are at the eyes of each face, so its networks see the fixed boxes
    only through this layer.

    Args:
        rate: share of the images, 0 to 1.
        seed: of the random numbers, or None.

    Input and output: [B, 48, 48, 1] of any dtype. Outside training the output is the input.
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        if not training:
            return inputs
        drawn = keras.random.uniform((ops.shape(inputs)[0], 1, 1, 1), seed=self.seed_generator)
        kept = ops.logical_or(drawn >= self.rate, visible_pixels("eyes"))
        return ops.where(kept, inputs, ops.zeros_like(inputs))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
