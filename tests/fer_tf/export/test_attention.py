"""The signature that tells what the networks look at."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from fer_tf.export.contract import ATTENTION, MOST_FACES
from fer_tf.export.signatures import export, export_any_occlusion
from fer_tf.expressions import MULTI_NETWORK, SUBNETS
from fer_tf.models.expression_net import attention_maps
from fer_tf.occlusion.kinds import RECOGNISED
from fer_tf.occlusion.occlude import visible_pixels
from fer_tf.training.network import build_network
from tests.networks import TINY_RECIPE, brightness_router, corner_net, faces_of_kinds, images_for

PATHS = [0, 2, 1, 1, 0, 2, 2]


def ask(version, images):
    answer = tf.saved_model.load(version).signatures[ATTENTION](image=tf.constant(images))
    return {name: values.numpy() for name, values in answer.items()}


def expected(networks, images, paths):
    """The attention of each image's subnet by Keras, 0 where it does not look."""
    maps = [
        attention_maps(networks[SUBNETS[path]], image[np.newaxis])[0]
        for image, path in zip(images, paths, strict=True)
    ]
    return np.nan_to_num(maps)


def test_each_face_has_the_attention_of_the_subnet_on_its_path(model, networks):
    images = images_for(PATHS)

    answer = ask(model, images)

    covered = images.copy()
    covered[:, :24] = 0
    np.testing.assert_allclose(answer["attention"], expected(networks, covered, PATHS), atol=1e-5)
    assert answer["attention"].dtype == np.float32
    assert [path.decode() for path in answer["path"]] == ["ABC"[path] for path in PATHS]
    routed = tf.saved_model.load(model).signatures["serving_default"](image=tf.constant(images))
    assert routed["path"].numpy().tolist() == answer["path"].tolist()


@pytest.mark.parametrize("paths", [[], [1], [2, 2]])
def test_paths_that_no_face_takes_and_no_faces_at_all(model, networks, paths):
    images = images_for(paths)

    answer = ask(model, images)

    assert answer["path"].shape == (len(paths),)
    assert answer["attention"].shape == (len(paths), 48, 48)


def test_attention_is_0_in_rows_that_a_subnet_does_not_see(tmp_path):
    recipe = dataclasses.replace(TINY_RECIPE, visible_rows=True)
    networks = {name: build_network(name, recipe, "upper") for name in MULTI_NETWORK}
    networks["begin"] = brightness_router((24, 48))
    export(networks, "upper", tmp_path / "1")
    images = images_for(PATHS)

    attention = ask(tmp_path / "1", images)["attention"]

    np.testing.assert_allclose(attention, expected(networks, images, PATHS), atol=1e-5)
    assert (attention[:, :24] == 0).all() and (attention[:, 24:] > 0).all()


def test_networks_without_attention_have_no_such_signature(tmp_path):
    recipe = dataclasses.replace(TINY_RECIPE, attention=False)
    networks = {name: build_network(name, recipe, "upper") for name in MULTI_NETWORK}
    export(networks, "upper", tmp_path / "1")

    signatures = tf.saved_model.load(tmp_path / "1").signatures

    assert ATTENTION not in signatures and "all_paths" in signatures


def test_a_request_of_attention_is_limited(model):
    ask_one = tf.saved_model.load(model).signatures[ATTENTION]
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 1024 are answered"):
        ask_one(image=tf.zeros([MOST_FACES + 1, 48, 48, 1], tf.uint8))


def test_attention_is_that_of_the_recognised_occlusions_networks(tmp_path):
    networks = {}
    for seed, kind in enumerate(RECOGNISED):
        keras.utils.set_random_seed(seed)
        multi_network = {name: build_network(name, TINY_RECIPE, "eyes") for name in MULTI_NETWORK}
        networks[kind] = multi_network | {"begin": brightness_router((24, 28))}
    export_any_occlusion(corner_net(), networks, tmp_path / "1")
    kinds = ["upper", "none", "none", "eyes", "upper", "none", "eyes"]
    images = faces_of_kinds(kinds)

    attention = ask(tmp_path / "1", images)["attention"]

    for image, kind, attention_map, path in zip(
        images, kinds, attention, [0, 1, 2, 0, 1, 2, 0], strict=True
    ):
        covered = (image * visible_pixels(kind)).astype(np.uint8)[np.newaxis]
        np.testing.assert_allclose(
            attention_map, expected(networks[kind], covered, [path])[0], atol=1e-5
        )
    assert ask(tmp_path / "1", images[:0])["attention"].shape == (0, 48, 48)
