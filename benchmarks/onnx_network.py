"""Writes a folded network as an ONNX file: what ONNX Runtime is measured with.

    python onnx_network.py NETWORK.npz NETWORK.onnx

Runs under the peers' Python. NETWORK.npz holds "blocks" (of each stage), "groups", "image_size" and
the weights "LAYER/0" (kernel, in TensorFlow's order) and "LAYER/1" (bias) by the names that
`expression_net` gives its layers. By hand, because the common converter does not read TensorFlow
2.21; whether the answers are equal is checked by the benchmark.
"""

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Graph:
    """Operations and constants, appended one by one; methods return the new output's name."""

    def __init__(self, weights):
        self.weights = weights
        self.nodes, self.constants = [], []

    def add(self, kind, *inputs, **attributes):
        """Appends an operation; arrays among its inputs become constants."""
        names = [self.constant(x) if isinstance(x, np.ndarray) else x for x in inputs]
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [output], **attributes))
        return output

    def constant(self, array):
        """Appends an array."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def convolution(self, x, layer, strides=1, relu=True, groups=1, **padding):
        """A convolution by its layer's name; padded by half its kernel unless said."""
        kernel = self.weights[f"{layer}/0"].transpose(3, 2, 0, 1)
        bias = [self.weights[f"{layer}/1"]] if f"{layer}/1" in self.weights else []
        padding = padding or {"pads": [kernel.shape[2] // 2] * 4}
        kernel = np.ascontiguousarray(kernel)
        x = self.add("Conv", x, kernel, *bias, strides=[strides] * 2, group=groups, **padding)
        return self.add("Relu", x) if relu else x

    def resize(self, x, size):
        """Bilinear interpolation of [B, C, H, W] to size x size."""
        none = np.zeros(0, np.float32)
        # The first two sizes come from x itself: the batch is not known.
        start = self.add("Slice", self.add("Shape", x), *(np.array([n]) for n in (0, 2)))
        shape = self.add("Concat", start, np.array([size, size]), axis=0)
        return self.add("Resize", x, none, none, shape, mode="linear")


def network(weights):
    """The graph of `expression_net` with attention and a pooling stem, on all rows."""
    graph = Graph(weights)
    add, convolution = graph.add, graph.convolution
    size, groups = int(weights["image_size"]), int(weights["groups"])
    x = add("Cast", "image", to=TensorProto.FLOAT)
    x = add("Mul", add("Transpose", x, perm=[0, 3, 1, 2]), np.array(1 / 255, np.float32))
    x = graph.resize(x, size)

    mask = convolution(x, "attention/down_1", 2, auto_pad="SAME_UPPER")
    mask = convolution(mask, "attention/down_2", 2, auto_pad="SAME_UPPER")
    mask = graph.resize(convolution(mask, "attention/project", relu=False), size)
    mask = add("Sub", mask, add("ReduceMean", mask, axes=[2, 3]))
    variance = add("ReduceMean", add("Mul", mask, mask), axes=[2, 3])
    deviation = add("Sqrt", add("Add", variance, np.array(1e-5, np.float32)))
    mask = add("Sigmoid", add("Div", mask, deviation))
    x = add("Mul", x, add("Add", mask, np.array(1, np.float32)))

    x = convolution(x, "stem", 2)
    x = add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for stage, count in enumerate(weights["blocks"]):
        for block in range(count):
            strides = 2 if stage and not block else 1
            name = f"stage_{stage + 1}_block_{block + 1}"
            y = convolution(x, f"{name}_reduce")
            y = convolution(y, f"{name}_grouped", strides, groups=groups)
            y = convolution(y, f"{name}_expand", relu=False)
            if not block:
                x = convolution(x, f"{name}_shortcut", strides, relu=False)
            x = add("Relu", add("Add", y, x))
    x = add("Flatten", add("GlobalAveragePool", x))
    add("Gemm", x, weights["logits/0"], weights["logits/1"])
    return graph


def main(source, target):
    with np.load(source) as weights:
        graph = network(dict(weights))
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 48, 48, 1])
    logits = helper.make_tensor_value_info(graph.nodes[-1].output[0], TensorProto.FLOAT, None)
    whole = helper.make_graph(graph.nodes, "network", [image], [logits], graph.constants)
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(model, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
