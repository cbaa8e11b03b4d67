"""TensorFlow and Keras read these when they are imported; cli.py sets the same."""

import os

import pytest

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ |= {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": os.devnull}


@pytest.fixture(autouse=True)
def no_pretrained_model(monkeypatch, tmp_path_factory):
    """Hides the model that comes with the program: tests make their own, or ask for this one."""
    from fer_tf.export import model_store as versions

    monkeypatch.setattr(versions, "PRETRAINED", tmp_path_factory.getbasetemp() / "no-pretrained")
