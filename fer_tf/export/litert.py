"""Folds trained networks for inference and writes them for LiteRT, which needs no TensorFlow.

The LiteRT file has a signature for each network; `fer_tf.inference.litert_model` routes faces
among them as the SavedModel does.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from fer_tf.export.contract import LITERT_NETWORKS, ExportOptions
from fer_tf.expressions import MULTI_NETWORK, SUBNETS
from fer_tf.models.expression_net import attention_model, has_attention
from fer_tf.models.folding import fold
from fer_tf.models.shared_trunk import cut


@dataclass(frozen=True)
class FoldedNetworks:
    """Four networks in the form that is exported.

    Attributes:
        trunk: the layers that they share, or None.
        tails: BeginNet and the subnets, each without the trunk.
        attention: the attention of each subnet; empty if a subnet has none.
    """

    trunk: keras.Model | None
    tails: list[keras.Model]
    attention: list[keras.Model]

    def named(self, prefix: str = "") -> dict[str, keras.Model]:
        """Returns the networks by the names of their LiteRT signatures."""
        named = dict(zip(MULTI_NETWORK, self.tails, strict=True))
        if self.trunk:
            named["trunk"] = self.trunk
        if self.attention:
            names = [f"{network}/attention" for network in SUBNETS]
            named |= dict(zip(names, self.attention, strict=True))
        return {f"{prefix}{name}": network for name, network in named.items()}


def fold_networks(networks: Mapping[str, keras.Model], options: ExportOptions) -> FoldedNetworks:
    """Folds trained networks, and splits off their trunk and their attention.

    Args:
        networks: built networks by their names in `MULTI_NETWORK`.
        options: how they are exported.
    """
    folded = [fold(networks[name], options.precision, options.weights) for name in MULTI_NETWORK]
    trunk, tails = cut(folded)
    has_maps = all(map(has_attention, folded[1:]))
    attention = [attention_model(network) for network in folded[1:]] if has_maps else []
    return FoldedNetworks(trunk, tails, attention)


def write_networks(
    networks: Mapping[str, keras.Model], version: Path, options: ExportOptions
) -> None:
    """Writes `LITERT_NETWORKS` into a version, unless its precision is not float32.

    Args:
        networks: name of a signature -> a network with one input and one output, whose signature
            has the input `inputs` and the output `outputs`.
        version: the version's folder.
        options: how the version is exported.
    """
    if options.precision != "float32":
        return  # The outputs of LiteRT would differ from the SavedModel's.
    functions = {name: _frozen(network) for name, network in networks.items()}
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(tf.Module(), folder, signatures=functions)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=list(functions), tags={"serve"}
        )
        if options.weights == "float16":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        content = converter.convert()
    (version / LITERT_NETWORKS).parent.mkdir(exist_ok=True)
    (version / LITERT_NETWORKS).write_bytes(content)


def _frozen(network):
    """Returns a network as a function with constant weights; the converter reads no variables."""
    spec = tf.TensorSpec((None, *network.input_shape[1:]), network.input.dtype, "inputs")

    def infer(inputs):
        return network(inputs, training=False)

    traced = tf.function(infer, [spec], autograph=False).get_concrete_function()
    frozen = convert_variables_to_constants_v2(traced)
    return tf.function(lambda inputs: {"outputs": frozen(inputs)[0]}, [spec], autograph=False)
