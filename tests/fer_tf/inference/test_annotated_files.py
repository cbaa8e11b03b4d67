"""Annotated pictures and videos; `predict --annotate` is tested with the command line."""

import cv2
import numpy as np
import pytest

from fer_tf.errors import UserError
from fer_tf.faces.pictures import Frame, Picture, read_header, read_video
from fer_tf.inference.annotated_files import AnnotatedFolder, open_annotated
from tests.fer_tf.faces.test_pictures import write_video


def test_an_annotated_picture_never_follows_a_link_to_a_photograph(tmp_path):
    image = np.full((30, 40, 3), 90, np.uint8)
    photo = tmp_path / "a.png"
    cv2.imwrite(str(photo), image)
    before = photo.read_bytes()
    (tmp_path / "drawn").mkdir()
    (tmp_path / "drawn" / "a.jpg").symlink_to(photo)

    AnnotatedFolder(tmp_path / "drawn").write(Picture(str(photo), image), [])

    assert photo.read_bytes() == before
    assert not (tmp_path / "drawn" / "a.jpg").is_symlink()


@pytest.fixture
def clip(tmp_path):
    """A video of 20 frames, 5 in a second."""
    return write_video(tmp_path / "clip.avi", range(0, 200, 10))


def test_an_annotated_video_is_as_long_as_its_source(clip, tmp_path):
    drawn = tmp_path / "drawn.mp4"

    with open_annotated(drawn, [clip], every=2) as video:
        for picture in read_video(clip, every=2):
            video.write(picture, [])
        assert not drawn.exists()  # Until it is complete.

    header = read_header(drawn)
    assert (header.frames, header.rate) == (10, 2.5)
    levels = [picture.image.mean() for picture in read_video(drawn)]
    np.testing.assert_allclose(levels, range(0, 200, 20), atol=6)
    assert video.written() == [f"Wrote {drawn}: 10 frames"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.avi", "drawn.mp4"]


def test_an_error_leaves_what_was_written_before(clip, tmp_path):
    drawn = tmp_path / "drawn.mp4"
    drawn.write_bytes(b"before")

    with pytest.raises(ZeroDivisionError):
        with open_annotated(drawn, [clip]) as video:
            video.write(next(read_video(clip)), [])
            raise ZeroDivisionError

    assert drawn.read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.avi", "drawn.mp4"]


def test_a_video_without_a_frame_is_not_written(clip, tmp_path):
    with open_annotated(tmp_path / "drawn.mp4", [clip]) as video:
        pass
    assert video.written() == [] and not (tmp_path / "drawn.mp4").exists()


def test_frames_that_were_not_written_are_missed(clip, tmp_path):
    with pytest.raises(UserError, match="was not written: 1 of 2 frames could be; make room"):
        with open_annotated(tmp_path / "drawn.mp4", [clip]) as video:
            video.write(next(read_video(clip)), [])
            video.count += 1  # As where the disk is full, which OpenCV does not report.
    assert not (tmp_path / "drawn.mp4").exists()


def test_a_size_that_cannot_be_encoded_is_refused(clip, tmp_path):
    with pytest.raises(UserError, match="OpenCV encodes no video of 1 x 1 pixels here"):
        with open_annotated(tmp_path / "drawn.mp4", [clip]) as video:
            video.write(Picture("a", np.zeros((1, 1, 3), np.uint8), Frame(0, 0.0)), [])


@pytest.mark.parametrize(
    ("name", "sources", "message"),
    [
        ("drawn.mp4", ["a.jpg"], "drawn.mp4 shows the frames of one video; name exactly one"),
        ("drawn.mp4", ["a.mp4", "b.mp4"], "name exactly one video, or a folder"),
        ("drawn.mp4", [], "name exactly one video"),
        ("a.MP4", ["a.MP4"], "a.MP4 is the video itself; name another file"),
        ("none/drawn.mp4", ["a.mp4"], r"drawn.mp4 cannot be written \(No such file"),
        ("b\udcff.mp4", ["a.mp4"], r"cannot be written \(its name is no UTF-8\)"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path, name, sources, message):
    with pytest.raises(UserError, match=message):
        with open_annotated(tmp_path / name, [tmp_path / source for source in sources]):
            pytest.fail("begun")
    assert list(tmp_path.iterdir()) == []
