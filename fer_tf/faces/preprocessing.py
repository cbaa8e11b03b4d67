"""A face square of any size and colour becomes the gray 48x48 image that the networks take.

Written twice: `to_face` with OpenCV for preparing databases and for photographs, `to_face_tf` with
TensorFlow operations alone so that a SavedModel can do it inside its graph. Both turn to gray and
average over areas, and they agree within 1 gray level: what is served is what was trained.
"""

from typing import TYPE_CHECKING

import cv2
import numpy as np

from fer_tf.errors import UserError
from fer_tf.faces.face import FACE_SIZE

if TYPE_CHECKING:
    import tensorflow as tf

GRAY_WEIGHTS_BGR = (3735, 19235, 9798)
"""Weights of blue, green and red in 1/32768: ITU-R BT.601 as OpenCV's cvtColor rounds it."""

MOST_SQUARE_PIXELS = 4096 * 4096
"""Of a picture decoded in a graph: 48 MiB of memory, and up to ten are decoded at a time."""

_PNG_START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"  # Then width and height, 4 bytes each.

_TO_GRAY = {3: cv2.COLOR_BGR2GRAY, 4: cv2.COLOR_BGRA2GRAY}


def to_face(image: np.ndarray) -> np.ndarray:
    """Turn a face square into the image that is stored and classified.

    A picture that is not square is squeezed into one: cropping is the caller's business.

    Args:
        image: uint8 [H, W], [H, W, 1], [H, W, 3] (BGR) or [H, W, 4] (BGRA, alpha is ignored) as
            `cv2.imdecode` returns it, H and W at least 1. Read colour files as colour
            (`cv2.IMREAD_COLOR`): OpenCV's own gray reading of a JPEG uses other weights.

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
    # Shrink first, enlarge after: OpenCV averages areas only where neither side grows.
    # In float, so that the two steps round once.
    height, width = gray.shape
    smaller = (min(width, FACE_SIZE), min(height, FACE_SIZE))
    face = cv2.resize(gray.astype(np.float32), smaller, interpolation=cv2.INTER_AREA)
    face = cv2.resize(face, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA)
    return np.clip(np.rint(face), 0, 255).astype(np.uint8)


def to_face_tf(image_bytes: "tf.Tensor", name: "str | tf.Tensor" = "picture") -> "tf.Tensor":
    """Decode an image file and do as `to_face`, in TensorFlow operations alone.

    A face square that every decoder reads alike is answered, everything else is refused. Gray,
    palette, 16 bits and alpha are taken as OpenCV takes them; CMYK is up to 2 gray levels off; an
    EXIF rotation is not applied. Refused though TensorFlow would decode them: BMP, of whose
    palette it makes gray levels; GIF, all frames of which it unpacks, of any size; WebP, which it
    reads without animation only.

    Traces with or without autograph and gives a static shape, so that `tf.map_fn` can use it with
    `fn_output_signature=tf.TensorSpec([48, 48, 1], tf.uint8)`.

    Args:
        image_bytes: scalar string, a JPEG or PNG file of a face square of at most
            `MOST_SQUARE_PIXELS`. Sides may differ by a tenth of the longer one, which is then
            squeezed.
        name: of the picture in messages; a scalar string.

    Returns:
        uint8 [48, 48, 1], 0 to 255.

    Raises:
        tf.errors.InvalidArgumentError: when run on anything else. Name and reason are in the
            message; when the file's header is whole and its rest is not, the decoder's own
            message says how many bytes the file has.
    """
    import tensorflow as tf

    # What the file says of itself is looked at before it is decoded: a file of 200 kB may hold
    # gigabytes of one colour.
    image_bytes = tf.ensure_shape(tf.convert_to_tensor(image_bytes), [])
    header = tf.io.decode_raw(image_bytes[tf.newaxis], tf.uint8, fixed_length=24)[0]
    is_png = tf.reduce_all(header[:16] == tf.constant(list(_PNG_START), tf.uint8))
    is_jpeg = tf.io.is_jpeg(image_bytes)
    known = _require(is_jpeg | is_png, [name, " is no JPEG or PNG file."])
    with tf.control_dependencies([known]):
        height, width = tf.unstack(
            tf.cond(
                is_jpeg,
                lambda: tf.io.extract_jpeg_shape(image_bytes, tf.int64)[:2],
                lambda: _png_shape(header),
            )
        )
    found = [name, " has ", tf.as_string(width), " x ", tf.as_string(height), " pixels, "]
    longer, shorter = tf.maximum(height, width), tf.minimum(height, width)
    square = _require(
        10 * (longer - shorter) <= longer, [*found, "a face square is expected: crop it first."]
    )
    with tf.control_dependencies([square]):
        small = _require(
            longer * shorter <= MOST_SQUARE_PIXELS,
            [*found, f"at most {MOST_SQUARE_PIXELS} are taken: shrink it first."],
        )
    with tf.control_dependencies([small]):
        # decode_image reads JPEG by a fast transform that is up to 11 gray levels off.
        rgb = tf.cond(
            is_jpeg,
            lambda: tf.io.decode_jpeg(image_bytes, channels=3, dct_method="INTEGER_ACCURATE"),
            lambda: tf.io.decode_png(image_bytes, channels=3),
        )
    rgb = tf.ensure_shape(rgb, [None, None, 3])
    # Averaged before it becomes gray, unlike in `to_face`: no copy of the picture is made.
    face = tf.image.resize(rgb[tf.newaxis], [FACE_SIZE] * 2, method="area")[0]
    weights = tf.constant(GRAY_WEIGHTS_BGR[::-1], tf.float32) / 32768
    gray = tf.reduce_sum(face * weights, axis=-1, keepdims=True)
    # Half a level goes up, as in OpenCV's cvtColor; tf.round takes the even neighbour.
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
