"""Grouped 2D convolution that trains at full speed on CPUs."""

import keras
from keras import ops


def _native_gradient_works() -> bool:
    """Whether this TensorFlow has a kernel for the gradient of a grouped convolution.

    cuDNN and oneDNN have one; TensorFlow's own CPU kernel does not.
    """
    import tensorflow as tf
    from tensorflow.python.util import _pywrap_util_port

    return _pywrap_util_port.IsMklEnabled() or bool(tf.config.list_physical_devices("GPU"))


@keras.saving.register_keras_serializable(package="fer_tf")
class GroupedConv2D(keras.layers.Layer):
    """2D convolution whose input and output channels are split into independent groups.

    This layer replaces `keras.layers.Conv2D(groups=...)`, which Keras 3 compiles with XLA on
    TensorFlow: on a CPU its gradient is hundreds of times slower, and TensorFlow Serving, which
    disables XLA, refuses it. This layer calls TensorFlow's `conv2d` where its gradient exists
    (oneDNN, GPUs), and otherwise one convolution per group, with equal results.

    The input is padded by `kernel_size // 2` on every side, as in the reference ResNeXt ("same"
    with stride 2 pads only below and to the right). There is no bias, because in ResNeXt a batch
    normalization follows.

    Args:
        filters: number of output channels, a multiple of `groups`.
        groups: number of groups; the input channels must be a multiple of it.
        kernel_size: odd height and width of the kernel.
        strides: stride along height and width.
        kernel_initializer: initializer of the kernel, of shape
            (kernel_size, kernel_size, channels / groups, filters).

    Input: float [B, H, W, channels]. Output: float [B, ceil(H / strides), ceil(W / strides),
    filters].

    Raises:
        ValueError: if filters or channels are not a multiple of `groups`, or `kernel_size` is even.
    """

    def __init__(
        self,
        filters,
        groups,
        kernel_size=3,
        strides=1,
        kernel_initializer="he_normal",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if filters % groups or kernel_size % 2 == 0:
            raise ValueError(
                "GroupedConv2D needs filters that are a multiple of groups and an odd kernel_size, "
                f"got filters={filters}, groups={groups}, kernel_size={kernel_size}"
            )
        self.filters = filters
        self.groups = groups
        self.kernel_size = kernel_size
        self.strides = strides
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        channels = input_shape[-1]
        if channels % self.groups:
            raise ValueError(
                f"GroupedConv2D got {channels} input channels, expected a multiple of its "
                f"{self.groups} groups"
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.kernel_size, self.kernel_size, channels // self.groups, self.filters),
            initializer=self.kernel_initializer,
        )

    def call(self, inputs):
        pad = self.kernel_size // 2
        if keras.backend.backend() != "tensorflow":
            padded = ops.pad(inputs, [[0, 0], [pad, pad], [pad, pad], [0, 0]])
            return ops.conv(padded, self.kernel, strides=self.strides, padding="valid")
        import tensorflow as tf

        # oneDNN differentiates grouped convolutions only with "SAME" or "VALID". At stride 1 "SAME"
        # is the padding described above; otherwise the input is padded explicitly.
        padding = "SAME" if self.strides == 1 else "VALID"
        kernel = tf.convert_to_tensor(self.kernel)
        if padding == "VALID":
            inputs = tf.pad(inputs, [[0, 0], [pad, pad], [pad, pad], [0, 0]])
        if _native_gradient_works():
            return tf.nn.conv2d(inputs, kernel, self.strides, padding)
        parts = zip(
            tf.split(inputs, self.groups, axis=-1),
            tf.split(kernel, self.groups, axis=-1),
            strict=True,
        )
        return tf.concat([tf.nn.conv2d(x, k, self.strides, padding) for x, k in parts], axis=-1)

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        size = [None if n is None else -(-n // self.strides) for n in (height, width)]
        return (batch, *size, self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "groups": self.groups,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
