"""What every reader does with a folder that is not as it should be."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fer_tf.data.sources import OFFICIAL_SOURCES, drawn, reader
from fer_tf.data.sources.archive import has_files
from fer_tf.errors import UserError
from tests.helpers import (
    draw_fer2013,
    draw_jaffe,
    draw_kdef,
    draw_raf_db,
    encode_half_picture,
)

OF_PICTURES = ("jaffe", "kdef", "raf_db")


@pytest.fixture(scope="module")
def drawn_raw_dir(tmp_path_factory):
    """Every source with a few faces; a module's tests copy from it."""
    folder = tmp_path_factory.mktemp("raw")
    draw_fer2013(folder / "fer2013", count_per_expression=1)
    draw_jaffe(folder / "jaffe", persons=("KA",))
    draw_kdef(folder / "kdef", persons=("F31",), sessions="A")
    draw_raf_db(folder / "raf_db", train_per_expression=1, test_per_expression=0)
    return folder


@pytest.fixture
def raw_dir(drawn_raw_dir, tmp_path):
    """A copy of the drawn sources for a test to spoil."""
    return shutil.copytree(drawn_raw_dir, tmp_path / "raw")


def read(raw_dir, source, **kwargs):
    return list(reader(source).read(raw_dir / source, **kwargs))


def third_picture(raw_dir, source):
    """File of the picture that a reader reads third."""
    name = read(raw_dir, source)[2].id.split("/")[1]
    (path,) = (path for path in (raw_dir / source).rglob("*") if path.stem.startswith(name))
    return path


@pytest.mark.parametrize("source", OF_PICTURES)
def test_threads_read_the_same_faces_in_the_same_order(drawn_raw_dir, source):
    handed = []

    def threaded(function, items):
        items = list(items)
        handed.extend(items)
        with ThreadPoolExecutor(3) as pool:
            yield from pool.map(function, items)

    faces = read(drawn_raw_dir, source, map=threaded)

    expected = read(drawn_raw_dir, source)
    assert len(handed) == len(faces) == 7
    for face, other in zip(faces, expected, strict=True):
        np.testing.assert_array_equal(face.image, other.image)
        assert (face.id, face.expression, face.subject) == (
            other.id,
            other.expression,
            other.subject,
        )


@pytest.mark.parametrize("source", OF_PICTURES)
def test_threads_or_not_a_spoilt_file_is_named_when_its_turn_comes(raw_dir, source):
    path = third_picture(raw_dir, source)
    path.write_text("<html>404</html>")
    with ThreadPoolExecutor(3) as pool:
        for each in (map, pool.map):
            faces = reader(source).read(raw_dir / source, map=each)
            assert next(faces) and next(faces)
            with pytest.raises(UserError, match=f"{path.name} .* is no picture"):
                next(faces)


def test_sources_without_pictures_take_a_map_too(drawn_raw_dir):
    assert len(read(drawn_raw_dir, "fer2013", map=ThreadPoolExecutor(1).map)) == 7
    assert len(list(drawn.read(None, persons=1, takes=1, map=ThreadPoolExecutor(1).map))) == 7


