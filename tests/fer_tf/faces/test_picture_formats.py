import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from fer_tf.errors import UserError
from fer_tf.faces import picture_formats
from fer_tf.faces.face import decode_picture


@pytest.fixture
def corners():
    """RGB uint8 [32, 64, 3]: red above left, blue below right."""
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:16, :32, 0] = 255
    picture[16:, 32:, 2] = 255
    return picture


def written(picture, kind, **options):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind, **options)
    return file.getvalue()


def exif(orientation):
    data = Image.Exif()
    data[0x112] = orientation
    return data


@pytest.mark.parametrize("kind", ["AVIF", "JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright_whatever_their_format(corners, kind, orientation):
    data = written(corners, kind, quality=95, exif=exif(orientation))  # In AVIF: irot and imir.

    image = decode_picture(data, "picture")

    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert image.shape == upright.shape
    assert np.abs(image[..., ::-1].astype(int) - upright).mean() < 8


def test_heic_is_read_where_its_package_is_installed(corners):
    pytest.importorskip("pillow_heif").register_heif_opener()

    image = decode_picture(written(corners, "HEIF"), "a.heic")

    assert np.abs(image[..., ::-1].astype(int) - corners).mean() < 8


def test_heic_without_its_package_is_one_sentence(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)

    with pytest.raises(UserError, match=r"a.heic is a HEIC picture, which needs .*'\.\[heic\]'"):
        decode_picture(b"\0\0\0\x1cftypheic\0\0\0\0mif1heic" + bytes(40), "a.heic")


@pytest.mark.parametrize("kind", ["AVIF", "JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
@pytest.mark.parametrize("share", [0, 0.01, 0.1, 0.5, 0.9])
def test_a_file_that_is_cut_short_is_one_sentence(kind, share):
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
    data = written(noise, kind)

    with pytest.raises(UserError, match="is no picture that can be decoded"):
        decode_picture(data[: int(share * len(data))], "picture")


@pytest.mark.parametrize(
    ("kind", "size"), [("PNG", (30_000, 30_000)), ("TIFF", (9_000, 9_000)), ("GIF", (9_000, 9_000))]
)
def test_pixels_are_counted_before_a_file_unfolds(monkeypatch, kind, size):
    file = io.BytesIO()
    options = {"compression": "tiff_deflate"} if kind == "TIFF" else {}
    Image.new("1", size).save(file, kind, **options)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    limit = Image.MAX_IMAGE_PIXELS

    with pytest.raises(UserError, match=f"{size[0]} x {size[1]} pixels, 80 million are allowed"):
        decode_picture(file.getvalue(), "bomb")

    assert Image.MAX_IMAGE_PIXELS == limit  # It is the limit of the whole process.


def test_the_limit_follows_the_environment(monkeypatch, corners):
    data = written(corners, "PNG")

    monkeypatch.setenv("FER_TF_MAX_PIXELS", "2047")
    with pytest.raises(UserError, match="64 x 32 pixels, 2,047 are allowed; .*FER_TF_MAX_PIXELS"):
        decode_picture(data, "a.png")
    monkeypatch.setenv("FER_TF_MAX_PIXELS", "2048")
    assert decode_picture(data, "a.png").shape == (32, 64, 3)
    monkeypatch.setattr(picture_formats, "MOST_PICTURE_PIXELS", 1)
    assert decode_picture(data, "a.png").shape == (32, 64, 3)
    for wrong in ("40e6", "-1", "0", ""):
        monkeypatch.setenv("FER_TF_MAX_PIXELS", wrong)
        with pytest.raises(UserError, match=f"FER_TF_MAX_PIXELS is '{wrong}'; a number of pix"):
            decode_picture(data, "a.png")
