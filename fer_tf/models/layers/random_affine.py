"""Random flips, rotations, zooms and shifts in one resampling."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="fer_tf")
class RandomAffine(keras.layers.Layer):
    """Applies a random affine map to each image in training.

    Keras' `RandomFlip`, `RandomRotation`, `RandomZoom` and `RandomTranslation` resample an image
    three times, which blurs a face of 48 pixels and takes more than twice as long.

    Args:
        flip: whether half of the images are mirrored left to right.
        rotation: largest angle in degrees, to either side.
        zoom: largest change of size, 0.1 for 0.9 to 1.1.
        shift: largest shift, as a share of height and width.
        seed: of the random numbers, or None.

    Input: [B, H, W, C] of any dtype. Output: float32 of the same shape, interpolated
    bilinearly; pixels from outside the image repeat its border. All channels move together. Outside
    training the output is the input.
    """

    def __init__(self, flip=True, rotation=0.0, zoom=0.0, shift=0.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.flip = flip
        self.rotation = rotation
        self.zoom = zoom
        self.shift = shift
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        if not training:
            return inputs
        count = ops.shape(inputs)[0]
        height, width = inputs.shape[1:3]

        def draw(limit):
            return keras.random.uniform((count,), -limit, limit, seed=self.seed_generator)

        angle = draw(self.rotation * math.pi / 180)
        scale = 1 + draw(self.zoom)
        mirrored = ops.where(draw(1.0) < 0, -1.0, 1.0) if self.flip else ops.ones((count,))
        # The map takes an output pixel to an input pixel, both measured from the centre.
        across_x, across_y = scale * mirrored * ops.cos(angle), -scale * mirrored * ops.sin(angle)
        down_x, down_y = scale * ops.sin(angle), scale * ops.cos(angle)
        x, y = (width - 1) / 2, (height - 1) / 2
        offset_x = x * (1 - across_x) - y * across_y + draw(self.shift * width)
        offset_y = y * (1 - down_y) - x * down_x + draw(self.shift * height)
        nothing = ops.zeros((count,))
        maps = [across_x, across_y, offset_x, down_x, down_y, offset_y, nothing, nothing]
        return ops.image.affine_transform(
            ops.cast(inputs, "float32"), ops.stack(maps, axis=1), fill_mode="nearest"
        )

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "flip": self.flip,
            "rotation": self.rotation,
            "zoom": self.zoom,
            "shift": self.shift,
            "seed": self.seed,
        }
