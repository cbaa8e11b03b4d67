"""Random brightness and contrast."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="fer_tf")
class RandomLight(keras.layers.Layer):
    """Changes the brightness and contrast of each image's first channel in training.

    Args:
        brightness: largest change, as a share of 255.
        contrast: largest change of the differences from the image's mean, 0.2 for 0.8 to 1.2 times.
        seed: of the random numbers, or None.

    Input: [B, H, W, C] of any dtype, 0 to 255; other channels, such as masks, do not change.
    Output: float32 of the same shape, 0 to 255. Outside training the output is the input.
    """

    def __init__(self, brightness=0.0, contrast=0.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.brightness = brightness
        self.contrast = contrast
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        if not training:
            return inputs
        images = ops.cast(inputs, "float32")

        def draw(limit):
            shape = (ops.shape(images)[0], 1, 1, 1)
            return keras.random.uniform(shape, -limit, limit, seed=self.seed_generator)

        face, others = images[..., :1], images[..., 1:]
        mean = ops.mean(face, axis=(1, 2, 3), keepdims=True)
        face = (face - mean) * (1 + draw(self.contrast)) + mean + 255 * draw(self.brightness)
        return ops.concatenate([ops.clip(face, 0, 255), others], axis=-1)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "brightness": self.brightness,
            "contrast": self.contrast,
            "seed": self.seed,
        }
