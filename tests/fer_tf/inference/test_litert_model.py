import numpy as np
import pytest
import tensorflow as tf

from fer_tf.errors import UserError
from fer_tf.export.contract import LITERT_NETWORKS, ExportOptions
from fer_tf.export.signatures import export, export_any_occlusion
from fer_tf.inference.litert_model import LiteRTModel
from fer_tf.occlusion.kinds import RECOGNISED
from tests.networks import corner_net, faces_of_kinds, images_for
from tests.records import put_manifest

SIGNATURES = ("serving_default", "all_paths", "attention")


def both(version, signature, faces):
    """The answers of the SavedModel and of LiteRT for the same faces."""
    loaded = tf.saved_model.load(str(version))
    expected = {
        name: tensor.numpy()
        for name, tensor in loaded.signatures[signature](image=tf.constant(faces)).items()
    }
    return expected, LiteRTModel(version, MANIFESTS[version]).ask(signature, faces)


MANIFESTS = {}


def assert_equal(expected, answer):
    assert set(answer) == set(expected)
    for name, values in expected.items():
        assert answer[name].dtype == values.dtype and answer[name].shape == values.shape, name
        if values.dtype == object:
            np.testing.assert_array_equal(answer[name], values)
        else:
            np.testing.assert_allclose(answer[name], values, rtol=0, atol=1e-4)


@pytest.fixture(scope="module", params=["upper", "eyes", "upper mirrored float16"])
def version(request, networks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("litert") / "1"
    occlusion, *others = request.param.split()
    options = ExportOptions(
        mirrored="mirrored" in others, weights="float16" if "float16" in others else "float32"
    )
    export(networks, occlusion, folder, options)
    MANIFESTS[folder] = put_manifest(folder, occlusion=occlusion, mirrored=options.mirrored)
    return folder


@pytest.mark.parametrize("signature", SIGNATURES)
def test_a_model_of_one_database_answers_as_its_saved_model(version, signature):
    for count in (1, 7):
        assert_equal(*both(version, signature, images_for([0, 1, 2, 0, 1, 2, 2][:count])))


@pytest.fixture(scope="module", params=[RECOGNISED, RECOGNISED[1:]], ids=["four", "three"])
def any_version(request, networks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("litert") / "1"
    export_any_occlusion(corner_net(), {kind: networks for kind in request.param}, folder)
    MANIFESTS[folder] = put_manifest(folder, occlusion="any")
    return folder


@pytest.mark.parametrize("signature", SIGNATURES)
def test_a_model_that_recognises_the_occlusion_answers_as_its_saved_model(any_version, signature):
    assert_equal(*both(any_version, signature, faces_of_kinds([*RECOGNISED, "upper"])))


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / LITERT_NETWORKS).parent.mkdir()
    (tmp_path / LITERT_NETWORKS).write_bytes(b"no networks")
    with pytest.raises(UserError, match="networks.tflite cannot be loaded .*copy the version"):
        LiteRTModel(tmp_path, put_manifest(tmp_path))
