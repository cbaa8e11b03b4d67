"""Pictures one after the other: of files, folders, globs, videos and cameras."""

import glob
import itertools
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fer_tf.errors import InputError
from fer_tf.faces import read_picture
from fer_tf.rubbish import is_rubbish
from fer_tf.sources.archive import shorten

PICTURE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .pjpeg .pjp .mpo .jp2 .png .apng .tif .tiff .bmp .dib .webp .gif .avif "
    ".heic .heif .hif .ppm .pgm .pbm .pnm".split()
)
"""What is taken of a folder or a glob; a file that is named is read whatever its name."""

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .wmv .flv .3gp .ogv .mts .m2ts".split()
)
"""Names by which a file is taken for a video."""

MOST_FAILURES_NAMED = 5
"""Files told one by one of those that could not be read."""


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


def find_files(names: Iterable[str], skipped: list[Path] | None = None) -> list[Path]:
    """Expands what a user names into files.

    Args:
        names: files; folders, of which the pictures and videos directly inside are taken; patterns
            such as "holiday/**/*.jpg", of which the pictures and videos are taken.
        skipped: what a folder or pattern holds besides is noted here, sub-folders of a folder too,
            but not what `fer_tf.rubbish` names.

    Returns:
        Files in the order named, within a folder or pattern by name; each once. A name that is no
        folder and no pattern is returned though nothing may be there: reading it tells.

    Raises:
        InputError: a folder or pattern holds no picture and no video, or cannot be read.
    """
    files, skipped = [], [] if skipped is None else skipped
    for name in map(str, names):
        path = Path(name)
        if path.is_dir():
            found, holds = entries(path), f"{path} holds"
        elif not path.exists() and glob.has_magic(name):
            found, holds = list(_matches(name)), f"{name} matches"
        else:
            files.append(path)
            continue
        known = {file: None for file in found if _is_known(file) and file.is_file()}
        if not known:
            raise InputError(
                f"{holds} no picture and no video; files named .jpg, .png, .mp4 and the like are "
                "looked for, in a folder without its sub-folders."
            )
        files += known
        skipped += [file for file in found if file not in known]
    return list(dict.fromkeys(files))


def entries(folder: Path) -> list[Path]:
    """What a folder holds, by name, without what `fer_tf.rubbish` names.

    Raises:
        InputError: the folder cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if not is_rubbish(path.name))
    except OSError as error:
        raise InputError(
            f"The folder {folder} cannot be read ({error.strerror}); make it readable."
        ) from error


def left_out(skipped: Iterable[Path]) -> list[str]:
    """A sentence on files that were not read, and one on sub-folders.

    Args:
        skipped: as `find_files` notes it.
    """
    paths = sorted(set(skipped))
    files = [str(path) for path in paths if not path.is_dir()]
    folders = [str(path) for path in paths if path.is_dir()]
    sentences = []
    if files:
        sentences.append(
            f"Not read, for lack of a name like .jpg or .mp4: {_counted(files, 'file')}; name one "
            "by itself to have it read."
        )
    if folders:
        sentences.append(
            f"Not read: {_counted(folders, 'sub-folder')}; name it too, or a pattern in quotes: "
            f"'{Path(folders[0]).parent}/**/*'."
        )
    return sentences


def read_files(
    files: Iterable[Path], every: int, failures: dict[Path, InputError]
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
        except InputError as error:
            failures[file] = error


def is_video(file: Path) -> bool:
    """Whether a file is taken for a video, by its name."""
    return file.suffix.lower() in VIDEO_SUFFIXES


def read_video(file: Path, every: int = 1) -> Iterator[Picture]:
    """Reads one frame in so many of a video, turned upright.

    Raises:
        InputError: the file is missing or no frame of it can be decoded.
    """
    if not file.is_file():
        raise InputError(f"{file} is not there; name a video file.")
    video = cv2.VideoCapture(str(file))
    try:
        number = -1
        for number, seconds in enumerate(_grabbed(video)):
            if number % every == 0:
                readable, image = video.retrieve()
                if readable:
                    yield Picture(str(file), _as_colour(image), Frame(number, seconds))
    finally:
        video.release()
    if number < 0:
        raise InputError(
            f"{file} ({file.stat().st_size} bytes) is no video that can be decoded; an MP4, AVI, "
            "MOV, MKV or WebM file is expected: save or copy it again, or convert it."
        )


def read_camera(index: int, frames: int | None = None, every: int = 1) -> Iterator[Picture]:
    """Takes pictures with a camera, as fast as they are asked for.

    Args:
        index: of the camera, 0 for the first.
        frames: how many pictures to take; without end by default.
        every: one of so many that the camera takes.

    Raises:
        InputError: there is no such camera, or it gives no pictures.
    """
    camera = cv2.VideoCapture(index)
    try:
        if not camera.isOpened():
            raise InputError(
                f"Camera {index} cannot be opened; cameras are counted from 0, and none may be in "
                "use by another program."
            )
        camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # What is shown now, not what was a second ago.
        begun, taken = time.monotonic(), 0
        for number in itertools.count():
            readable, image = camera.read()
            if not readable:
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
        raise InputError(f"Camera {index} is open but gives no pictures; unplug it and try again.")


def summary(failures: dict[Path, InputError], count: int) -> str:
    """One sentence on the files, of so many, that could not be read."""
    messages = [str(error).rstrip(".") for error in failures.values()]
    if len(messages) == count == 1:
        return f"{messages[0]}."
    told = "; ".join(message.split(";")[0] for message in messages[:MOST_FAILURES_NAMED])
    more = len(messages) - MOST_FAILURES_NAMED
    rest = f"; and {more} more" if more > 0 else ""
    return f"{len(messages)} of {count} files could not be read: {told}{rest}."


def _matches(pattern):
    """The files that a pattern matches, without those in folders such as `@eaDir`."""
    named = Path(pattern).parts
    for path in map(Path, sorted(glob.glob(pattern, recursive=True))):
        if path.is_file() and not any(is_rubbish(part) for part in path.parts if part not in named):
            yield path


def _counted(names, what):
    return f"{len(names)} {what}{'s' * (len(names) > 1)} ({shorten(names, MOST_FAILURES_NAMED)})"


def _is_known(file):
    return file.suffix.lower() in PICTURE_SUFFIXES | VIDEO_SUFFIXES


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


def _as_colour(image):
    return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image
