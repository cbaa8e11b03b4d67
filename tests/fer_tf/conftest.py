import pytest

from tests.served import tiny_networks
from tests.tiny_model import tiny_model


@pytest.fixture(scope="session")
def networks():
    """Four tiny networks."""
    return tiny_networks()


@pytest.fixture(scope="session")
def model_in():
    """Function of a precision: the four combined, a version's folder that no test may change."""
    return tiny_model


@pytest.fixture(scope="session")
def model(model_in):
    """The four combined in float32."""
    return model_in("float32")
