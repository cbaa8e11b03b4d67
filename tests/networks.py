"""Tiny networks that tests share."""

import dataclasses

import keras
import numpy as np

from fer_tf.models.backbone import Backbone
from fer_tf.occlusion.kinds import RECOGNISED
from fer_tf.training.recipe import Schedule
from fer_tf.training.recipes import demo

TINY_RECIPE = dataclasses.replace(
    demo(),
    name="tiny",
    backbone=Backbone((1, 1), 4, 2, stem_filters=8, stem_kernel=3, stem_pool=False),
    image_size=32,
    usual_eyes=0.0,
    schedules={
        network: Schedule(epochs=2, batch_size=16, learning_rate=0.05)
        for network in ("begin", "subnet_x", "subnet_y", "subnet_z", "flat")
    },
)
"""The demo recipe, smaller."""


def brightness_router(visible=(0, 48)) -> keras.Model:
    """A BeginNet that takes path A for dark images, B for gray and C for bright ones.

    Args:
        visible: the rows whose brightness counts.
    """
    images = keras.Input((48, 48, 1), dtype="uint8")
    x = keras.layers.Cropping2D(((visible[0], 48 - visible[1]), (0, 0)))(images)
    x = keras.layers.Rescaling(1 / 255)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    dense = keras.layers.Dense(3)
    model = keras.Model(images, dense(x))
    # Logits (0, 20 m - 6, 40 m - 20): the second is largest for m in 0.3 to 0.7.
    dense.set_weights([np.array([[0.0, 20.0, 40.0]]), np.array([0.0, -6.0, -20.0])])
    return model


def images_for(paths) -> np.ndarray:
    """Images that `brightness_router` sends along paths 0, 1 or 2: uint8 [N, 48, 48, 1]."""
    base = np.array([30, 120, 220])[np.asarray(paths, int)]
    noise = np.random.default_rng(1).integers(-20, 20, (len(paths), 48, 48, 1))
    return (base[:, None, None, None] + noise).astype("uint8")


def corner_net() -> keras.Model:
    """An OcclusionNet that reads the kind off the upper left corner, see `faces_of_kinds`."""
    images = keras.Input((48, 48, 1), dtype="uint8")
    x = keras.layers.Cropping2D(((0, 44), (0, 44)))(images)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 80)(x))
    dense = keras.layers.Dense(4)
    model = keras.Model(images, dense(x))
    kinds = np.arange(4.0)  # -20 (m - k)^2, without what all have in common.
    dense.set_weights([40 * kinds[np.newaxis], -20 * kinds**2])
    return model


def faces_of_kinds(kinds) -> np.ndarray:
    """Faces of which `corner_net` says these kinds of `RECOGNISED`: uint8 [N, 48, 48, 1]."""
    faces = images_for(np.arange(len(kinds)) % 3)
    for face, kind in zip(faces, kinds, strict=True):
        face[:4, :4] = 80 * RECOGNISED.index(kind)
    return faces
