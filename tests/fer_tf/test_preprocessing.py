from io import BytesIO

import cv2
import numpy as np
import pytest

from fer_tf.errors import InputError
from fer_tf.preprocessing import to_face, to_face_tf

SIZES = [(1, 1), (30, 30), (48, 48), (100, 100), (333, 333), (480, 640), (20, 90)]
CHANNELS = {"gray": 1, "colour": 3, "rgba": 4}


def picture(height: int, width: int, channels: int) -> np.ndarray:
    """Smooth shapes, edges and noise: what a lossy codec and a resize can get wrong."""
    random = np.random.default_rng(height * 1000 + width + channels)
    image = random.integers(0, 256, (5, 5, channels), dtype=np.uint8)
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
    image = image.reshape(height, width, channels)
    noise = random.integers(0, 60, image.shape, dtype=np.uint8)
    image = np.where(random.random((height, width, 1)) < 0.5, image // 2 + noise, image)
    image[: height // 3, : width // 2] = 255
    return image.squeeze(-1) if channels == 1 else image


def encoded(image: np.ndarray, extension: str) -> bytes:
    return cv2.imencode(extension, image)[1].tobytes()


def as_read(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize("extension", [".jpg", ".png", ".bmp"])
@pytest.mark.parametrize("channels", CHANNELS.values(), ids=CHANNELS)
def test_both_agree_within_one_gray_level(extension, channels):
    for height, width in SIZES:
        data = encoded(picture(height, width, channels), extension)
        expected = to_face(as_read(data))
        face = to_face_tf(data).numpy()
        assert face.shape == (48, 48, 1)
        difference = np.abs(face[..., 0].astype(int) - expected).max()
        assert difference <= 1, f"{height}x{width}: {difference} gray levels"


def test_sixteen_bit_png_and_webp():
    deep = (picture(60, 60, 3).astype(np.uint16) << 8) + 77
    for data in (encoded(deep, ".png"), encoded(picture(60, 60, 3), ".webp")):
        difference = to_face_tf(data).numpy()[..., 0].astype(int) - to_face(as_read(data))
        assert np.abs(difference).max() <= 1


def test_first_frame_of_a_gif():
    pillow = pytest.importorskip("PIL.Image")
    frames = [pillow.new("RGB", (60, 60), colour) for colour in ("white", "black")]
    buffer = BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    assert to_face_tf(buffer.getvalue()).numpy().min() == 255


def test_gray_weights():
    for channel, expected in enumerate((29, 150, 76)):
        image = np.zeros((48, 48, 3), np.uint8)
        image[..., channel] = 255
        assert (to_face(image) == expected).all()


def test_shapes_accepted_mean_the_same():
    gray = picture(70, 70, 1)
    expected = to_face(gray)
    assert expected.shape == (48, 48) and expected.dtype == np.uint8
    opaque = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGRA)
    transparent = opaque.copy()
    transparent[..., 3] = 0
    for image in (gray[..., None], cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), opaque, transparent):
        np.testing.assert_array_equal(to_face(image), expected)


def test_48_pixels_stay_as_they_are():
    image = picture(48, 48, 1)
    np.testing.assert_array_equal(to_face(image), image)


@pytest.mark.parametrize(
    "image",
    [np.zeros((9, 9), np.float32), np.zeros((9, 9, 2), np.uint8), np.zeros((0, 9), np.uint8)],
)
def test_what_is_no_image_is_refused(image):
    with pytest.raises(InputError):
        to_face(image)


def test_in_a_saved_model_traced_without_autograph(tmp_path):
    import tensorflow as tf

    def faces(image_bytes):
        spec = tf.TensorSpec([48, 48, 1], tf.uint8)
        return tf.map_fn(to_face_tf, image_bytes, fn_output_signature=spec)

    module = tf.Module()
    module.serve = tf.function(
        faces, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
    )
    tf.saved_model.save(module, tmp_path)
    served = tf.saved_model.load(tmp_path).serve
    data = [encoded(picture(64, 64, 3), ".jpg"), encoded(picture(30, 30, 1), ".png")]
    faces = served(tf.constant(data)).numpy()
    for face, one in zip(faces, data, strict=True):
        assert np.abs(face[..., 0].astype(int) - to_face(as_read(one))).max() <= 1
    assert served(tf.constant([], tf.string)).shape == (0, 48, 48, 1)
    with pytest.raises(tf.errors.InvalidArgumentError):
        served(tf.constant([b"no image"]))
