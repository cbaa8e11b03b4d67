from io import BytesIO

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from fer_tf.errors import UserError
from fer_tf.faces.preprocessing import to_face, to_face_tf

SIZES = [(1, 1), (30, 30), (48, 48), (100, 100), (333, 333), (99, 100), (40, 36)]
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


@pytest.mark.parametrize("extension", [".jpg", ".png"])
@pytest.mark.parametrize("channels", CHANNELS.values(), ids=CHANNELS)
def test_both_agree_within_one_gray_level(extension, channels):
    for height, width in SIZES:
        data = encoded(picture(height, width, channels), extension)
        expected = to_face(as_read(data))
        face = to_face_tf(data).numpy()
        assert face.shape == (48, 48, 1)
        difference = np.abs(face[..., 0].astype(int) - expected).max()
        assert difference <= 1, f"{height}x{width}: {difference} gray levels"


def pillow_file(mode: str, kind: str, **options) -> bytes:
    """A colour picture, 64 x 64, in a mode that OpenCV does not write."""
    image = Image.fromarray(picture(64, 64, 3))
    image = image.quantize(16) if mode == "P" else image.convert(mode)
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


TAKEN = {
    "progressive JPEG": pillow_file("RGB", "JPEG", progressive=True),
    "JPEG of two pictures": pillow_file(
        "RGB", "MPO", save_all=True, append_images=[Image.new("RGB", (64, 64))]
    ),
    "palette PNG": pillow_file("P", "PNG"),
    "palette PNG with a transparent colour": pillow_file("P", "PNG", transparency=3),
    "1-bit PNG": pillow_file("1", "PNG"),
    "gray PNG with alpha": pillow_file("LA", "PNG"),
    "16-bit PNG": encoded((picture(60, 60, 3).astype(np.uint16) << 8) + 77, ".png"),
    "16-bit gray PNG": encoded((picture(60, 60, 1).astype(np.uint16) << 8) + 200, ".png"),
    "animated PNG": pillow_file(
        "RGB", "PNG", save_all=True, append_images=[Image.new("RGB", (64, 64))]
    ),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_every_kind_of_jpeg_and_png_agrees(kind):
    expected = to_face(as_read(TAKEN[kind]))
    difference = to_face_tf(TAKEN[kind]).numpy()[..., 0].astype(int) - expected
    assert np.abs(difference).max() <= 1
    assert expected.std() > 20  # Nor are both empty.


def test_cmyk_agrees_within_two_gray_levels():
    data = pillow_file("CMYK", "JPEG")
    difference = to_face_tf(data).numpy()[..., 0].astype(int) - to_face(as_read(data))
    assert np.abs(difference).max() <= 2


def test_an_exif_rotation_is_not_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # A quarter turn.
    turned, plain = pillow_file("RGB", "JPEG", exif=exif), pillow_file("RGB", "JPEG")
    np.testing.assert_array_equal(to_face_tf(turned), to_face_tf(plain))


JPEG, PNG = encoded(picture(64, 64, 3), ".jpg"), encoded(picture(64, 64, 3), ".png")
NO_FILE = "picture is no JPEG or PNG file"
REFUSED = {
    "nothing": (b"", NO_FILE),
    "text": (b"a face", NO_FILE),
    # TensorFlow takes the numbers of its colours for gray levels.
    "palette BMP": (pillow_file("P", "BMP"), NO_FILE),
    "BMP": (encoded(picture(64, 64, 3), ".bmp"), NO_FILE),
    "GIF": (pillow_file("P", "GIF"), NO_FILE),
    "animated GIF": (
        pillow_file("P", "GIF", save_all=True, append_images=[Image.new("P", (64, 64))]),
        NO_FILE,
    ),
    "WebP": (encoded(picture(64, 64, 3), ".webp"), NO_FILE),
    "animated WebP": (
        pillow_file("RGB", "WEBP", save_all=True, append_images=[Image.new("RGB", (64, 64))]),
        NO_FILE,
    ),
    "TIFF": (pillow_file("RGB", "TIFF"), NO_FILE),
    "photograph": (
        encoded(np.zeros((480, 640, 3), np.uint8), ".jpg"),
        "picture has 640 x 480 pixels, a face square is expected",
    ),
    "strip": (
        encoded(np.zeros((90, 80), np.uint8), ".png"),
        "picture has 80 x 90 pixels, a face square is expected",
    ),
    "start of a JPEG": (JPEG[:20], "Invalid JPEG data, size 20"),
    "cut JPEG": (JPEG[:-3], "Invalid JPEG data"),
    "start of a PNG": (PNG[:20], "64 x 0 pixels"),
    "cut PNG": (PNG[:-30], f"Invalid PNG data, size {len(PNG) - 30}"),
    "damaged PNG": (PNG[:2000] + b"damage" + PNG[2006:], f"Invalid PNG data, size {len(PNG)}"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_answered_is_refused(kind):
    data, message = REFUSED[kind]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        to_face_tf(data)


@pytest.mark.parametrize("extension", [".jpg", ".png"])
def test_a_bomb_is_refused_by_its_header(extension):
    """Not by the decoder, which would take the memory: the file ends behind its header."""
    data = encoded(np.zeros((8000, 8000), np.uint8), extension)[:1000]
    message = "8000 x 8000 pixels, at most 16777216 are taken"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        tf.function(to_face_tf, autograph=False)(tf.constant(data))


def test_the_largest_picture_taken():
    image = np.full((4096, 4096), 200, np.uint8)
    for extension in (".jpg", ".png"):
        assert (to_face_tf(encoded(image, extension)).numpy() == 200).all()


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
    with pytest.raises(UserError):
        to_face(image)
