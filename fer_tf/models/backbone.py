"""The shape of a network's backbone."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Backbone:
    """The shape of a ResNeXt; the defaults are ResNeXt-50 32x4d.

    Attributes:
        blocks: number of blocks in each stage; every stage but the first halves the resolution.
        pool_stages: whether a max pooling before the stage's first block halves the resolution;
            otherwise that block's 3x3 convolution has stride 2, as in the papers. On CPUs a network
            with poolings trains two to three times as fast.
        groups: cardinality, the number of groups of the 3x3 convolutions.
        group_width: channels of a group in the first stage; doubles with each stage.
        widths: channels of each stage's 3x3 convolutions, or None for `groups * group_width`,
            doubled with each stage.
        expansion: output channels of a block divided by the channels of its 3x3 convolution.
        bottleneck: whether a block reduces, convolves 3x3 and expands; otherwise it consists of two
            3x3 convolutions, and `expansion` is 1.
        stem_filters: channels of the stem's convolution.
        stem_kernel: its kernel size.
        stem_strides: its stride.
        stem_pool: whether a max pooling of stride 2 follows the stem's convolution. ImageNet
            networks have a 7x7 convolution and the pooling; small images need only a 3x3
            convolution.
        batch_norm_momentum: share of the moving statistics that each step keeps. With small batches
            a larger share makes the statistics, and so the predictions, less noisy.
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


def pooling_backbone(blocks: tuple[int, ...], widths: tuple[int, ...]) -> Backbone:
    """Returns a backbone of plain 3x3 convolutions and poolings, which CPUs train fastest."""
    return Backbone(
        blocks,
        groups=1,
        widths=widths,
        expansion=1,
        bottleneck=False,
        stem_filters=widths[0] // 2,
        stem_kernel=3,
        stem_pool=False,
        pool_stages=True,
        batch_norm_momentum=0.99,
    )


BACKBONES = {
    "resnet18": Backbone((2, 2, 2, 2), 1, 64, expansion=1, bottleneck=False),
    "resnet101": Backbone((3, 4, 23, 3), 1, 64, expansion=4),
    "resnet152": Backbone((3, 8, 36, 3), 1, 64, expansion=4),
    "wide_resnet101_2": Backbone((3, 4, 23, 3), 1, 128),
}
"""The networks of the paper's Table 2, which can replace a recipe's ResNeXt.

With three input channels and a thousand classes they have as many weights as torchvision's:
11,689,512, 44,549,160, 60,192,808 and 126,886,696.
"""
