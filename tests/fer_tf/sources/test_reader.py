import pytest

from fer_tf.errors import InputError
from fer_tf.sources import OFFICIAL_SOURCES, find_sources, reader
from tests.helpers import draw_fer2013, draw_raf_db


@pytest.mark.parametrize("name", OFFICIAL_SOURCES)
def test_an_official_reader_has_the_four_things(name):
    module = reader(name)

    assert module.NAME == name
    assert f"<raw-dir>/{name}/" in module.INSTRUCTIONS
    assert callable(module.is_present) and callable(module.read)


def test_drawn_faces_need_no_folder():
    assert next(iter(reader("drawn").read())).source == "drawn"


@pytest.mark.parametrize("name", ["kdeff", "archive", "drawing"])
def test_an_unknown_name_lists_the_known_ones(name):
    with pytest.raises(InputError, match=f"'{name}' .* fer2013, jaffe, kdef, raf_db, drawn"):
        reader(name)


def test_the_sources_that_are_there_are_found_in_order(tmp_path):
    for name in ("raf_db", "fer2013"):
        draw = {"raf_db": draw_raf_db, "fer2013": draw_fer2013}[name]
        draw(tmp_path / name)
    (tmp_path / "kdef").mkdir()

    assert find_sources(tmp_path) == ["fer2013", "raf_db"]


def test_no_source_is_answered_with_how_each_is_obtained(tmp_path):
    with pytest.raises(InputError, match="--sources drawn") as raised:
        find_sources(tmp_path / "raw")

    assert all(reader(name).INSTRUCTIONS in str(raised.value) for name in OFFICIAL_SOURCES)
