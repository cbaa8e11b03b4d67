"""Picture files: their size, checked before they are decoded, and decoding of every format."""

import io
import os
import struct
import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from fer_tf.errors import UserError

MOST_PICTURE_PIXELS = 80_000_000
"""The largest picture that is decoded: 240 MB of pixels, about 1 GB while faces are detected."""

LIMIT_VARIABLE = "FER_TF_MAX_PIXELS"
"""Environment variable whose value replaces `MOST_PICTURE_PIXELS`."""

# Pillow's warnings of damaged EXIF data print lines of its source code; a damaged picture gets one
# sentence of ours instead.
warnings.filterwarnings("ignore", category=UserWarning, module="PIL")

_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF", "JPEG2000", "PPM", "AVIF", "HEIF")

_TURNED_BY_PILLOW = ("AVIF", "HEIF")
"""Formats whose boxes `irot` and `imir` turn a picture, which OpenCV ignores."""

_DAMAGED = (
    *(SyntaxError, LookupError, TypeError, OSError, ValueError, EOFError, RuntimeError),
    struct.error,
)
"""What Pillow and its plugins raise for files that are cut short or no pictures."""

_HEIC_BRANDS = frozenset(b"heic heix heim heis hevc hevx mif1 msf1".split())


def check_size(width: int, height: int, name: str | Path) -> None:
    """Refuse a picture, or a video by its frames, that is too large to decode.

    Raises:
        UserError: it has more than `MOST_PICTURE_PIXELS`, or than the number in `LIMIT_VARIABLE`,
            or that variable is no positive whole number.
    """
    most = _most_pixels()
    if width * height > most:
        allowed = f"{most / 1e6:g} million" if most >= 1_000_000 else f"{most:,}"
        raise UserError(
            f"{name} has {width} x {height} pixels, {allowed} are allowed; choose a smaller "
            f"picture, or set the environment variable {LIMIT_VARIABLE} to more pixels."
        )


def open_picture(data: bytes, name: str | Path) -> Image.Image | None:
    """Read the header of a picture file and check the size, since 50 KB may unfold into 5 GB.

    Args:
        data: the contents of the file.
        name: the picture's name in messages.

    Returns:
        A picture that is not decoded yet; None where the file has none of the known formats.

    Raises:
        UserError: it has too many pixels, or is HEIC and the package that reads it is missing.
    """
    is_heic = data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS
    if is_heic:
        _register_heif()
    picture = _open(data)
    if picture is not None:
        check_size(*picture.size, name)
    elif is_heic and "HEIF" not in Image.OPEN:
        raise UserError(
            f"{name} is a HEIC picture, which needs the package pillow-heif; install it with "
            "`pip install -e '.[heic]'`, or save the picture as JPEG."
        )
    return picture


def decode(data: bytes, name: str | Path) -> np.ndarray | None:
    """Decode a picture file, see `fer_tf.faces.face.decode_picture`.

    Returns:
        uint8 [H, W, 3], BGR, upright; None where it is cut short or no picture.

    Raises:
        UserError: as `open_picture`.
    """
    picture = open_picture(data, name)
    try:
        if picture is None:
            return None
        if picture.format in _TURNED_BY_PILLOW:
            colours = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
            return np.ascontiguousarray(colours[..., ::-1])
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except (cv2.error, *_DAMAGED):
        return None


def _open(data):
    """Open as `PIL.Image.open` does, without its size limit, which is one for the whole process."""
    Image.init()
    for kind in _FORMATS:
        factory, accepts = Image.OPEN.get(kind, (None, None))
        if factory and (accepts is None or accepts(data[:16]) is True):
            try:
                return factory(io.BytesIO(data), "")
            except _DAMAGED:
                continue
    return None


def _register_heif():
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return
    register_heif_opener()


def _most_pixels():
    text = os.environ.get(LIMIT_VARIABLE)
    if text is None:
        return MOST_PICTURE_PIXELS
    if not (text.isdecimal() and int(text)):
        raise UserError(
            f"The environment variable {LIMIT_VARIABLE} is {text!r}; a number of pixels is "
            f"expected, e.g. {MOST_PICTURE_PIXELS}."
        )
    return int(text)
