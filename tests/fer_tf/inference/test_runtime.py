"""Which runtime answers, and that LiteRT imports nothing heavy."""

import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from fer_tf.data.sources.drawn import draw_portrait
from fer_tf.errors import UserError
from fer_tf.export.contract import LITERT_NETWORKS
from fer_tf.inference.litert_model import LiteRTModel
from fer_tf.inference.predict import AUTO, LITERT, TENSORFLOW, ExpressionModel, check_runtime
from fer_tf.inference.tensorflow_model import TensorFlowModel
from tests.networks import images_for
from tests.records import put_manifest
from tests.tiny_model import copy_tiny_model


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "concat_db" / "1"
    copy_tiny_model(folder)
    put_manifest(folder)
    return folder


@pytest.fixture
def without_networks(version, tmp_path):
    """A version as an earlier program or `combine --precision bfloat16` writes it."""
    shutil.copytree(version, tmp_path / "1")
    (tmp_path / "1" / LITERT_NETWORKS).unlink()
    return tmp_path / "1"


def test_litert_answers_where_the_version_has_its_networks(version, without_networks):
    assert not check_runtime(version, AUTO) and not check_runtime(version, LITERT)
    assert check_runtime(version, TENSORFLOW) and check_runtime(without_networks, AUTO)
    assert isinstance(ExpressionModel(version)._model, LiteRTModel)
    assert isinstance(ExpressionModel(version, TENSORFLOW)._model, TensorFlowModel)
    assert isinstance(ExpressionModel(without_networks)._model, TensorFlowModel)


def test_a_runtime_that_cannot_answer_is_refused(version, without_networks):
    with pytest.raises(UserError, match="No runtime is named 'onnx'; choose litert or tensorflow"):
        check_runtime(version, "onnx")
    with pytest.raises(UserError, match="has no networks.tflite for LiteRT; leave out --runtime"):
        check_runtime(without_networks, LITERT)


def test_both_runtimes_answer_alike(version):
    faces = images_for([0, 1, 2, 1, 0])[..., 0]
    one, other = (ExpressionModel(version, name).answer(faces) for name in (LITERT, TENSORFLOW))
    assert one.label.tolist() == other.label.tolist() and one.path.tolist() == other.path.tolist()
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-4)


def test_a_photograph_is_answered_without_tensorflow(version, tmp_path):
    photo = tmp_path / "portrait.png"
    cv2.imwrite(str(photo), draw_portrait(3, 0, 0, size=256))
    code = (
        "import sys; from fer_tf.cli import main\n"
        "sys.argv[0] = 'cli.py'\n"
        "try: main()\n"
        "finally: print(sorted({'tensorflow', 'keras', 'scipy', 'joblib'} & set(sys.modules)))"
    )
    options = ["--models-dir", version.parents[1], "--json"]
    done = subprocess.run(
        [sys.executable, "-c", code, "predict", photo, *options], capture_output=True, text=True
    )
    assert '"label"' in done.stdout and done.stdout.rstrip().endswith("[]"), done.stdout
