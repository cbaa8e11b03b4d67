import pytest

from fer_tf.data.sources import OFFICIAL_SOURCES, find_sources, reader
from fer_tf.errors import UserError
from tests.helpers import draw_fer2013, draw_raf_db


@pytest.mark.parametrize("name", OFFICIAL_SOURCES)
def test_an_official_reader_has_the_three_things(name):
    module = reader(name)

    assert module.NAME == name
    assert f"<raw-dir>/{name}/" in module.INSTRUCTIONS
    assert callable(module.read)


def test_drawn_faces_need_no_folder():
    assert next(iter(reader("drawn").read())).source == "drawn"


@pytest.mark.parametrize("name", ["kdeff", "archive", "drawing"])
def test_an_unknown_name_lists_the_known_ones(name):
    with pytest.raises(UserError, match=f"'{name}' .* fer2013, jaffe, kdef, raf_db, drawn"):
        reader(name)


def test_the_sources_that_are_there_are_found_in_order(tmp_path):
    for name in ("raf_db", "fer2013"):
        draw = {"raf_db": draw_raf_db, "fer2013": draw_fer2013}[name]
        draw(tmp_path / name)
    (tmp_path / "kdef").mkdir()

    assert find_sources(tmp_path) == ["fer2013", "raf_db"]


@pytest.mark.parametrize(
    ("spelling", "name"),
    [("FER2013", "fer2013"), ("RAF-DB", "raf_db"), ("rafdb", "raf_db"), ("Jaffe", "jaffe")],
)
def test_a_folder_spelt_otherwise_is_named_though_others_are_there(tmp_path, spelling, name):
    (tmp_path / "kdef").mkdir()
    (tmp_path / "kdef" / "AF01ANS.JPG").touch()
    (tmp_path / spelling).mkdir()
    (tmp_path / spelling / "content").touch()

    with pytest.raises(UserError, match=f"/{spelling} found, .*/{name} expected; rename it to"):
        find_sources(tmp_path)

    (tmp_path / name).mkdir()
    (tmp_path / name / "content").touch()
    assert sorted(find_sources(tmp_path)) == sorted(["kdef", name])


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("fer2013.csv", "fer2013"),
        ("KA.AN1.39.tiff", "jaffe"),
        ("af01ans.jpg", "kdef"),
        ("list_patition_label.txt", "raf_db"),
    ],
)
def test_a_file_beside_the_sources_folders_is_named(tmp_path, file, name):
    (tmp_path / "jaffe").mkdir()
    (tmp_path / "jaffe" / "content").touch()
    (tmp_path / file).touch()

    with pytest.raises(UserError, match=f"/{file} is a file of {name} outside.*to .*/{name}\\."):
        find_sources(tmp_path)


def test_a_file_in_the_place_of_the_raw_directory_is_refused(tmp_path):
    (tmp_path / "raw").touch()

    with pytest.raises(UserError, match="raw is a file, a folder with a folder for each source"):
        find_sources(tmp_path / "raw")


def test_what_a_raw_directory_without_sources_holds_is_told(tmp_path):
    (tmp_path / "KDEF_and_AKDEF").mkdir()
    (tmp_path / "jaffe.zip").touch()
    (tmp_path / ".DS_Store").touch()

    with pytest.raises(UserError, match="; it holds KDEF_and_AKDEF, jaffe.zip; unpack your copies"):
        find_sources(tmp_path)


def test_no_source_is_answered_with_how_each_is_obtained(tmp_path):
    with pytest.raises(UserError, match="raw, which is not there; .*--sources drawn") as raised:
        find_sources(tmp_path / "raw")

    assert all(reader(name).INSTRUCTIONS in str(raised.value) for name in OFFICIAL_SOURCES)
