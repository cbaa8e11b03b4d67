"""ResNeXt backbone (Xie et al. 2017, Aggregated Residual Transformations, the paper's [38]).

With other arguments it is a ResNet (He et al. 2016, [40]) or a Wide ResNet (Zagoruyko and Komodakis
2016, [41]), the baselines of the paper's Table 2: see `fer_tf.training.recipes.BACKBONES`.
"""

from dataclasses import dataclass

import keras
from keras import layers

from fer_tf.models.layers.batch_normalization import BatchNormalization
from fer_tf.models.layers.grouped_conv2d import GroupedConv2D
from fer_tf.models.layers.pointwise_conv2d import PointwiseConv2D


@dataclass(frozen=True)
class ResNeXt:
    """The shape of a ResNeXt; the defaults are ResNeXt-50 32x4d.

    Attributes:
        blocks: number of blocks in each stage; every stage but the first halves the resolution.
        pool_stages: whether a max pooling halves it, before the stage's first block; else that
            block's 3x3 convolution has stride 2, as in the papers. On CPUs the former trains two
            to three times as fast.
        groups: cardinality, the number of groups of the 3x3 convolutions.
        group_width: channels of a group in the first stage; doubles with each stage.
        widths: channels of each stage's 3x3 convolutions, or None for `groups * group_width`,
            doubled with each stage.
        expansion: a stage's blocks put out so many times its channels.
        bottleneck: whether a block reduces, convolves 3x3 and expands; else it is two 3x3
            convolutions, and its `expansion` 1.
        stem_filters: channels of the stem's convolution.
        stem_kernel: its kernel size.
        stem_strides: its stride.
        stem_pool: whether a max pooling of stride 2 follows it. ImageNet networks have a 7x7
            convolution and the pooling; for small images a 3x3 convolution alone does.
        batch_norm_momentum: what the moving statistics keep of themselves at each step. With small
            batches a higher one makes them, and so every answer, less noisy.
    """

    blocks: tuple[int, ...] = (3, 4, 6, 3)
    groups: int = 32
    group_width: int = 4
    expansion: int = 2
    bottleneck: bool = True
    stem_filters: int = 64
    stem_kernel: int = 7
    stem_pool: bool = True
    batch_norm_momentum: float = 0.9
    widths: tuple[int, ...] | None = None
    stem_strides: int = 2
    pool_stages: bool = False

    def __call__(self, inputs):
        """Applies the backbone to float [B, H, W, C] and returns the last feature map."""
        # "same" with stride 2 would pad below and to the right only.
        x = layers.ZeroPadding2D(self.stem_kernel // 2, name="stem_pad")(inputs)
        x = layers.Conv2D(
            self.stem_filters,
            self.stem_kernel,
            self.stem_strides,
            use_bias=False,
            kernel_initializer="he_normal",
            name="stem",
        )(x)
        x = self._batch_norm("stem_bn")(x)
        x = layers.ReLU(name="stem_relu")(x)
        if self.stem_pool:
            # A max pooling of values >= 0 may be padded with zeros, as the reference does.
            x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
            x = layers.MaxPooling2D(3, 2, name="stem_pool")(x)
        for stage, count in enumerate(self.blocks):
            width = self.widths[stage] if self.widths else self.groups * self.group_width * 2**stage
            if stage > 0 and self.pool_stages:
                x = layers.MaxPooling2D(2, padding="same", name=f"stage_{stage + 1}_pool")(x)
            for block in range(count):
                halves = stage > 0 and block == 0 and not self.pool_stages
                strides = 2 if halves else 1
                name = f"stage_{stage + 1}_block_{block + 1}"
                x = self._block(x, width, strides, name)
        return x

    def _block(self, x, width, strides, name):
        shortcut = x
        if strides > 1 or x.shape[-1] != self.expansion * width:
            shortcut = PointwiseConv2D(self.expansion * width, strides, name=f"{name}_shortcut")(x)
            shortcut = self._batch_norm(f"{name}_shortcut_bn")(shortcut)
        if self.bottleneck:
            x = PointwiseConv2D(width, name=f"{name}_reduce")(x)
            x = self._batch_norm(f"{name}_reduce_bn")(x)
            x = layers.ReLU(name=f"{name}_reduce_relu")(x)
        x = GroupedConv2D(width, self.groups, strides=strides, name=f"{name}_grouped")(x)
        x = self._batch_norm(f"{name}_grouped_bn")(x)
        x = layers.ReLU(name=f"{name}_grouped_relu")(x)
        if self.bottleneck:
            x = PointwiseConv2D(self.expansion * width, name=f"{name}_expand")(x)
        else:
            x = GroupedConv2D(width, self.groups, name=f"{name}_expand")(x)
        # A block starts as the identity: deep networks from scratch train more steadily (Goyal et
        # al. 2017, section 5.1).
        x = self._batch_norm(f"{name}_expand_bn", gamma_initializer="zeros")(x)
        x = layers.Add(name=f"{name}_add")([x, shortcut])
        return layers.ReLU(name=f"{name}_relu")(x)

    def _batch_norm(self, name, gamma_initializer="ones"):
        return BatchNormalization(
            momentum=self.batch_norm_momentum,
            epsilon=1e-5,
            gamma_initializer=gamma_initializer,
            synchronized=_several_replicas(),
            name=name,
        )


def _several_replicas():
    """Whether statistics have to be shared; JAX refuses the question, one replica is slowed."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync > 1
