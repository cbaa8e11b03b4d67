import keras
import numpy as np

from fer_tf.models.layers.spatial_attention import SpatialAttention


def faces(count=3, size=(24, 48)):
    return np.random.default_rng(0).uniform(size=(count, *size, 1)).astype("float32")


def test_multiplies_by_one_plus_a_mask_between_0_and_1():
    layer = SpatialAttention()
    x = faces()
    y = np.array(layer(x))
    mask = np.array(layer.mask(x))
    assert mask.shape == (3, 24, 48, 1)
    assert 0 < mask.min() < 0.4 and 0.6 < mask.max() < 1
    np.testing.assert_allclose(y, x * (1 + mask), rtol=1e-5)


def test_mask_is_standardised_over_positions():
    mask = np.array(SpatialAttention().mask(faces()))
    logits = np.log(mask / (1 - mask))
    np.testing.assert_allclose(logits.mean((1, 2)), 0, atol=1e-3)
    np.testing.assert_allclose(logits.std((1, 2)), 1, atol=0.05)


def test_blank_image_gives_finite_output():
    assert np.isfinite(np.array(SpatialAttention()(np.zeros((1, 48, 48, 1), "float32")))).all()


def test_reloads_to_equal_outputs(tmp_path):
    inputs = keras.Input((24, 48, 1))
    model = keras.Model(inputs, SpatialAttention(filters=4)(inputs))
    model.save(tmp_path / "model.keras")
    reloaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(reloaded(faces()), model(faces()))
