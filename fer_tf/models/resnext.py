"""ResNeXt backbone (Xie et al. 2017, Aggregated Residual Transformations, the paper's [38]).

With other values it is a ResNet (He et al. 2016, [40]) or a Wide ResNet (Zagoruyko and Komodakis
2016, [41]), the baselines of the paper's Table 2: see `fer_tf.models.backbone.BACKBONES`.
"""

import keras
from keras import layers

from fer_tf.models.backbone import Backbone
from fer_tf.models.layers.batch_normalization import BatchNormalization
from fer_tf.models.layers.grouped_conv2d import GroupedConv2D
from fer_tf.models.layers.pointwise_conv2d import PointwiseConv2D


def resnext(backbone: Backbone, inputs):
    """Applies a backbone to float [B, H, W, C] and returns the last feature map."""
    # "same" with stride 2 would pad below and to the right only.
    x = layers.ZeroPadding2D(backbone.stem_kernel // 2, name="stem_pad")(inputs)
    x = layers.Conv2D(
        backbone.stem_filters,
        backbone.stem_kernel,
        backbone.stem_strides,
        use_bias=False,
        kernel_initializer="he_normal",
        name="stem",
    )(x)
    x = _batch_norm(backbone, "stem_bn")(x)
    x = layers.ReLU(name="stem_relu")(x)
    if backbone.stem_pool:
        # Before a max pooling, values >= 0 may be padded with zeros, as in the reference.
        x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
        x = layers.MaxPooling2D(3, 2, name="stem_pool")(x)
    for stage, count in enumerate(backbone.blocks):
        width = (
            backbone.widths[stage]
            if backbone.widths
            else backbone.groups * backbone.group_width * 2**stage
        )
        if stage > 0 and backbone.pool_stages:
            x = layers.MaxPooling2D(2, padding="same", name=f"stage_{stage + 1}_pool")(x)
        for block in range(count):
            halves = stage > 0 and block == 0 and not backbone.pool_stages
            strides = 2 if halves else 1
            name = f"stage_{stage + 1}_block_{block + 1}"
            x = _block(backbone, x, width, strides, name)
    return x


def _block(backbone, x, width, strides, name):
    shortcut = x
    if strides > 1 or x.shape[-1] != backbone.expansion * width:
        shortcut = PointwiseConv2D(backbone.expansion * width, strides, name=f"{name}_shortcut")(x)
        shortcut = _batch_norm(backbone, f"{name}_shortcut_bn")(shortcut)
    if backbone.bottleneck:
        x = PointwiseConv2D(width, name=f"{name}_reduce")(x)
        x = _batch_norm(backbone, f"{name}_reduce_bn")(x)
        x = layers.ReLU(name=f"{name}_reduce_relu")(x)
    x = GroupedConv2D(width, backbone.groups, strides=strides, name=f"{name}_grouped")(x)
    x = _batch_norm(backbone, f"{name}_grouped_bn")(x)
    x = layers.ReLU(name=f"{name}_grouped_relu")(x)
    if backbone.bottleneck:
        x = PointwiseConv2D(backbone.expansion * width, name=f"{name}_expand")(x)
    else:
        x = GroupedConv2D(width, backbone.groups, name=f"{name}_expand")(x)
    # A block starts as the identity: deep networks from scratch train more steadily (Goyal et
    # al. 2017, section 5.1).
    x = _batch_norm(backbone, f"{name}_expand_bn", gamma_initializer="zeros")(x)
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.ReLU(name=f"{name}_relu")(x)


def _batch_norm(backbone, name, gamma_initializer="ones"):
    return BatchNormalization(
        momentum=backbone.batch_norm_momentum,
        epsilon=1e-5,
        gamma_initializer=gamma_initializer,
        synchronized=_several_replicas(),
        name=name,
    )


def _several_replicas():
    """Whether to synchronise batch statistics; JAX cannot, and one replica would be slower."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync > 1
