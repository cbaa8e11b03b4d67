"""A tiny combined model and requests to it, which the tests of export and of the loaders share."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf

from fer_tf.expressions import MULTI_NETWORK
from fer_tf.training.network import build_network
from tests.networks import TINY_RECIPE, brightness_router

SIGNATURES = {
    "serving_default": "image",
    "serving_bytes": "image_bytes",
    "all_paths": "image",
    "classify": "inputs",
    "attention": "image",
}
"""Signature -> name of its input."""


def tiny_networks() -> dict:
    """Random subnets behind a BeginNet that looks at the brightness of the lower half."""
    keras.utils.set_random_seed(3)
    networks = {name: build_network(name, TINY_RECIPE, "upper") for name in MULTI_NETWORK}
    return networks | {"begin": brightness_router((24, 48))}


def as_png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def as_example(image_bytes: bytes) -> bytes:
    """What `classify` takes."""
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image_bytes]))
    return tf.train.Example(
        features=tf.train.Features(feature={"image/encoded": feature})
    ).SerializeToString()


def as_request(signature: str, images: np.ndarray) -> np.ndarray:
    """Images uint8 [N, 48, 48, 1] as a signature's input."""
    if SIGNATURES[signature] == "image":
        return images
    files = [as_png(image) for image in images]
    if signature == "classify":
        files = [as_example(file) for file in files]
    return np.array([*files, None], object)[:-1]  # An array of bytes, even of none.


def run_python(arguments: list, one_dnn: str = "1") -> None:
    """Runs a new Python outside the repository."""
    env = os.environ | {"TF_ENABLE_ONEDNN_OPTS": one_dnn}
    arguments = [str(argument) for argument in arguments]
    done = subprocess.run(
        [sys.executable, *arguments],
        env=env,
        cwd=Path(arguments[-1]).parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
