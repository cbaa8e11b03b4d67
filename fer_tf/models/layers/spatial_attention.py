"""Spatial attention before the backbone."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="fer_tf")
class SpatialAttention(keras.layers.Layer):
    """Weighs the positions of an image by a soft mask.

    The paper has "a simple spatial attention module [39] before the ResNeXt structure" and shows it
    only in a figure. Our reading is a small soft mask branch of [39] (Wang et al. 2017, Residual
    Attention Network): two strided convolutions down, a projection to one map and bilinear
    interpolation up, with the "spatial attention" activation of section 3.2 of [39]: the map is
    standardised over its positions and passed through a sigmoid. The output is
    `inputs * (1 + mask)`, so no position is lost.

    Args:
        filters: channels of the two strided convolutions.

    Input and output: float [B, H, W, C].
    """

    def __init__(self, filters=8, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        down = {"kernel_size": 3, "strides": 2, "padding": "same", "activation": "relu"}
        self.down_1 = keras.layers.Conv2D(filters, name="down_1", **down)
        self.down_2 = keras.layers.Conv2D(filters, name="down_2", **down)
        # No bias: standardising the map would cancel it. The projection precedes the interpolation;
        # both are linear, so only one channel is interpolated.
        self.project = keras.layers.Conv2D(1, 1, use_bias=False, name="project")

    def build(self, input_shape):
        self.down_1.build(input_shape)
        shape = self.down_1.compute_output_shape(input_shape)
        self.down_2.build(shape)
        self.project.build(self.down_2.compute_output_shape(shape))

    def mask(self, inputs):
        """The attention map: float [B, H, W, 1], each value in (0, 1)."""
        size = ops.shape(inputs)[1:3]
        logits = self.project(self.down_2(self.down_1(inputs)))
        logits = ops.image.resize(logits, size, interpolation="bilinear")
        mean, variance = ops.moments(logits, axes=(1, 2), keepdims=True)
        return ops.sigmoid((logits - mean) * ops.rsqrt(variance + 1e-5))

    def call(self, inputs):
        return inputs * (1.0 + self.mask(inputs))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}
