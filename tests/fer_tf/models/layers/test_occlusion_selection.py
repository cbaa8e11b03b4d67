import keras
import numpy as np
import pytest
import tensorflow as tf

from fer_tf.expressions import MULTI_NETWORK
from fer_tf.models.layers.occlusion_selection import OcclusionSelection
from fer_tf.models.layers.path_selection import PathSelection
from fer_tf.models.networks import OCCLUSION_NET
from fer_tf.occlusion.eyes import USUAL_EYES
from fer_tf.occlusion.kinds import OCCLUSIONS, RECOGNISED
from fer_tf.occlusion.occlude import visible_pixels
from fer_tf.training.network import build_network
from fer_tf.training.recipes import RECOGNISER, get_recipe
from tests.networks import TINY_RECIPE, brightness_router, corner_net, faces_of_kinds


def selection(seed, routed=True, visible=(0, 48)):
    keras.utils.set_random_seed(seed)
    subnets = [build_network(name, TINY_RECIPE, "eyes") for name in MULTI_NETWORK[1:]]
    return PathSelection(brightness_router(visible), subnets, routed)


@pytest.fixture(scope="module", params=["eyes for none", "none has its own"])
def layer(request):
    kinds = OCCLUSIONS if request.param == "eyes for none" else RECOGNISED
    return OcclusionSelection(corner_net(), {kind: selection(i) for i, kind in enumerate(kinds)})


@pytest.fixture(scope="module")
def answer(layer):
    """The layer as a graph for any number of faces; tracing it takes seconds."""
    return as_graph(layer)


def as_graph(layer):
    return tf.function(layer.call, input_signature=[tf.TensorSpec([None, 48, 48, 1], tf.uint8)])


def expected(layer, images, kinds):
    """What the multi-network of each face's kind says, one face after the other."""
    rows = []
    for image, kind in zip(images, kinds, strict=True):
        kind = kind if kind in layer.selections else "eyes"
        covered = image * visible_pixels(kind)
        rows.append(layer.selections[kind](covered[np.newaxis].astype(np.uint8)))
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def test_each_face_gets_the_outputs_of_the_multi_network_of_its_occlusion(layer, answer):
    kinds = ["eyes", "none", "upper", "lower", "lower", "none", "eyes", "upper", "upper"]
    images = faces_of_kinds(kinds)
    outputs = answer(images)
    recognised = [RECOGNISED[i] for i in np.argmax(outputs["occlusion_probabilities"], axis=-1)]
    assert recognised == kinds
    np.testing.assert_allclose(np.sum(outputs["occlusion_probabilities"], axis=-1), 1, atol=1e-6)
    for name, values in expected(layer, images, kinds).items():
        np.testing.assert_allclose(outputs[name], values, atol=1e-6)


@pytest.mark.parametrize("kinds", [[], ["none"], ["eyes"], ["lower", "lower"]])
def test_some_kinds_may_be_missing(answer, kinds):
    outputs = answer(faces_of_kinds(kinds))
    shapes = {name: values.shape for name, values in outputs.items()}
    count = len(kinds)
    assert shapes == {
        "occlusion_probabilities": (count, 4),
        "path_probabilities": (count, 3),
        "probabilities": (count, 7),
    }
    assert not kinds or np.allclose(np.sum(outputs["path_probabilities"], axis=-1), 1)


def test_no_convolution_is_called_with_an_empty_batch():
    """On some processors it would return a wrong shape for one (see PathSelection)."""
    net = build_network(OCCLUSION_NET, get_recipe(RECOGNISER), "none")
    batch_sizes = []

    def call(images, training):
        tf.py_function(lambda n: batch_sizes.append(int(n)) or n, [tf.shape(images)[0]], tf.int32)
        return net(images, training=training)

    layer = OcclusionSelection(net, {kind: selection(0) for kind in OCCLUSIONS})
    object.__setattr__(layer, "occlusion_net", call)
    answer = as_graph(layer)
    for count in (0, 2):
        outputs = answer(faces_of_kinds(["none"] * count))
        assert len(outputs["probabilities"]) == count
    assert batch_sizes == [2]


def test_networks_that_are_not_needed_are_not_evaluated():
    counted = {}

    def counting(kind):
        inner = selection(0)

        def call(images, training=False):
            def count(n):
                counted[kind] = counted.get(kind, 0) + int(n)
                return n

            tf.py_function(count, [tf.shape(images)[0]], tf.int32)
            return begin(images)

        begin = inner.begin
        inner.begin = type("Begin", (), {"__call__": lambda self, x, training: call(x)})()
        return inner

    # Keras would track and refuse what is no layer.
    with_counts = OcclusionSelection(corner_net(), {kind: selection(0) for kind in OCCLUSIONS})
    object.__setattr__(with_counts, "selections", {kind: counting(kind) for kind in OCCLUSIONS})
    as_graph(with_counts)(faces_of_kinds(["lower", "upper", "lower"]))
    assert counted == {"upper": 1, "lower": 2}


def test_the_recognised_occlusion_is_blackened(answer):
    """Whatever stands in the covered part, the answer is the same."""
    kinds = ["upper", "lower", "eyes"]
    images = faces_of_kinds(kinds)
    changed = images.copy()
    for image, kind in zip(changed, kinds, strict=True):
        image[~visible_pixels(kind)] = 77
        image[:4, :4] = faces_of_kinds([kind])[0, :4, :4]  # What the kind is told by.
    one, other = answer(images), answer(changed)
    np.testing.assert_allclose(one["probabilities"], other["probabilities"], atol=1e-6)


def test_each_kind_blackens_its_pixels():
    rows = np.arange(48)[:, np.newaxis, np.newaxis]
    for kind, visible in (("none", rows >= 0), ("upper", rows > 23), ("lower", rows < 24)):
        np.testing.assert_array_equal(visible_pixels(kind), np.broadcast_to(visible, (48, 48, 1)))
    eyes = ~visible_pixels("eyes")[..., 0]
    assert eyes.sum() == sum(width * height for _, _, width, height in USUAL_EYES)
    assert all(eyes[y : y + h, x : x + w].all() for x, y, w, h in USUAL_EYES)


def test_it_is_saved_and_loaded(layer, tmp_path):
    images = keras.Input((48, 48, 1), dtype="uint8")
    keras.Model(images, layer(images)).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    faces = faces_of_kinds(RECOGNISED)
    for name, values in layer(faces).items():
        np.testing.assert_allclose(loaded(faces)[name], values, atol=1e-6)


@pytest.mark.parametrize("kinds", [["upper", "lower"], ["upper", "lower", "eyes", "hat"]])
def test_missing_and_unknown_selections_are_refused(kinds):
    with pytest.raises(ValueError, match="selections for .*upper.*lower.*eyes"):
        OcclusionSelection(corner_net(), dict.fromkeys(kinds))
