import pytest

from fer_tf.data.config_names import config_name, sources_of
from fer_tf.data.sources import OFFICIAL_SOURCES


@pytest.mark.parametrize("leak_free", [False, True])
@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("sources", [("drawn",), ("raf_db",), ("jaffe", "kdef"), OFFICIAL_SOURCES])
def test_a_name_is_read_back_as_its_sources(sources, leak_free, clean):
    assert sources_of(config_name(sources, leak_free, clean)) == sources


def test_names_that_are_written_in_folders():
    assert config_name(("fer2013", "kdef"), True, True) == "fer2013+kdef-leakfree-clean"
    assert config_name(OFFICIAL_SOURCES, True, False) == "paper-leakfree"
    assert config_name(("drawn",), True, False) == "drawn"
