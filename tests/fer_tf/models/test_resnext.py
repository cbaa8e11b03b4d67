import keras
import numpy as np

from fer_tf.models.resnext import ResNeXt


def test_resnext_50_has_the_weights_of_the_reference():
    inputs = keras.Input((224, 224, 3))
    x = keras.layers.GlobalAveragePooling2D()(ResNeXt()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1000)(x))
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == 25_028_904


def test_stages_halve_the_resolution_and_double_the_channels():
    inputs = keras.Input((224, 224, 3))
    model = keras.Model(inputs, ResNeXt()(inputs))
    shapes = [model.get_layer(f"stage_{i}_block_1_relu").output.shape[1:] for i in (1, 2, 3, 4)]
    assert shapes == [(56, 56, 256), (28, 28, 512), (14, 14, 1024), (7, 7, 2048)]


def test_blocks_begin_as_the_identity():
    inputs = keras.Input((8, 8, 16))
    model = keras.Model(inputs, ResNeXt((2,), 2, 4, 16, stem_kernel=3, stem_pool=False)(inputs))
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 16)).astype("float32")
    before = keras.Model(inputs, model.get_layer("stage_1_block_1_relu").output)
    np.testing.assert_array_equal(model(x), before(x))
