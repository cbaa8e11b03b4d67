import cv2
import numpy as np
import pytest

from fer_tf.errors import UserError
from fer_tf.faces import pictures
from fer_tf.faces.pictures import read_camera, read_files, read_video, summary
from tests.fer_tf.faces.test_face import ORIENTATION_6


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
    """A picture and what is none."""
    (tmp_path / "b.PNG").write_bytes(cv2.imencode(".png", np.zeros((4, 6), np.uint8))[1])
    return tmp_path


def test_a_video_gives_every_nth_frame_with_its_time(tmp_path):
    path = write_video(tmp_path / "clip.avi", range(0, 250, 25))

    read = list(read_video(path, every=4))

    assert [picture.frame.number for picture in read] == [0, 4, 8]
    np.testing.assert_allclose([picture.frame.seconds for picture in read], [0, 0.8, 1.6])
    assert [picture.photo for picture in read] == [str(path)] * 3
    levels = [picture.image.mean() for picture in read]
    np.testing.assert_allclose(levels, [0, 100, 200], atol=3)


def damage(path, begin, end):
    """Fills a part of a file with zeros."""
    data = bytearray(path.read_bytes())
    part = slice(int(begin * len(data)), int(end * len(data)))
    data[part] = bytes(len(data[part]))
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "code"), [("a.avi", "MJPG"), ("a.mp4", "mp4v"), ("a.mkv", "mp4v"), ("a.webm", "VP80")]
)
def test_a_video_that_is_damaged_in_the_middle_is_answered_and_named(tmp_path, name, code):
    rng = np.random.default_rng(0)
    path = tmp_path / name
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), 10, (64, 48))
    for _ in range(60):
        video.write(rng.integers(0, 256, (48, 64, 3), np.uint8))
    video.release()
    failures = {}

    whole = list(read_files([path], 1, failures))
    assert len(whole) == 60 and not failures
    damage(path, 0.5, 0.7)
    part = list(read_files([path], 1, failures))

    assert 10 < len(part) < 60
    missing = f"was read in part: {60 - len(part)} of 60 frames are missing or damaged; copy it"
    assert missing in str(failures[path])


class Video:
    """Tells of a rate and a number of frames, and gives a frame at each of some seconds."""

    def __init__(self, times, rate, count):
        self.times, self.rate, self.count, self.number = times, rate, count, -1

    def __call__(self, path):
        return self

    def grab(self):
        self.number += 1
        return self.number < len(self.times)

    def retrieve(self):
        return True, np.zeros((4, 6, 3), np.uint8)

    def get(self, what):
        now = self.times[min(max(self.number, 0), len(self.times) - 1)]
        return {
            cv2.CAP_PROP_POS_MSEC: 1000 * now,
            cv2.CAP_PROP_FPS: self.rate,
            cv2.CAP_PROP_FRAME_COUNT: self.count,
            cv2.CAP_PROP_FRAME_WIDTH: 6,
            cv2.CAP_PROP_FRAME_HEIGHT: 4,
        }[what]

    def release(self):
        pass


def test_a_video_whose_header_estimates_its_frames_is_whole(folder, monkeypatch):
    def failed(times, rate, count):
        monkeypatch.setattr(cv2, "VideoCapture", Video(times, rate, count))
        failures = {}
        assert len(list(read_files([folder / "a.webm"], 1, failures))) == len(times)
        return bool(failures)

    (folder / "a.webm").touch()
    even = np.arange(100) / 24
    assert not failed(even, 30, 125)  # The rate is lower than the header says.
    assert not failed(even, 24, -9223372036854775808)  # The header says nothing.
    assert not failed(even, 0, 125)
    assert not failed(even, 24, 101)
    assert failed(even[:50], 24, 100)
    assert failed(np.delete(even, range(40, 60)), 24, 100)


def test_frames_of_too_many_pixels_are_refused_before_decoding(tmp_path, monkeypatch):
    path = write_video(tmp_path / "clip.avi", [0] * 3)
    monkeypatch.setenv("FER_TF_MAX_PIXELS", "3071")

    with pytest.raises(UserError, match="clip.avi has 64 x 48 pixels, 3,071 are allowed"):
        list(read_video(path))


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
    message = summary(failures, len(files))
    assert message.startswith(
        f"3 of 4 files could not be read: {folder / 'a.jpg'} (6 bytes) is no pi"
    )
    assert "clip.mp4 (8 bytes) is no video" in message and "gone.avi is not there" in message
    assert message.count(".") == message.replace(str(folder), "").count(".")  # One sentence,
    assert message.endswith("not there.") and "\n" not in message


def test_many_failures_are_counted():
    failures = {number: UserError(f"{number} is bad; mend it.") for number in range(8)}

    message = summary(failures, 9)

    assert message == (
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


def test_a_camera_that_stops_is_named(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", Camera(5))
    failures = {}

    assert len(list(read_camera(3, frames=9, failures=failures))) == 5

    assert summary(failures, 1) == "Camera 3 gave no more pictures after 5; plug it in again."


def test_a_camera_that_is_none_and_one_that_is_dark(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", Camera(0, opened=False))
    with pytest.raises(UserError, match="Camera 7 cannot be opened"):
        list(read_camera(7))
    monkeypatch.setattr(pictures.cv2, "VideoCapture", Camera(0))
    with pytest.raises(UserError, match="Camera 0 is open but gives no pictures"):
        list(read_camera(0))
