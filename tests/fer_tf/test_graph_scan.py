import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.tools import saved_model_cli, saved_model_utils

from fer_tf.models.folding import INFERENCE_PRECISIONS
from tests.graph_scan import findings


class WithTable(tf.Module):
    def __init__(self):
        super().__init__()
        keys = tf.lookup.KeyValueTensorInitializer(["a"], tf.constant([1.0]))
        self.table = tf.lookup.StaticHashTable(keys, 0.0)

    def __call__(self, x):
        return x + self.table.lookup(tf.constant("a"))


def on_device(x):
    with tf.device("/GPU:1"):
        return x + tf.random.uniform([])


def with_file(x):
    with tf.control_dependencies([tf.io.read_file("/etc/hostname")]):
        return x + 1


BAD = {
    "a function compiled by XLA": lambda: tf.function(lambda x: x + 1, jit_compile=True),
    "Python code": lambda: lambda x: tf.py_function(lambda v: v + 1, [x], tf.float32),
    "a file operation": lambda: with_file,
    "a lookup table": WithTable,
    "an operation bound to /device:GPU:1": lambda: on_device,
}


def save(function, folder):
    module = tf.Module()
    module.held = function
    module.serve = tf.function(
        lambda x: function(x), input_signature=[tf.TensorSpec([None], tf.float32)]
    )
    tf.saved_model.save(module, folder, signatures=module.serve)


@pytest.mark.parametrize("finding", BAD)
def test_finds_what_a_server_refuses(finding, tmp_path):
    save(BAD[finding](), tmp_path)
    assert finding in findings(tmp_path)


def test_finds_operations_that_tensorflow_does_not_have(tmp_path):
    save(lambda x: x + 1, tmp_path)
    assert findings(tmp_path) == set()
    saved = SavedModel.FromString((tmp_path / "saved_model.pb").read_bytes())
    for function in saved.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            node.op = node.op.replace("AddV2", "AddMine")
    (tmp_path / "saved_model.pb").write_bytes(saved.SerializeToString())
    assert findings(tmp_path) == {"the operation AddMine, which TensorFlow does not have"}


@pytest.fixture(scope="module", params=INFERENCE_PRECISIONS)
def model(request, model_in):
    return model_in(request.param)


def test_a_version_has_nothing_that_a_server_refuses(model):
    assert findings(model) == set()


def test_the_scan_of_saved_model_cli_is_clean(model, capsys):
    graph = saved_model_utils.get_meta_graph_def(str(model), "serve")
    saved_model_cli.scan_meta_graph_def(graph, saved_model_cli._OP_DENYLIST)
    assert "does not contain the default denylisted ops" in capsys.readouterr().out
