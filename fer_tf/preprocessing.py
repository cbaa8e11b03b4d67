"""A face square of any size and colour becomes the gray 48x48 image that the networks take.

Written twice: `to_face` with OpenCV for preparing databases and for photographs, `to_face_tf` with
TensorFlow operations alone so that a SavedModel can do it inside its graph. Both turn to gray first
and then average over areas, and they agree within 1 gray level: what is served is what was trained.
"""

from typing import TYPE_CHECKING

import cv2
import numpy as np

from fer_tf.errors import InputError
from fer_tf.faces import FACE_SIZE

if TYPE_CHECKING:
    import tensorflow as tf

GRAY_WEIGHTS_BGR = (3735, 19235, 9798)
"""Weights of blue, green and red in 1/32768: ITU-R BT.601 as OpenCV's cvtColor rounds it."""

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
        InputError: another dtype or shape.
    """
    channels = image.shape[2] if image.ndim == 3 else 1
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise InputError(
            f"Image of dtype {image.dtype} and shape {image.shape} received, uint8 [H, W], "
            "[H, W, 1], [H, W, 3] or [H, W, 4] expected; read the file with cv2.IMREAD_COLOR."
        )
    if image.size == 0:
        raise InputError(f"Empty image of shape {image.shape} received; crop a face first.")
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


def to_face_tf(image_bytes: "tf.Tensor") -> "tf.Tensor":
    """Decode an image file and do as `to_face`, in TensorFlow operations alone.

    Traces with or without autograph and gives a static shape, so that `tf.map_fn` can use it with
    `fn_output_signature=tf.TensorSpec([48, 48, 1], tf.uint8)`.

    Args:
        image_bytes: scalar string, an encoded JPEG, PNG, BMP, GIF (first frame) or WebP face
            square of any size, gray or colour; alpha is ignored, of 16 bits the upper 8 are used,
            and an EXIF rotation is not applied.

    Returns:
        uint8 [48, 48, 1], 0 to 255.

    Raises:
        tf.errors.InvalidArgumentError: when run on bytes that are no image.
    """
    import tensorflow as tf

    # decode_image reads JPEG by a fast transform that is up to 11 gray levels off.
    rgb = tf.cond(
        tf.io.is_jpeg(image_bytes),
        lambda: tf.io.decode_jpeg(image_bytes, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(image_bytes, channels=3, expand_animations=False),
    )
    rgb = tf.ensure_shape(rgb, [None, None, 3])
    weights = tf.constant(GRAY_WEIGHTS_BGR[::-1], tf.int32)
    weighted = tf.reduce_sum(tf.cast(rgb, tf.int32) * weights, axis=-1, keepdims=True)
    gray = (weighted + 16384) // 32768
    face = tf.image.resize(tf.cast(gray, tf.float32)[tf.newaxis], [FACE_SIZE] * 2, method="area")
    face = tf.saturate_cast(tf.round(face[0]), tf.uint8)
    return tf.ensure_shape(face, [FACE_SIZE, FACE_SIZE, 1])
