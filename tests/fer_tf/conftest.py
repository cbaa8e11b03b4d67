import functools

import pytest

from fer_tf.export.contract import ExportOptions
from fer_tf.export.signatures import export
from tests.served import tiny_networks


@pytest.fixture(scope="session")
def networks():
    """Four tiny networks."""
    return tiny_networks()


@pytest.fixture(scope="session")
def model_in(networks, tmp_path_factory):
    """Function of a precision: the four combined, a version's folder that no test may change."""

    @functools.cache
    def made(precision):
        folder = tmp_path_factory.mktemp("model") / "1"
        export(networks, "upper", folder, ExportOptions(precision))
        return folder

    return made


@pytest.fixture(scope="session")
def model(model_in):
    """The four combined in float32."""
    return model_in("float32")
