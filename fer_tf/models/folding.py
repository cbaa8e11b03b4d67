"""Batch normalization folded into the convolutions before it: the same network, to answer only."""

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
    """Returns an equal network without batch normalization; the given one stays as it is.

    In inference a batch normalization is a factor and a summand per channel. Behind a convolution
    the factor goes into its kernel and the summand becomes its bias; then TensorFlow's graph
    optimizer and oneDNN join padding, convolution, bias, residual sum and ReLU into one operation.

    Args:
        network: built functional model, see `expression_net`. A batch normalization that does not
            stand right behind a convolution remains.
        precision: "float32" with weights in variables, or "bfloat16": convolutions and what stands
            between them then compute in bfloat16, with weights that are constants of the graph.
            oneDNN would bring a variable's bfloat16 kernel into its own order in every call, which
            on one face costs more than bfloat16 gains. But TensorFlow copies constants while it
            loads a graph: four ResNeXt-50 take 8 GB of memory at their highest.
        weights: "float32", or "float16": all weights are rounded to it, variables hold the
            convolutions' weights in it, half the size on disk, and each call makes float32 of them.

    Returns:
        A model with the network's input and float32 output, for export: it cannot be trained, nor
        saved as a Keras file.

    Raises:
        ValueError: if the precision or the weights are unknown.
    """
    if precision not in INFERENCE_PRECISIONS:
        raise ValueError(f"fold takes a precision of {INFERENCE_PRECISIONS}, got {precision!r}")
    if weights not in WEIGHTS:
        raise ValueError(f"fold takes weights of {WEIGHTS}, got {weights!r}")
    norms = _norms_behind_convolutions(network)
    gone = [*norms.values(), *(x for x in network.layers if isinstance(x, keras.layers.Dropout))]

    def replacement(operation):
        # Operations that are no layers, such as a resize, have no weights.
        if operation in gone or not isinstance(operation, keras.layers.Layer):
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
        return inputs[0] if operation in gone else operation(*inputs, **kwargs)

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
    """2D convolution with given weights and a bias, for inference; TensorFlow only.

    Not `keras.layers.Conv2D`, which runs groups through XLA: TensorFlow Serving refuses that.

    Args:
        kernel: float32 or float16 [height, width, channels / groups, filters]; how many groups
            there are follows from the input's channels.
        bias: float32 [filters].
        strides: along height and width.
        padding: "VALID", "SAME" or a list of four pairs, see `tf.nn.conv2d`.

    Input and output: [B, H, W, C] of the layer's dtype. In float32 the weights are variables of
    their own dtype, else constants.
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
        # Groups: without oneDNN TensorFlow too would join convolution, `bias_add` and ReLU, but its
        # kernel refuses groups. oneDNN joins a plain sum as well.
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


def _norms_behind_convolutions(network):
    """Name of a convolution -> the batch normalization that alone takes its output."""
    takers = {id(tensor): [None] for tensor in network.outputs}
    for operation in network.operations:
        if not isinstance(operation, keras.layers.InputLayer):
            for tensor in keras.tree.flatten(operation.input):
                takers.setdefault(id(tensor), []).append(operation)
    norms = {}
    for operation in network.operations:
        if _is_linear_convolution(operation):
            found = takers[id(operation.output)]
            if len(found) == 1 and _is_per_channel(found[0]):
                norms[operation.name] = found[0]
    return norms


def _is_linear_convolution(operation):
    if isinstance(operation, keras.layers.Conv2D):
        linear = operation.activation is keras.activations.linear
        return linear and operation.dilation_rate == (1, 1)
    return isinstance(operation, GroupedConv2D | PointwiseConv2D)


def _is_per_channel(operation):
    return isinstance(operation, keras.layers.BatchNormalization) and operation.axis in (-1, 3)


def _folded_weights(convolution, norm):
    """Kernel and bias of the convolution and the normalization behind it, float32."""
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
