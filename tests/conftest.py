"""TensorFlow and Keras read these when they are imported; cli.py sets the same."""

import os

import pytest

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ |= {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": os.devnull}


@pytest.fixture(scope="session", autouse=True)
def shared_folder(tmp_path_factory):
    """Where `tests/tiny_model.py` keeps what all processes of pytest-xdist share."""
    from tests import tiny_model

    folder = tmp_path_factory.getbasetemp()  # Under pytest-xdist one of this process alone.
    tiny_model.shared_folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(autouse=True)
def no_pretrained_model(monkeypatch, tmp_path_factory):
    """Hides the model that comes with the program: tests make their own, or ask for this one."""
    from fer_tf.export import model_store as versions

    monkeypatch.setattr(versions, "PRETRAINED", tmp_path_factory.getbasetemp() / "no-pretrained")


@pytest.fixture
def figures(monkeypatch):
    """The matplotlib figures that were written, in their order."""
    from matplotlib.figure import Figure

    written, savefig = [], Figure.savefig

    def keep(figure, *arguments, **options):
        written.append(figure)
        return savefig(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return written
