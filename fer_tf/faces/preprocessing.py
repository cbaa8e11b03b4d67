"""Preprocessing: from a face square of any size and colour to a gray 48x48 image.

There are two versions: `to_face` uses OpenCV, for databases and photographs; `to_face_tf` uses
TensorFlow operations alone, for the graph of a SavedModel. Both convert to gray and average over
areas, and they agree within 1 gray level, so that served images are like training images.
"""

from typing import TYPE_CHECKING

import cv2
import numpy as np

from fer_tf.errors import UserError
from fer_tf.faces.face import FACE_SIZE

if TYPE_CHECKING:
    import tensorflow as tf

GRAY_WEIGHTS_BGR = (3735, 19235, 9798)
"""Weights of blue, green and red in 1/32768: ITU-R BT.601, rounded as in OpenCV's cvtColor."""

MOST_SQUARE_PIXELS = 4096 * 4096
"""The largest face square that a graph decodes: 48 MiB, and up to ten are decoded at a time."""

_PNG_START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"  # Then width and height, 4 bytes each.

_TO_GRAY = {3: cv2.COLOR_BGR2GRAY, 4: cv2.COLOR_BGRA2GRAY}


def to_face(image: np.ndarray) -> np.ndarray:
    """Turn a face square into the image that is stored and classified.

    A picture that is not square is squeezed into a square; the caller crops it before.

    Args:
        image: uint8 [H, W], [H, W, 1], [H, W, 3] (BGR) or [H, W, 4] (BGRA, alpha is ignored) as
            `cv2.imdecode` returns it, H and W at least 1. Read colour files as colour
            (`cv2.IMREAD_COLOR`): with `IMREAD_GRAYSCALE` OpenCV uses other weights for a JPEG.

    Returns:
        uint8 [48, 48], 0 to 255.

    Raises:
        UserError: another dtype or shape.
    """
    channels = image.shape[2] if image.ndim == 3 else 1
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise UserError(
            f"Image of dtype {image.dtype} and shape {image.shape} received, uint8 [H, W], "
            "[H, W, 1], [H, W, 3] or [H, W, 4] expected; read the file with cv2.IMREAD_COLOR."
        )
    if image.size == 0:
        raise UserError(f"Empty image of shape {image.shape} received; crop a face first.")
    if channels == 1:
        gray = image.reshape(image.shape[:2])
    else:
        gray = cv2.cvtColor(image, _TO_GRAY[channels])
    # Shrink first, enlarge afterwards: OpenCV averages areas only where neither side grows.
    # Float values, so that the two steps round once.
    height, width = gray.shape
    smaller = (min(width, FACE_SIZE), min(height, FACE_SIZE))
    face = cv2.resize(gray.astype(np.float32), smaller, interpolation=cv2.INTER_AREA)
    face = cv2.resize(face, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA)
    return np.clip(np.rint(face), 0, 255).astype(np.uint8)


def to_face_tf(image_bytes: "tf.Tensor", name: "str | tf.Tensor" = "picture") -> "tf.Tensor":
    """Decode an image file and preprocess it like `to_face`, in TensorFlow operations alone.

    JPEG and PNG are accepted, which all decoders read alike. Gray, palette, 16 bits and alpha give
    the same pixels as OpenCV; CMYK is up to 2 gray levels off; an EXIF rotation is not applied.
    TensorFlow's other formats are refused: it turns the palette of a BMP into gray levels, unpacks
    all frames of a GIF, of any size, and reads WebP without animation only.

    The function can be traced with or without autograph. Its static shape lets `tf.map_fn` use it
    with `fn_output_signature=tf.TensorSpec([48, 48, 1], tf.uint8)`.

    Args:
        image_bytes: scalar string, a JPEG or PNG file of a face square of at most
            `MOST_SQUARE_PIXELS`. Sides may differ by a tenth of the longer one, which is then
            squeezed.
        name: the picture's name in messages; a scalar string.

    Returns:
        uint8 [48, 48, 1], 0 to 255.

    Raises:
        tf.errors.InvalidArgumentError: on any other input, when the graph runs. The message has
            name and reason; where the header is whole and the rest is not, it is the decoder's
            message, which has the number of bytes.
    """
    import tensorflow as tf

    # The header is checked before the file is decoded: 200 kB may contain gigabytes of one colour.
    image_bytes = tf.ensure_shape(tf.convert_to_tensor(image_bytes), [])
    header = tf.io.decode_raw(image_bytes[tf.newaxis], tf.uint8, fixed_length=24)[0]
    is_png = tf.reduce_all(header[:16] == tf.constant(list(_PNG_START), tf.uint8))
    is_jpeg = tf.io.is_jpeg(image_bytes)
    has_known_format = _require(is_jpeg | is_png, [name, " is no JPEG or PNG file."])
    with tf.control_dependencies([has_known_format]):
        height, width = tf.unstack(
            tf.cond(
                is_jpeg,
                lambda: tf.io.extract_jpeg_shape(image_bytes, tf.int64)[:2],
                lambda: _png_shape(header),
            )
        )
    size = [name, " has ", tf.as_string(width), " x ", tf.as_string(height), " pixels, "]
    longer, shorter = tf.maximum(height, width), tf.minimum(height, width)
    is_square = _require(
        10 * (longer - shorter) <= longer, [*size, "a face square is expected: crop it first."]
    )
    with tf.control_dependencies([is_square]):
        is_small = _require(
            longer * shorter <= MOST_SQUARE_PIXELS,
            [*size, f"at most {MOST_SQUARE_PIXELS} are taken: shrink it first."],
        )
    with tf.control_dependencies([is_small]):
        # decode_image uses a fast transform for JPEG that is up to 11 gray levels off.
        rgb = tf.cond(
            is_jpeg,
            lambda: tf.io.decode_jpeg(image_bytes, channels=3, dct_method="INTEGER_ACCURATE"),
            lambda: tf.io.decode_png(image_bytes, channels=3),
        )
    rgb = tf.ensure_shape(rgb, [None, None, 3])
    # Unlike in `to_face`, the average comes before gray, which saves a copy of the picture.
    face = tf.image.resize(rgb[tf.newaxis], [FACE_SIZE] * 2, method="area")[0]
    weights = tf.constant(GRAY_WEIGHTS_BGR[::-1], tf.float32) / 32768
    gray = tf.reduce_sum(face * weights, axis=-1, keepdims=True)
    # Halves are rounded up, as in OpenCV's cvtColor; tf.round would round them to even.
    gray = tf.saturate_cast(tf.floor(gray + 0.5), tf.uint8)
    return tf.ensure_shape(gray, [FACE_SIZE, FACE_SIZE, 1])


def _png_shape(header):
    """Height and width, int64 [2], from the first 24 bytes of a PNG file."""
    import tensorflow as tf

    digits = tf.reshape(tf.cast(header[16:24], tf.int64), [2, 4])
    return tf.reduce_sum(digits * [2**24, 2**16, 2**8, 1], axis=-1)[::-1]


def _require(condition, message):
    """An operation that fails with the message, parts joined, where the condition is False."""
    import tensorflow as tf

    return tf.debugging.Assert(condition, [tf.strings.join(message)])
