"""Folds batch normalization into the convolutions before it, for inference."""

import keras
import numpy as np
import tensorflow as tf

from fer_tf.models.layers.grouped_conv2d import GroupedConv2D
from fer_tf.models.layers.pointwise_conv2d import PointwiseConv2D

INFERENCE_PRECISIONS = ("float32", "bfloat16")
"""The types in which convolutions can compute."""

WEIGHTS = ("float32", "float16")
"""The types in which weights can be stored."""

_BETWEEN = (
    keras.layers.Add,
    keras.layers.MaxPooling2D,
    keras.layers.ReLU,
    keras.layers.ZeroPadding2D,
)
"""Layers that compute in the convolutions' precision."""


def fold(network: keras.Model, precision: str = "float32", weights: str = "float32") -> keras.Model:
    """Returns an equal network without batch normalization; the network itself does not change.

    In inference a batch normalization is a factor and a summand per channel. The factor is
    multiplied into the kernel of the convolution before it, and the summand becomes the
    convolution's bias. TensorFlow's graph optimizer and oneDNN then fuse padding, convolution,
    bias, residual sum and ReLU into one operation.

    Args:
        network: built functional model, see `expression_net`. A batch normalization that does not
            directly follow a convolution remains.
        precision: "float32", with weights in variables, or "bfloat16": the convolutions and the
            layers between them compute in bfloat16, with weights that are constants of the graph.
            oneDNN would reorder the bfloat16 kernel of a variable in every call, which for one face
            costs more time than bfloat16 saves. TensorFlow copies constants while it loads a graph:
            four ResNeXt-50 need up to 8 GB of memory.
        weights: "float32", or "float16": all weights are rounded to float16, the weights of the
            convolutions are stored in float16, half the size on disk, and converted to float32 in
            each call.

    Returns:
        A model with the network's input and float32 output, for export. It cannot be trained or
        saved as a Keras file.

    Raises:
        ValueError: if the precision or the weights are unknown.
    """
    if precision not in INFERENCE_PRECISIONS:
        raise ValueError(f"fold takes a precision of {INFERENCE_PRECISIONS}, got {precision!r}")
    if weights not in WEIGHTS:
        raise ValueError(f"fold takes weights of {WEIGHTS}, got {weights!r}")
    norms = _norms_after_convolutions(network)
    removed = [*norms.values(), *(x for x in network.layers if isinstance(x, keras.layers.Dropout))]

    def replacement(operation):
        # Operations that are not layers, such as a resize, have no weights.
        if operation in removed or not isinstance(operation, keras.layers.Layer):
            return operation
        if operation.name in norms:
            kernel, bias = _folded_weights(operation, norms[operation.name])
            return FoldedConv2D(
                kernel.astype(weights),
                _rounded(bias, weights),
                *_strides_and_padding(operation),
                name=operation.name,
                dtype=precision,
            )
        config = operation.get_config()
        if isinstance(operation, _BETWEEN):
            config["dtype"] = precision
        return type(operation).from_config(config)

    def call(operation, *inputs, **kwargs):
        return inputs[0] if operation in removed else operation(*inputs, **kwargs)

    folded = keras.models.clone_model(network, clone_function=replacement, call_function=call)
    for layer in folded.layers:
        if layer.weights and layer.name not in norms:
            values = network.get_layer(layer.name).get_weights()
            layer.set_weights([_rounded(each, weights) for each in values])
    folded.trainable = False
    return folded


def _rounded(values, weights):
    """Float32 values that the type of the weights can represent."""
    return values.astype(weights).astype(np.float32)


class FoldedConv2D(keras.layers.Layer):
    """2D convolution with given weights and a bias, for inference on TensorFlow.

    `keras.layers.Conv2D` compiles groups with XLA, which TensorFlow Serving refuses.

    Args:
        kernel: float32 or float16 [height, width, channels / groups, filters]; the number of groups
            follows from the input's channels.
        bias: float32 [filters].
        strides: along height and width.
        padding: "VALID", "SAME" or a list of four pairs, see `tf.nn.conv2d`.

    Input and output: [B, H, W, C] of the layer's dtype. In float32 the weights are variables,
    otherwise constants.
    """

    def __init__(self, kernel, bias, strides, padding, **kwargs):
        super().__init__(trainable=False, **kwargs)
        self.kernel = kernel
        self.bias = bias
        self.strides = strides
        self.padding = padding

    def build(self, input_shape):
        """Puts the weights into variables or constants."""
        self.kernel = self._weight(self.kernel)
        self.bias = self._weight(self.bias)

    def call(self, inputs):
        """Convolves and adds the bias."""
        kernel = tf.cast(tf.convert_to_tensor(self.kernel), self.compute_dtype)
        outputs = tf.nn.conv2d(inputs, kernel, self.strides, self.padding)
        bias = tf.convert_to_tensor(self.bias)
        if inputs.shape[-1] == self.kernel.shape[2]:
            return tf.nn.bias_add(outputs, bias)
        # With groups: TensorFlow without oneDNN would fuse convolution, `bias_add` and ReLU into a
        # kernel that refuses groups. oneDNN fuses a plain sum too.
        return outputs + bias

    def _weight(self, values):
        if self.compute_dtype != "float32":
            return values.astype(tf.as_dtype(self.compute_dtype).as_numpy_dtype)
        return self.add_weight(
            values.shape,
            initializer=lambda *_, **__: values,
            dtype=values.dtype.name,
            autocast=False,
            trainable=False,
        )


def _norms_after_convolutions(network):
    """Name of a convolution -> the batch normalization that is the only user of its output."""
    users = {id(tensor): [None] for tensor in network.outputs}
    for operation in network.operations:
        if not isinstance(operation, keras.layers.InputLayer):
            for tensor in keras.tree.flatten(operation.input):
                users.setdefault(id(tensor), []).append(operation)
    norms = {}
    for operation in network.operations:
        if _is_linear_convolution(operation):
            user, *others = users[id(operation.output)]
            if not others and _is_per_channel(user):
                norms[operation.name] = user
    return norms


def _is_linear_convolution(operation):
    if isinstance(operation, keras.layers.Conv2D):
        linear = operation.activation is keras.activations.linear
        return linear and operation.dilation_rate == (1, 1)
    return isinstance(operation, GroupedConv2D | PointwiseConv2D)


def _is_per_channel(operation):
    return isinstance(operation, keras.layers.BatchNormalization) and operation.axis in (-1, 3)


def _folded_weights(convolution, norm):
    """Kernel and bias of a convolution together with the normalization after it, float32."""
    kernel, *bias = (np.asarray(weight, np.float64) for weight in convolution.get_weights())
    mean, variance = (np.asarray(v, np.float64) for v in (norm.moving_mean, norm.moving_variance))
    scale = 1 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        scale *= np.asarray(norm.gamma)
    shift = (sum(bias) - mean) * scale
    if norm.center:
        shift += np.asarray(norm.beta)
    return (kernel * scale).astype(np.float32), shift.astype(np.float32)


def _strides_and_padding(convolution):
    if isinstance(convolution, GroupedConv2D):
        side = (convolution.kernel_size // 2,) * 2
        return convolution.strides, [(0, 0), side, side, (0, 0)]
    if isinstance(convolution, PointwiseConv2D):
        return convolution.strides, "VALID"
    return convolution.strides, convolution.padding.upper()
