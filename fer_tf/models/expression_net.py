"""The architecture of BeginNet, the subnets and the flat network."""

import keras
import numpy as np
from keras import layers, ops

from fer_tf.faces.face import FACE_SIZE
from fer_tf.models.backbone import Backbone
from fer_tf.models.layers.attention_map import AttentionMap
from fer_tf.models.layers.spatial_attention import SpatialAttention
from fer_tf.models.resnext import resnext

LOGITS = "logits"
"""Name of the dense layer, the only layer that depends on the number of classes."""


def expression_net(
    classes: int,
    image_size: int = 224,
    backbone: Backbone | None = None,
    attention: bool = True,
    rows: tuple[int, int] = (0, FACE_SIZE),
    dropout: float = 0.0,
    name: str = "expression_net",
) -> keras.Model:
    """Builds BeginNet, a subnet or the flat network (the paper's Fig. 4).

    Input: uint8 [B, 48, 48, 1]. Output: float32 logits [B, classes].

    The layers: gray levels divided by 255 (our reading of the paper's "min-max normalization"),
    resizing, spatial attention, the backbone, global average pooling and a dense layer.

    Args:
        classes: number of classes.
        image_size: side in pixels to which faces are resized (the paper: 224).
        backbone: by default ResNeXt-50 32x4d.
        attention: whether `SpatialAttention` precedes the backbone.
        rows: the rows [start, stop) of the face that the network sees (the paper: all). Without the
            black rows of a half the network needs half the time.
        dropout: rate of dropout before the dense layer.
        name: name of the model.
    """
    images = layers.Input((FACE_SIZE, FACE_SIZE, 1), dtype="uint8", name="image")
    start, stop = rows
    x = layers.Rescaling(1 / 255, name="rescale")(images)
    if rows != (0, FACE_SIZE):
        x = layers.Cropping2D(((start, FACE_SIZE - stop), (0, 0)), name="visible_rows")(x)
    if image_size != FACE_SIZE:
        height = round(image_size * (stop - start) / FACE_SIZE)
        # keras.layers.Resizing, called without `training`, would pass its default on and put the
        # next layers into training mode (Keras 3.15).
        x = ops.image.resize(x, (height, image_size), interpolation="bilinear")
    if attention:
        x = SpatialAttention(name="attention")(x)
    x = resnext(backbone or Backbone(), x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    logits = layers.Dense(classes, dtype="float32", name=LOGITS)(x)
    return keras.Model(images, logits, name=name)


def has_attention(net: keras.Model) -> bool:
    """Whether a network has spatial attention."""
    return any(layer.name == "attention" for layer in net.layers)


def attention_model(net: keras.Model) -> keras.Model:
    """Builds a model of a network's attention maps from its layers up to the attention.

    Args:
        net: built by `expression_net`, with attention; it may be folded.

    Returns:
        A model with the network's input and the output float [B, 48, 48], as `attention_maps`
        returns it, but 0 in rows that the network does not see.
    """
    attention = net.get_layer("attention")
    maps = AttentionMap(attention, _hidden_rows(net), name="attention_map")(attention.input)
    return keras.Model(net.input, maps)


def attention_maps(net: keras.Model, images) -> np.ndarray:
    """Computes a network's attention maps.

    Args:
        net: built by `expression_net`, with attention.
        images: uint8 [N, 48, 48, 1].

    Returns:
        float [N, 48, 48], 0 to 1, at least 0.5 where the weight is above the face's mean; NaN in
        rows that the network does not see.
    """
    maps = np.array(ops.convert_to_numpy(attention_model(net)(images)), np.float32)
    top, bottom = _hidden_rows(net)
    maps[:, :top] = maps[:, FACE_SIZE - bottom :] = np.nan
    return maps


def _hidden_rows(net):
    """The number of rows at the top and at the bottom that a network does not see."""
    cropped = [layer for layer in net.layers if layer.name == "visible_rows"]
    return cropped[0].cropping[0] if cropped else (0, 0)
