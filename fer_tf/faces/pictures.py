"""Pictures one after the other: of files, folders, globs, videos and cameras."""

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
"""Files told one by one of those that could not be read."""

_SIDES = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)

_TOLERATED = 0.02  # of a video's frames, which editing programs cut off
_PAUSE = 3  # frames


@dataclass(frozen=True)
class Frame:
    """Where in a video or of a camera a picture was taken.

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
        live: whether it comes from a camera and waits for its answer.
    """

    photo: str
    image: np.ndarray
    frame: Frame | None = None
    live: bool = False


def read_files(
    files: Iterable[Path], every: int, failures: dict[Path, UserError]
) -> Iterator[Picture]:
    """Reads one picture after the other, so that one is held at a time.

    Args:
        files: pictures and videos.
        every: of a video one frame in so many is read, from the first.
        failures: a file that cannot be read is noted here, and the next one is read.
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
    """Reads one frame in so many of a video, turned upright.

    Raises:
        UserError: the file is missing, no frame of it can be decoded, or its frames have too many
            pixels; when all that can be decoded was read: frames are missing in the middle or at
            the end.
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


def read_camera(
    index: int,
    frames: int | None = None,
    every: int = 1,
    failures: dict[Path, UserError] | None = None,
) -> Iterator[Picture]:
    """Takes pictures with a camera, as fast as they are asked for.

    Args:
        index: of the camera, 0 for the first.
        frames: how many pictures to take; without end by default.
        every: one of so many that the camera takes.
        failures: that the camera stops before is noted here.

    Raises:
        UserError: there is no such camera, or it gives no pictures.
    """
    camera = cv2.VideoCapture(index)
    try:
        if not camera.isOpened():
            raise UserError(
                f"Camera {index} cannot be opened; cameras are counted from 0, and none may be in "
                "use by another program."
            )
        camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # What is shown now, not what was a second ago.
        begun, taken = time.monotonic(), 0
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
                frame = Frame(number, time.monotonic() - begun)
                yield Picture(f"camera {index}", _as_colour(image), frame, live=True)
            if taken == frames:
                break
    finally:
        camera.release()
    if not taken:
        raise UserError(f"Camera {index} is open but gives no pictures; unplug it and try again.")


def summary(failures: dict[Path, UserError], count: int) -> str:
    """One sentence on the files, of so many, that could not be read."""
    messages = [str(error).rstrip(".") for error in failures.values()]
    if len(messages) == count == 1:
        return f"{messages[0]}."
    told = "; ".join(message.split(";")[0] for message in messages[:MOST_FAILURES_NAMED])
    more = len(messages) - MOST_FAILURES_NAMED
    rest = f"; and {more} more" if more > 0 else ""
    return f"{len(messages)} of {count} files could not be read: {told}{rest}."


def _open_video(file):
    """Opens a video; by a link where its name is no UTF-8, for which OpenCV ends the program."""
    try:
        str(file).encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory() as folder:
            link = Path(folder) / f"video{file.suffix}"
            link.symlink_to(file.absolute())
            return cv2.VideoCapture(str(link))
    return cv2.VideoCapture(str(file))


def _grabbed(video):
    """The time of each frame in seconds, while the next one can be had."""
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
    """How many frames of a video could not be decoded, of those that its header counts.

    Some containers do not count frames but estimate them by a rate, which may change: frames are
    missing only where for a while, or at the end, none comes.
    """
    missing = expected - len(times)
    if rate <= 0 or missing <= _TOLERATED * expected:
        return 0
    longest = np.diff([0, *times, expected / rate]).max()
    return missing if longest * rate > _PAUSE else 0


def _as_colour(image):
    return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image
