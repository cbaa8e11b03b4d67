import os
import subprocess
import sys

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.saved_model import loader_impl

from fer_tf import serving
from fer_tf.checkpoint import BEST
from fer_tf.errors import InputError
from fer_tf.expressions import EXPRESSIONS, MULTI_NETWORK
from fer_tf.serving import combine, export, find_versions, read_manifest
from fer_tf.training import RUN_FILE, RunKey, build_network, write_json
from tests.networks import TINY_RECIPE, brightness_router, images_for

BATCHES = {"none": [], "A": [0], "BC": [1, 2], "A only": [0] * 5, "B only": [1] * 5}
BATCHES |= {"C only": [2] * 5, "mixed": [0, 1, 2] * 11}

# Run by a Python that can import neither Keras nor fer_tf: what a server has. TensorFlow asks where
# Keras is and copes with its absence, but not with the question failing.
ANSWER = """
import importlib.machinery, sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("keras", "fer_tf"):
            return importlib.machinery.ModuleSpec(name, self, origin="/hidden/__init__.py")
    def create_module(self, spec):
        raise ModuleNotFoundError(spec.name)
    def exec_module(self, module):
        pass
sys.meta_path.insert(0, Hide())
import numpy as np
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
inputs, outputs = np.load(sys.argv[2], allow_pickle=True), {}
for key in inputs.files:
    signature, name, batch = key.split("/")
    value = inputs[key]
    value = tf.constant(value.tolist(), tf.string) if value.dtype == object else value
    result = model.signatures[signature](**{name: tf.constant(value)})
    outputs |= {f"{signature}/{batch}/{k}": v.numpy() for k, v in result.items()}
assert not {"keras", "fer_tf"} & set(sys.modules)
np.savez(sys.argv[3], **outputs)
"""


def tiny_networks():
    """Random subnets behind a BeginNet that looks at the brightness of the lower half."""
    keras.utils.set_random_seed(3)
    networks = {name: build_network(name, TINY_RECIPE, "upper") for name in MULTI_NETWORK}
    return networks | {"begin": brightness_router((24, 48))}


def as_example(image_bytes):
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image_bytes]))
    return tf.train.Example(
        features=tf.train.Features(feature={"image/encoded": feature})
    ).SerializeToString()


@pytest.fixture(scope="module")
def networks():
    return tiny_networks()


