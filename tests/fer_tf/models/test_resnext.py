import keras
import numpy as np
import pytest

from fer_tf.models.backbone import BACKBONES, Backbone
from fer_tf.models.resnext import resnext


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("resnext50", 25_028_904),
        ("resnet18", 11_689_512),
        ("resnet101", 44_549_160),
        ("resnet152", 60_192_808),
        ("wide_resnet101_2", 126_886_696),
    ],
)
def test_networks_have_the_weights_of_the_reference(name, weights):
    backbone = BACKBONES.get(name, Backbone())
    inputs = keras.Input((224, 224, 3))
    x = keras.layers.GlobalAveragePooling2D()(resnext(backbone, inputs))
    model = keras.Model(inputs, keras.layers.Dense(1000)(x))
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == weights


def test_a_basic_block_is_two_convolutions_and_a_shortcut():
    inputs = keras.Input((8, 8, 16))
    backbone = Backbone((1, 1), 1, 16, 1, False, 16, stem_kernel=3, stem_pool=False)
    model = keras.Model(inputs, resnext(backbone, inputs))
    kernels = {w.path: tuple(w.shape) for w in model.weights if w.path.endswith("kernel")}
    assert kernels == {
        "stem/kernel": (3, 3, 16, 16),
        "stage_1_block_1_grouped/kernel": (3, 3, 16, 16),
        "stage_1_block_1_expand/kernel": (3, 3, 16, 16),
        "stage_2_block_1_shortcut/kernel": (1, 1, 16, 32),
        "stage_2_block_1_grouped/kernel": (3, 3, 16, 32),
        "stage_2_block_1_expand/kernel": (3, 3, 32, 32),
    }


def test_stages_halve_the_resolution_and_double_the_channels():
    inputs = keras.Input((224, 224, 3))
    model = keras.Model(inputs, resnext(Backbone(), inputs))
    shapes = [model.get_layer(f"stage_{i}_block_1_relu").output.shape[1:] for i in (1, 2, 3, 4)]
    assert shapes == [(56, 56, 256), (28, 28, 512), (14, 14, 1024), (7, 7, 2048)]


def test_stages_may_begin_with_a_pooling_and_the_stem_keep_the_resolution():
    inputs = keras.Input((24, 24, 1))
    backbone = Backbone(
        (1, 1, 1),
        1,
        widths=(8, 16, 24),
        expansion=1,
        bottleneck=False,
        stem_filters=8,
        stem_kernel=3,
        stem_strides=1,
        stem_pool=False,
        pool_stages=True,
    )
    model = keras.Model(inputs, resnext(backbone, inputs))
    shapes = [model.get_layer(f"stage_{i}_block_1_relu").output.shape[1:] for i in (1, 2, 3)]
    assert shapes == [(24, 24, 8), (12, 12, 16), (6, 6, 24)]
    blocks = [layer for layer in model.layers if hasattr(layer, "kernel")]
    assert len(blocks) == 9 and all(layer.strides in (1, (1, 1)) for layer in blocks)


def test_blocks_begin_as_the_identity():
    inputs = keras.Input((8, 8, 16))
    model = keras.Model(
        inputs,
        resnext(Backbone((2,), 2, 4, stem_filters=16, stem_kernel=3, stem_pool=False), inputs),
    )
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 16)).astype("float32")
    before = keras.Model(inputs, model.get_layer("stage_1_block_1_relu").output)
    np.testing.assert_array_equal(model(x), before(x))


@pytest.mark.parametrize("momentum", [0.9, 0.99])
def test_every_batch_norm_has_the_momentum_of_the_backbone(momentum):
    inputs = keras.Input((8, 8, 1))
    backbone = Backbone((1, 1), 2, 4, stem_filters=16, batch_norm_momentum=momentum)
    norms = [
        each for each in keras.Model(inputs, resnext(backbone, inputs)).layers if "bn" in each.name
    ]
    assert len(norms) == 8 and {each.momentum for each in norms} == {momentum}
