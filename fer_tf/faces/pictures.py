"""Pictures one after the other: from files, videos and cameras."""

import itertools
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fer_tf.errors import UserError
from fer_tf.faces.face import read_picture
from fer_tf.faces.picture_files import is_video
from fer_tf.faces.picture_formats import check_size

MOST_FAILURES_NAMED = 5
"""How many of the files that could not be read are named."""

_SIDES = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)

_TOLERATED = 0.02  # share of a video's frames that editing programs cut off
_PAUSE = 3  # frames


@dataclass(frozen=True)
class Frame:
    """The place of a picture in a video or in the pictures of a camera.

    Attributes:
        number: counted from 0.
        seconds: since the beginning.
    """

    number: int
    seconds: float


@dataclass(frozen=True)
class Picture:
    """One decoded picture.

    Attributes:
        photo: the file, or "camera 0".
        image: uint8 [H, W, 3], BGR, upright.
        frame: None for a photograph.
        live: whether it comes from a camera, so that its answer is needed at once.
    """

    photo: str
    image: np.ndarray
    frame: Frame | None = None
    live: bool = False


@dataclass(frozen=True)
class VideoHeader:
    """What the header of a video contains; 0 where it is unknown.

    Attributes:
        frames: number of frames, which some containers estimate.
        rate: frames in a second.
    """

    frames: int
    rate: float


def read_files(
    files: Iterable[Path], every: int, failures: dict[Path, UserError]
) -> Iterator[Picture]:
    """Read one picture after the other, so that only one is in memory.

    Args:
        files: pictures and videos.
        every: a video is read from the first frame on, in steps of this many frames.
        failures: receives each file that cannot be read; reading continues with the next file.
    """
    for file in files:
        try:
            if is_video(file):
                yield from read_video(file, every)
            else:
                yield Picture(str(file), read_picture(file))
        except UserError as error:
            failures[file] = error


def read_video(file: Path, every: int = 1) -> Iterator[Picture]:
    """Read every frame of a video, or one in `every`, turned upright.

    Raises:
        UserError: the file is missing, no frame of it can be decoded, or its frames have too many
            pixels; after the last frame: frames are missing in the middle or at the end.
    """
    if not file.is_file():
        raise UserError(f"{file} is not there; name a video file.")
    video = _open_video(file)
    times, lost = [], 0
    try:
        check_size(*map(int, map(video.get, _SIDES)), file)
        for number, seconds in enumerate(_grabbed(video)):
            times.append(seconds)
            if number % every == 0:
                readable, image = video.retrieve()
                if readable:
                    yield Picture(str(file), _as_colour(image), Frame(number, seconds))
                else:
                    lost += 1
        expected = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        lost += _missing(times, expected, video.get(cv2.CAP_PROP_FPS))
    finally:
        video.release()
    if not times:
        raise UserError(
            f"{file} ({file.stat().st_size} bytes) is no video that can be decoded; an MP4, AVI, "
            "MOV, MKV or WebM file is expected: save or copy it again, or convert it."
        )
    if lost:
        raise UserError(
            f"{file} was read in part: {lost:,} of {max(expected, len(times)):,} frames are "
            "missing or damaged; copy it again, or convert it."
        )


def read_header(file: Path) -> VideoHeader:
    """Read the header of a video; of a file that is none, zeros."""
    video = _open_video(file)
    frames, rate = video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)
    video.release()
    return VideoHeader(max(0, int(frames)), max(0.0, rate))


def read_camera(
    index: int,
    frames: int | None = None,
    every: int = 1,
    failures: dict[Path, UserError] | None = None,
) -> Iterator[Picture]:
    """Take pictures with a camera, as fast as the caller takes them.

    Args:
        index: the camera's number, 0 for the first.
        frames: how many pictures to take; endless by default.
        every: one picture in so many is taken.
        failures: receives an error where the camera stops early.

    Raises:
        UserError: the camera does not exist, or gives no pictures.
    """
    camera = cv2.VideoCapture(index)
    try:
        if not camera.isOpened():
            raise UserError(
                f"Camera {index} cannot be opened; cameras are counted from 0, and none may be in "
                "use by another program."
            )
        camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # The present picture, not one of a second ago.
        start, taken = time.monotonic(), 0
        for number in itertools.count():
            readable, image = camera.read()
            if not readable:
                if failures is not None and taken:
                    failures[Path(f"camera {index}")] = UserError(
                        f"Camera {index} gave no more pictures after {taken}; plug it in again."
                    )
                break
            if number % every == 0:
                taken += 1
                frame = Frame(number, time.monotonic() - start)
                yield Picture(f"camera {index}", _as_colour(image), frame, live=True)
            if taken == frames:
                break
    finally:
        camera.release()
    if not taken:
        raise UserError(f"Camera {index} is open but gives no pictures; unplug it and try again.")


def summary(failures: dict[Path, UserError], count: int) -> str:
    """One sentence on the files that could not be read, out of `count` files."""
    messages = [str(error).rstrip(".") for error in failures.values()]
    if len(messages) == count == 1:
        return f"{messages[0]}."
    named = "; ".join(message.split(";")[0] for message in messages[:MOST_FAILURES_NAMED])
    more = len(messages) - MOST_FAILURES_NAMED
    rest = f"; and {more} more" if more > 0 else ""
    return f"{len(messages)} of {count} files could not be read: {named}{rest}."


def _open_video(file):
    """Open a video; through a link where its name is not UTF-8, on which OpenCV crashes."""
    try:
        str(file).encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory() as folder:
            link = Path(folder) / f"video{file.suffix}"
            link.symlink_to(file.absolute())
            return cv2.VideoCapture(str(link))
    return cv2.VideoCapture(str(file))


def _grabbed(video):
    """Step through a video and yield the time of each frame in seconds."""
    rate = video.get(cv2.CAP_PROP_FPS)
    number = 0
    while video.grab():
        # The container's own time stamp, because phones film at changing rates.
        seconds = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if seconds <= 0 and rate > 0:
            seconds = number / rate
        yield seconds
        number += 1


def _missing(times, expected, rate):
    """How many of the frames that a video's header counts could not be decoded.

    Some containers estimate the number of frames by a rate, which may change. Frames are therefore
    missing only where there is a pause, or an early end.
    """
    missing = expected - len(times)
    if rate <= 0 or missing <= _TOLERATED * expected:
        return 0
    longest = np.diff([0, *times, expected / rate]).max()
    return missing if longest * rate > _PAUSE else 0


def _as_colour(image):
    return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image