@pytest.fixture(scope="module")
def model(networks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "1"
    export(networks, "upper", folder)
    return folder


@pytest.fixture(scope="module", params=["1", "0"], ids=["oneDNN", "no oneDNN"])
def answers(request, model, tmp_path_factory):
    """Every signature's answer to every batch, from a process without Keras."""
    folder = tmp_path_factory.mktemp("answers")
    inputs = {}
    for batch, paths in BATCHES.items():
        images = images_for(paths)
        files = [cv2.imencode(".png", image)[1].tobytes() for image in images]
        inputs[f"serving_default/image/{batch}"] = images
        inputs[f"all_paths/image/{batch}"] = images
        inputs[f"serving_bytes/image_bytes/{batch}"] = np.array(files, object)
        inputs[f"classify/inputs/{batch}"] = np.array([as_example(f) for f in files], object)
    np.savez(folder / "inputs.npz", **inputs)
    subprocess.run(
        [sys.executable, "-c", ANSWER, model, folder / "inputs.npz", folder / "outputs.npz"],
        env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": request.param},
        check=True,
        cwd=folder,
    )
    with np.load(folder / "outputs.npz", allow_pickle=True) as outputs:
        return dict(outputs)


def get(answers, signature, batch):
    prefix = f"{signature}/{batch}/"
    return {k.removeprefix(prefix): v for k, v in answers.items() if k.startswith(prefix)}


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("signature", ["serving_default", "serving_bytes", "all_paths"])
def test_outputs_have_the_shapes_and_meaning_of_the_contract(answers, signature, batch):
    count = len(BATCHES[batch])
    result = get(answers, signature, batch)
    assert {k: (v.shape, v.dtype) for k, v in result.items()} == {
        "label": ((count,), np.dtype(object)),
        "class_id": ((count,), np.int32),
        "probability": ((count,), np.float32),
        "path": ((count,), np.dtype(object)),
        "path_probabilities": ((count, 3), np.float32),
        "probabilities": ((count, 7), np.float32),
    }
    np.testing.assert_allclose(result["path_probabilities"].sum(-1), np.ones(count), atol=1e-5)
    for i in range(count):
        class_id = result["class_id"][i]
        assert result["label"][i].decode() == EXPRESSIONS[class_id]
        assert result["probability"][i] == result["probabilities"][i, class_id]
        assert class_id == result["probabilities"][i].argmax()


@pytest.mark.parametrize("batch", [b for b in BATCHES if b != "none"])
def test_routed_answers_equal_the_networks(answers, networks, batch):
    images = images_for(BATCHES[batch])
    covered = images.copy()
    covered[:, :24] = 0
    softmax = {n: np.array(keras.ops.softmax(net(covered))) for n, net in networks.items()}
    joint = softmax["begin"][:, [0, 0, 0, 1, 1, 2, 2]] * np.concatenate(
        [softmax[name] for name in MULTI_NETWORK[1:]], axis=-1
    )
    path = softmax["begin"].argmax(-1)
    assert path.tolist() == BATCHES[batch]
    routed = np.where(np.array([0, 0, 0, 1, 1, 2, 2]) == path[:, None], joint, 0)
    for signature in ("serving_default", "serving_bytes"):
        result = get(answers, signature, batch)
        np.testing.assert_allclose(result["path_probabilities"], softmax["begin"], atol=1e-5)
        np.testing.assert_allclose(result["probabilities"], routed, atol=1e-5)
        assert [p.decode() for p in result["path"]] == ["ABC"[i] for i in path]
    result = get(answers, "all_paths", batch)
    np.testing.assert_allclose(result["probabilities"], joint, atol=1e-5)
    of_class = ["AAABBCC"[i] for i in joint.argmax(-1)]
    assert [p.decode() for p in result["path"]] == of_class


@pytest.mark.parametrize("batch", BATCHES)
def test_classify_returns_names_and_the_routed_probabilities(answers, batch):
    result = get(answers, "classify", batch)
    assert set(result) == {"classes", "scores"}
    routed = get(answers, "serving_bytes", batch)["probabilities"]
    np.testing.assert_allclose(result["scores"], routed, atol=1e-6)
    assert result["classes"].shape == (len(BATCHES[batch]), 7)
    for row in result["classes"]:
        assert tuple(name.decode() for name in row) == EXPRESSIONS


def test_the_covered_half_is_blackened_in_the_graph(model):
    signature = tf.saved_model.load(model).signatures["serving_default"]
    images = images_for([0, 1, 2])
    other = images.copy()
    other[:, :24] = 255
    for name, value in signature(image=tf.constant(images)).items():
        np.testing.assert_array_equal(signature(image=tf.constant(other))[name], value)


def test_eyes_are_left_to_the_caller(networks, tmp_path):
    export(networks, "eyes", tmp_path / "1")
    signature = tf.saved_model.load(tmp_path / "1").signatures["serving_default"]
    images = images_for([1])
    result = signature(image=tf.constant(images))["path_probabilities"]
    seen = networks["begin"](images)
    np.testing.assert_allclose(result, keras.ops.softmax(seen), atol=1e-5)


def test_wrong_shapes_and_types_are_errors(model):
    signature = tf.saved_model.load(model).signatures["serving_default"]
    for wrong in (
        tf.zeros([1, 48, 48, 3], tf.uint8),
        tf.zeros([48, 48, 1], tf.uint8),
        tf.zeros([1, 48, 48, 1], tf.float32),
    ):
        with pytest.raises((TypeError, ValueError, tf.errors.InvalidArgumentError)):
            signature(image=wrong)


def test_the_graph_has_nothing_that_a_server_refuses(model):
    meta_graph = loader_impl.parse_saved_model(str(model)).meta_graphs[0]
    graph = meta_graph.graph_def
    functions = graph.library.function
    assert not any(f.attr["_XlaMustCompile"].b for f in functions)
    ops = {node.op for node in graph.node} | {n.op for f in functions for n in f.node_def}
    assert "Conv2D" in ops
    assert not {op for op in ops if "PyFunc" in op or "HashTable" in op or "EagerPy" in op}
    signatures = meta_graph.signature_def
    assert {name for name in signatures if not name.startswith("__")} == {
        "serving_default",
        "serving_bytes",
        "all_paths",
        "classify",
    }
    assert list(signatures["serving_default"].inputs) == ["image"]
    assert list(signatures["serving_bytes"].inputs) == ["image_bytes"]
    assert list(signatures["classify"].inputs) == ["inputs"]


def make_runs(runs_dir, networks, config="drawn", **changes):
    """Finished runs of the four networks, as training leaves them."""
    folders = {}
    for name, network in networks.items():
        key = RunKey("concat_db", config, "fingerprint", "upper", TINY_RECIPE)
        folders[name] = key.folder(runs_dir, name)
        folders[name].mkdir(parents=True)
        network.save(folders[name] / BEST)
        run = {"finished": True, "best_epoch": 1, "best_validation_loss": 1.0, "fer_tf": "0"}
        run |= key.as_dict(name) | {"packages": {}} | changes.get(name, {})
        write_json(folders[name] / RUN_FILE, run)
    return folders


def test_versions_count_up_and_carry_a_manifest(networks, tmp_path):
    folders = make_runs(tmp_path / "runs", networks)
    models = tmp_path / "models" / "concat_db"
    assert combine(folders, models) == models / "1"
    (models / "writing-2").mkdir()  # What a killed process leaves.
    assert combine(folders, models) == models / "2"
    assert [path.name for path in find_versions(models)] == ["1", "2"]
    assert sorted(path.name for path in models.iterdir()) == ["1", "2"]
    manifest = read_manifest(models / "2")
    assert (manifest["database"], manifest["config"]) == ("concat_db", "drawn")
    assert manifest["recipe"] == "tiny" and manifest["labels"] == list(EXPRESSIONS)
    assert len(manifest["networks"]["subnet_z"]["sha256"]) == 64


def test_networks_that_do_not_belong_together_are_refused(networks, tmp_path):
    folders = make_runs(tmp_path, networks, subnet_y={"data_fingerprint": "other"})
    with pytest.raises(InputError, match="subnet_y.*begin differ in data_fingerprint"):
        combine(folders, tmp_path / "models")
    recipe = TINY_RECIPE.as_dict("subnet_z") | {"dropout": 0.5}
    folders = make_runs(tmp_path / "3", networks, subnet_z={"recipe": recipe})
    with pytest.raises(InputError, match="subnet_z.*begin differ in recipe"):
        combine(folders, tmp_path / "models")
    folders = make_runs(tmp_path / "2", networks, subnet_x={"finished": False})
    with pytest.raises(InputError, match="subnet_x .* not finished; .*train subnet_x"):
        combine(folders, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_version_of_other_data_is_refused_beside_existing_ones(networks, tmp_path):
    models = tmp_path / "models"
    combine(make_runs(tmp_path, networks, "fer2013"), models)
    toy = make_runs(tmp_path, networks, "drawn")
    with pytest.raises(InputError, match="config fer2013, the new version with drawn.*--replace"):
        combine(toy, models)
    assert len(find_versions(models)) == 1
    assert combine(toy, models, replace=True).name == "2"


def test_an_export_that_fails_leaves_no_version(networks, tmp_path, monkeypatch):
    folders = make_runs(tmp_path, networks)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(serving, "write_json", full)
    with pytest.raises(OSError, match="No space"):
        combine(folders, tmp_path / "models")
    assert not list((tmp_path / "models").iterdir())
