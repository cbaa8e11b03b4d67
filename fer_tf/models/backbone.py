"""The shape of a network's backbone."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Backbone:
    """The shape of a ResNeXt, without importing Keras; the defaults are ResNeXt-50 32x4d.

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


BACKBONES = {
    "resnet18": Backbone((2, 2, 2, 2), 1, 64, expansion=1, bottleneck=False),
    "resnet101": Backbone((3, 4, 23, 3), 1, 64, expansion=4),
    "resnet152": Backbone((3, 8, 36, 3), 1, 64, expansion=4),
    "wide_resnet101_2": Backbone((3, 4, 23, 3), 1, 128),
}
"""The networks of the paper's Table 2, which a recipe may have in place of its ResNeXt.

With three input channels and a thousand classes they have the 11,689,512, 44,549,160, 60,192,808
and 126,886,696 weights of torchvision's.
"""
