import pytest

from fer_tf.export import export
from tests.served import tiny_networks


@pytest.fixture(scope="session")
def networks():
    """Four tiny networks."""
    return tiny_networks()


@pytest.fixture(scope="session")
def model(networks, tmp_path_factory):
    """The four combined: a version's folder, which no test may change."""
    folder = tmp_path_factory.mktemp("model") / "1"
    export(networks, "upper", folder)
    return folder
