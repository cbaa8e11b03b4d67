"""One network of the multi-network: a face in, a logit per class out."""

import keras
import numpy as np
from keras import layers, ops

from fer_tf.faces.face import FACE_SIZE
from fer_tf.models.backbone import Backbone
from fer_tf.models.layers.attention_map import AttentionMap
from fer_tf.models.layers.spatial_attention import SpatialAttention
from fer_tf.models.resnext import resnext

LOGITS = "logits"
"""Name of the last layer, the one that depends on the classes."""


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

    Inside: the gray levels divided by 255 (our reading of the paper's "min-max normalization"),
    resizing to the network's own size, spatial attention, the backbone, global average pooling
    and a dense layer.

    Args:
        classes: number of classes.
        image_size: side in pixels to which faces are resized (the paper: 224).
        backbone: by default ResNeXt-50 32x4d.
        attention: whether `SpatialAttention` stands before the backbone.
        rows: the rows [start, stop) that the network looks at; the paper's looks at all. Where the
            others are black, leaving them out halves the work.
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
        # Not keras.layers.Resizing: called without `training`, it puts the layers behind it into
        # training mode (Keras 3.15: the default of its own argument is passed on).
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
    """What a network's spatial attention weighs: its own layers, without the backbone.

    Args:
        net: of `expression_net`, with attention; or such a one folded.

    Returns:
        A model of the same input whose output is float [B, 48, 48], see `attention_maps`, but 0 in
        rows that the network does not look at.
    """
    attention = net.get_layer("attention")
    maps = AttentionMap(attention, _hidden_rows(net), name="attention_map")(attention.input)
    return keras.Model(net.input, maps)


def attention_maps(net: keras.Model, images) -> np.ndarray:
    """What a network's spatial attention weighs, as maps over the face.

    Args:
        net: of `expression_net`, with attention.
        images: uint8 [N, 48, 48, 1].

    Returns:
        float [N, 48, 48], 0 to 1, at least 0.5 where the weight is above the face's mean; NaN in
        rows that the network does not look at.
    """
    maps = np.array(ops.convert_to_numpy(attention_model(net)(images)), np.float32)
    top, bottom = _hidden_rows(net)
    maps[:, :top] = maps[:, FACE_SIZE - bottom :] = np.nan
    return maps


def _hidden_rows(net):
    """How many rows at the top and at the bottom a network leaves out."""
    cropped = [layer for layer in net.layers if layer.name == "visible_rows"]
    return cropped[0].cropping[0] if cropped else (0, 0)
