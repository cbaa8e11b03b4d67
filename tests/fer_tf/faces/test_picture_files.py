import cv2
import numpy as np
import pytest

from fer_tf.errors import UserError
from fer_tf.faces.picture_files import find_files, left_out


@pytest.fixture
def folder(tmp_path):
    """Two pictures, a text, and a sub-folder with one more picture."""
    (tmp_path / "deep").mkdir()
    for name in ("b.PNG", "a.jpg", "deep/c.png"):
        (tmp_path / name).write_bytes(cv2.imencode(".png", np.zeros((4, 6), np.uint8))[1])
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_a_folder_gives_its_pictures_by_name(folder):
    assert [path.name for path in find_files([str(folder)])] == ["a.jpg", "b.PNG"]


def test_patterns_reach_into_folders_and_files_come_once(folder):
    files = find_files([folder / "b.PNG", f"{folder}/**/*.[pP]*", f"{folder}/*"])

    assert [path.name for path in files] == ["b.PNG", "c.png", "a.jpg"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder):
    odd = folder / "me [1].jpg"
    odd.write_bytes(b"")

    assert find_files([str(odd)]) == [odd]


def test_what_is_not_read_is_counted_and_named(folder):
    for name in ("IMG_1.DNG", "IMG_2.HEIC", "clip.mxf", "scan"):
        (folder / name).write_bytes(b"?")
    skipped = []

    files = find_files([folder], skipped)

    assert [path.name for path in files] == ["IMG_2.HEIC", "a.jpg", "b.PNG"]
    files, folders = left_out(skipped)
    names = ", ".join(f"{folder / name}" for name in ("IMG_1.DNG", "clip.mxf", "notes.txt", "scan"))
    assert f": 4 files ({names}); name one by itself" in files
    assert f"1 sub-folder ({folder / 'deep'}); name it" in folders
    assert f"'{folder}/**/*'" in folders
    by_pattern = []
    assert len(find_files([f"{folder}/**/*"], by_pattern)) == 4
    assert left_out(by_pattern) == [files]
    assert left_out([]) == []


def test_what_programs_leave_beside_pictures_is_passed_over(folder):
    data = (folder / "b.PNG").read_bytes()
    for name in ("._a.jpg", "@eaDir/a.jpg/thumb.jpg", "__MACOSX/._b.PNG", "__MACOSX/c.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (folder / name).touch()
    (folder / "notes.txt").unlink()
    (folder / "deep" / "c.png").unlink()
    (folder / "deep").rmdir()
    skipped = []

    for name in (folder, f"{folder}/*", f"{folder}/**/*"):
        assert [path.name for path in find_files([name], skipped)] == ["a.jpg", "b.PNG"]
    assert skipped == []


def test_an_empty_folder_and_a_pattern_without_match_are_named(folder):
    (folder / "empty").mkdir()

    with pytest.raises(UserError, match="empty holds no picture and no video"):
        find_files([folder / "empty"])
    with pytest.raises(UserError, match=r"\*\.webp matches no picture and no video"):
        find_files([f"{folder}/*.webp"])


def test_links_back_to_a_parent_end(tmp_path):
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    for name in ("one", "two"):
        (folder / name).symlink_to(tmp_path, target_is_directory=True)
    for place in (tmp_path / "c.jpg", folder / "d.jpg"):
        place.touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "e.jpg").touch()
    (folder / "three").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    files = find_files([f"{tmp_path}/a/**/*.jpg"])
    assert {path.name for path in files} == {"c.jpg", "d.jpg", "e.jpg"}
    assert len({path.resolve() for path in files}) == len(files)
