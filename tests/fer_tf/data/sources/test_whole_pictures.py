"""Which files `read_whole_picture` takes for whole; test_archive.py has the readers' part."""

import cv2
import pytest

from fer_tf.data.sources.archive import read_whole_picture
from fer_tf.errors import UserError
from fer_tf.faces.face import read_picture
from tests.helpers import PLAIN_TIFF, encode_half_picture, encode_picture


@pytest.mark.parametrize("suffix", [".jpg", ".tiff"])
def test_a_rest_of_zeros_that_opencv_takes_for_a_picture_is_refused(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(encode_picture(suffix))
    whole = read_picture(path)
    path.write_bytes(encode_half_picture(suffix))
    assert (read_picture(path) != whole).mean() > 0.3

    with pytest.raises(UserError, match="only the beginning of a picture.* copy it again"):
        read_whole_picture(path)


PREVIEW = encode_picture(".jpg")
EXIF = b"\xff\xe1" + (len(PREVIEW) + 8).to_bytes(2, "big") + b"Exif\0\0" + PREVIEW


@pytest.mark.parametrize("after", [b"", b"\0", b"\r\n", bytes(4096), PREVIEW, b"\xff\xd9\xff\xda"])
@pytest.mark.parametrize(
    "data",
    [
        encode_picture(".jpg"),
        encode_picture(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        encode_picture(".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
        encode_picture(".jpg")[:2] + EXIF + encode_picture(".jpg")[2:],
        encode_picture(".tiff"),
        encode_picture(".tiff", *PLAIN_TIFF),
    ],
    ids=["jpeg", "progressive", "restarts", "preview", "tiff", "plain tiff"],
)
def test_whole_pictures_are_read_whatever_follows_them(tmp_path, data, after):
    path = tmp_path / "picture"
    path.write_bytes(data + after)

    assert read_whole_picture(path).shape == (100, 100, 3)


def test_a_picture_with_a_whole_preview_and_no_end_is_refused(tmp_path):
    data = encode_picture(".jpg")[:2] + EXIF + encode_picture(".jpg")[2:]
    path = tmp_path / "x.jpg"
    path.write_bytes(data[:-1500].ljust(len(data), b"\0"))

    with pytest.raises(UserError, match="x.jpg"):
        read_whole_picture(path)