SPOILT = {
    "a web page": lambda data: b"<!DOCTYPE html><html><body>Not found</body></html>",
    "no byte": lambda data: b"",
    "one half": lambda data: data[: len(data) // 2],
    "no end": lambda data: data[:-2],
    "one half and zeros": lambda data: data[: len(data) // 2].ljust(len(data), b"\0"),
}


@pytest.mark.parametrize("source", OF_PICTURES)
@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_picture_that_is_not_whole_is_named(raw_dir, source, spoilt):
    path = third_picture(raw_dir, source)
    path.write_bytes(SPOILT[spoilt](path.read_bytes()))

    with pytest.raises(UserError, match=f"{path.name} .*(is no picture|only the beginning)"):
        read(raw_dir, source)


@pytest.mark.parametrize("source", OF_PICTURES)
def test_a_picture_of_which_opencv_shows_a_half_is_named(raw_dir, source):
    path = third_picture(raw_dir, source)
    path.write_bytes(encode_half_picture(path.suffix.lower()))

    with pytest.raises(UserError, match=f"{path.name} .* is only the beginning of a picture"):
        read(raw_dir, source)


@pytest.mark.parametrize("source", OF_PICTURES)
def test_a_folder_or_a_link_to_nothing_in_a_pictures_place_is_named(raw_dir, source):
    path = third_picture(raw_dir, source)
    path.unlink()

    path.mkdir()
    with pytest.raises(UserError, match=rf"{path.name} cannot be read \(Is a directory\)"):
        read(raw_dir, source)

    path.rmdir()
    path.symlink_to("moved_away")
    with pytest.raises(UserError, match=rf"{path.name} cannot be read \(No such file"):
        read(raw_dir, source)


@pytest.mark.parametrize("source", OFFICIAL_SOURCES)
def test_what_is_harmless_is_passed_over(raw_dir, source):
    for name in ("readme.txt", "ReadMe.pdf", ".DS_Store", "Thumbs.db", "all.zip", "all.tar.gz"):
        (raw_dir / source / name).touch()
    shutil.copytree(raw_dir / source, raw_dir / source / "__MACOSX")
    shutil.copytree(raw_dir / source, raw_dir / source / ".cache")
    shutil.copytree(raw_dir / source, raw_dir / source / "@eaDir")

    assert len(read(raw_dir, source)) == 7


@pytest.mark.parametrize("source", OFFICIAL_SOURCES)
@pytest.mark.parametrize("other", OFFICIAL_SOURCES)
def test_files_of_another_source_are_named(raw_dir, source, other):
    if source == other:
        return
    shutil.copytree(raw_dir / other, raw_dir / source / "more")

    with pytest.raises(
        UserError, match=rf"{source} holds files of {other}, .*: more.*move them to .*/{other}\."
    ):
        read(raw_dir, source)


@pytest.mark.parametrize("source", OFFICIAL_SOURCES)
def test_an_archive_unpacked_twice_is_named(raw_dir, source):
    shutil.copytree(raw_dir / source, raw_dir / source / "copy")

    with pytest.raises(UserError, match="copy.*(remove one copy|remove the rest)"):
        read(raw_dir, source)


@pytest.mark.parametrize("source", OFFICIAL_SOURCES)
@pytest.mark.parametrize("name", ["Download.ZIP", "fer2013.tar.gz", "part/KDEF.rar"])
def test_an_archive_that_was_never_unpacked_is_named(tmp_path, source, name):
    (tmp_path / source / name).parent.mkdir(parents=True)
    (tmp_path / source / name).touch()

    with pytest.raises(UserError, match=f"{name} is not unpacked: unpack it there"):
        read(tmp_path, source)


@pytest.mark.parametrize("source", OFFICIAL_SOURCES)
def test_no_folder_in_a_folders_place_is_refused(tmp_path, source):
    assert not has_files(tmp_path / source)

    (tmp_path / source).touch()
    assert has_files(tmp_path / source)
    with pytest.raises(UserError, match=f"{source} is a file, a folder is expected.*raw-dir"):
        read(tmp_path, source)

    (tmp_path / source).unlink()
    (tmp_path / source).symlink_to("unplugged")
    assert has_files(tmp_path / source)
    with pytest.raises(UserError, match=f"{source} is a link to nothing, a folder"):
        read(tmp_path, source)


@pytest.mark.parametrize("source", OFFICIAL_SOURCES)
def test_links_back_to_a_parent_end(raw_dir, source):
    """With two of them the ways double at each step; with links among folders files come twice."""
    folder = raw_dir / source
    (folder / "inner").mkdir()
    for link in (folder / "again", folder / "inner" / "back", folder / "inner" / "up"):
        link.symlink_to(folder.resolve(), target_is_directory=True)
    (folder / "other").symlink_to("inner", target_is_directory=True)
    code = (
        "import sys; from pathlib import Path; from fer_tf.data.sources import reader\n"
        f"print(len(list(reader({source!r}).read(Path({str(folder)!r})))))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "7", done.stderr


@pytest.mark.parametrize("source", OFFICIAL_SOURCES)
def test_linked_folders_are_entered(raw_dir, tmp_path, source):
    (tmp_path / source).mkdir()
    (tmp_path / source / "disk").symlink_to(raw_dir / source)

    assert len(read(tmp_path, source)) == 7


@pytest.mark.parametrize("source", OFFICIAL_SOURCES)
@pytest.mark.parametrize("closed", ["", "inner"])
def test_a_folder_that_may_not_be_read_is_named(raw_dir, monkeypatch, source, closed):
    closed = raw_dir / source / closed
    closed.mkdir(exist_ok=True)
    scandir, listdir = os.scandir, os.listdir

    # Rights do not stop the superuser, whose tests are to fail as well.
    def refuse(lister, path):
        if str(path) == str(closed):
            raise PermissionError(13, "Permission denied", str(path))
        return lister(path)

    monkeypatch.setattr(os, "scandir", lambda path: refuse(scandir, path))
    monkeypatch.setattr(os, "listdir", lambda path: refuse(listdir, path))

    with pytest.raises(UserError, match=rf"{closed} cannot be read \(Permission denied\)"):
        read(raw_dir, source)
    if closed == raw_dir / source:
        with pytest.raises(UserError, match=rf"{closed} cannot be read \(Permission denied\)"):
            has_files(closed)


@pytest.mark.parametrize("other", ["{}", "My-{}"])
@pytest.mark.parametrize("source", OFFICIAL_SOURCES)
def test_a_folder_spelt_otherwise_is_named(raw_dir, source, other):
    other = other.format(source.upper().replace("_", "-"))
    (raw_dir / source).rename(raw_dir / other)

    expected = "is not there" if other.startswith("My") else f"/{other} found, .*to {source}"
    with pytest.raises(UserError, match=expected):
        read(raw_dir, source)
