import cv2
import numpy as np
import pytest

from fer_tf import pictures
from fer_tf.errors import InputError
from fer_tf.pictures import find_files, left_out, read_camera, read_files, read_video, summary
from tests.fer_tf.test_faces import ORIENTATION_6


def write_video(path, levels, rate=5):
    """An AVI file of gray frames."""
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), rate, (64, 48))
    assert video.isOpened()
    for level in levels:
        video.write(np.full((48, 64, 3), level, np.uint8))
    video.release()
    return path


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
    found = find_files([folder / "b.PNG", f"{folder}/**/*.[pP]*", f"{folder}/*"])

    assert [path.name for path in found] == ["b.PNG", "c.png", "a.jpg"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder):
    odd = folder / "me [1].jpg"
    odd.write_bytes(b"")

    assert find_files([str(odd)]) == [odd]


def test_what_is_not_read_is_counted_and_named(folder):
    for name in ("IMG_1.DNG", "IMG_2.HEIC", "clip.mxf", "scan"):
        (folder / name).write_bytes(b"?")
    skipped = []

    found = find_files([folder], skipped)

    assert [path.name for path in found] == ["IMG_2.HEIC", "a.jpg", "b.PNG"]
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

    with pytest.raises(InputError, match="empty holds no picture and no video"):
        find_files([folder / "empty"])
    with pytest.raises(InputError, match=r"\*\.webp matches no picture and no video"):
        find_files([f"{folder}/*.webp"])


def test_a_video_gives_every_nth_frame_with_its_time(tmp_path):
    path = write_video(tmp_path / "clip.avi", range(0, 250, 25))

    read = list(read_video(path, every=4))

    assert [picture.frame.number for picture in read] == [0, 4, 8]
    np.testing.assert_allclose([picture.frame.seconds for picture in read], [0, 0.8, 1.6])
    assert [picture.photo for picture in read] == [str(path)] * 3
    levels = [picture.image.mean() for picture in read]
    np.testing.assert_allclose(levels, [0, 100, 200], atol=3)


def test_one_picture_is_held_at_a_time(tmp_path):
    path = write_video(tmp_path / "clip.avi", [0] * 3)

    frames = read_video(path)
    next(frames)

    frames.close()  # Releases the file though frames are left.
    path.unlink()


def test_photographs_are_turned_upright(tmp_path):
    data = cv2.imencode(".jpg", np.zeros((16, 32, 3), np.uint8))[1].tobytes()
    (tmp_path / "turned.jpg").write_bytes(data[:2] + ORIENTATION_6 + data[2:])

    (picture,) = read_files([tmp_path / "turned.jpg"], 1, {})

    assert picture.image.shape == (32, 16, 3) and picture.frame is None


def test_unreadable_files_are_noted_and_the_others_read(folder):
    (folder / "a.jpg").write_bytes(b"<html>")
    (folder / "clip.mp4").write_bytes(b"no video")
    files = [folder / "a.jpg", folder / "clip.mp4", folder / "gone.avi", folder / "b.PNG"]
    failures = {}

    read = list(read_files(files, 1, failures))

    assert [picture.photo for picture in read] == [str(folder / "b.PNG")]
    assert list(failures) == files[:3]
    said = summary(failures, len(files))
    assert said.startswith(f"3 of 4 files could not be read: {folder / 'a.jpg'} (6 bytes) is no pi")
    assert "clip.mp4 (8 bytes) is no video" in said and "gone.avi is not there" in said
    assert said.count(".") == said.replace(str(folder), "").count(".")  # One sentence,
    assert said.endswith("not there.") and "\n" not in said


def test_many_failures_are_counted():
    failures = {number: InputError(f"{number} is bad; mend it.") for number in range(8)}

    said = summary(failures, 9)

    assert said == (
        "8 of 9 files could not be read: 0 is bad; 1 is bad; 2 is bad; 3 is bad; 4 is bad; "
        "and 3 more."
    )
    assert summary({1: failures[1]}, 1) == "1 is bad; mend it."


class Camera:
    """Gives so many gray pictures of rising levels, then none."""

    def __init__(self, count, opened=True):
        self.left, self.opened, self.level, self.released = count, opened, 0, False

    def __call__(self, index):
        return self

    def isOpened(self):  # noqa: N802
        return self.opened

    def set(self, *_):
        return True

    def read(self):
        if self.left == 0:
            return False, None
        self.left -= 1
        self.level += 1
        return True, np.full((4, 6, 3), self.level, np.uint8)

    def release(self):
        self.released = True


def test_a_camera_gives_so_many_frames(monkeypatch):
    camera = Camera(100)
    monkeypatch.setattr(cv2, "VideoCapture", camera)

    read = list(read_camera(3, frames=3, every=2))

    assert [picture.image[0, 0, 0] for picture in read] == [1, 3, 5]
    assert [picture.frame.number for picture in read] == [0, 2, 4]
    assert {(picture.photo, picture.live) for picture in read} == {("camera 3", True)}
    assert camera.released and camera.left == 95


def test_a_camera_that_is_none_and_one_that_is_dark(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", Camera(0, opened=False))
    with pytest.raises(InputError, match="Camera 7 cannot be opened"):
        list(read_camera(7))
    monkeypatch.setattr(pictures.cv2, "VideoCapture", Camera(0))
    with pytest.raises(InputError, match="Camera 0 is open but gives no pictures"):
        list(read_camera(0))
