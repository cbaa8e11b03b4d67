"""Pictures, or a video, with the answers drawn in."""

import contextlib
import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2

from fer_tf.errors import UserError
from fer_tf.faces.picture_files import is_video
from fer_tf.faces.pictures import Picture, read_header
from fer_tf.files import written_beside
from fer_tf.inference.annotate import annotate
from fer_tf.inference.prediction import Prediction

QUALITY = 92
"""JPEG quality of the annotated pictures, 0 to 100."""

ASSUMED_RATE = 25.0
"""Frames in a second of a video whose header contains no rate."""


class AnnotatedFolder:
    """A folder of pictures with the answers drawn in.

    Args:
        folder: is created where it does not exist.
        files: the pictures that are predicted; none of them may be in the folder, where it could be
            overwritten.

    Raises:
        UserError: if the folder cannot be written or contains one of the files.
    """

    def __init__(self, folder: Path, files: Iterable[Path] = ()):
        if any(file.parent.resolve() == folder.resolve() for file in files):
            raise UserError(
                f"--annotate {folder} holds the pictures themselves; name another folder."
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with written_beside(folder / "probe"):  # Fails now rather than after an hour.
                pass
            (folder / "probe").unlink(missing_ok=True)
        except OSError as error:
            raise UserError(
                f"--annotate {folder} cannot be written ({error.strerror}); name a folder that "
                "can be made."
            ) from error
        self.folder = folder
        self.count = 0
        self._names: set[str] = set()

    def write(self, picture: Picture, predictions: list[Prediction]) -> Path:
        """Write one picture as JPEG, named after its file and, in a video, its frame.

        Args:
            picture: the picture.
            predictions: those of its faces.

        Returns:
            The file.
        """
        stem = Path(picture.photo).stem
        if picture.frame:
            stem = f"{stem.replace(' ', '-')}-{picture.frame.number:06d}"
        # Two folders may have files of one name, and one folder a.jpg and a.png.
        tails = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
        names = (f"{stem}{tail}.jpg" for tail in tails)
        file = next(name for name in names if name.lower() not in self._names)
        self._names.add(file.lower())
        drawn = annotate(picture.image, predictions)
        _, data = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        if (self.folder / file).is_symlink():  # The link may lead to the photograph itself.
            (self.folder / file).unlink()
        with written_beside(self.folder / file) as out:
            out.write(data.tobytes())
        self.count += 1
        return self.folder / file

    def written(self) -> list[str]:
        """A sentence on what was written."""
        return [f"Wrote {self.folder}: {self.count:,} pictures"]


class AnnotatedVideo:
    """A video of the frames with the answers drawn in, encoded as MPEG-4 Part 2.

    OpenCV's packages have no encoder for H.264, which browsers would play.

    Args:
        path: a name ending in .mp4; `finish` makes the complete file appear.
        beside: a file that does not exist, in a folder on the same disk.
        rate: frames in a second.
    """

    def __init__(self, path: Path, beside: Path, rate: float):
        self.path = path
        self.count = 0
        self._beside = beside
        self._rate = rate
        self._writer = None

    def write(self, picture: Picture, predictions: list[Prediction]) -> None:
        """Append a frame.

        Raises:
            UserError: OpenCV cannot encode a video of the picture's size.
        """
        height, width = picture.image.shape[:2]
        if self._writer is None:
            code = cv2.VideoWriter_fourcc(*"mp4v")
            self._writer = cv2.VideoWriter(str(self._beside), code, self._rate, (width, height))
            if not self._writer.isOpened():
                raise UserError(
                    f"--annotate {self.path} cannot be written: OpenCV encodes no video of "
                    f"{width} x {height} pixels here; name a folder for pictures instead."
                )
        self._writer.write(annotate(picture.image, predictions))
        self.count += 1

    def finish(self) -> None:
        """Close the video and rename it; without a frame no file appears.

        Raises:
            UserError: frames are missing, as where the disk is full.
        """
        if self._writer is None:
            return
        self._writer.release()
        complete = read_header(self._beside).frames
        if complete != self.count:
            raise UserError(
                f"--annotate {self.path} was not written: {complete:,} of {self.count:,} frames "
                "could be; make room on the disk."
            )
        os.replace(self._beside, os.path.realpath(self.path))

    def written(self) -> list[str]:
        """A sentence on what was written, where there was a frame."""
        return [f"Wrote {self.path}: {self.count:,} frames"] if self.count else []


@contextlib.contextmanager
def open_annotated(
    path: Path, files: Sequence[Path], every: int = 1
) -> Iterator[AnnotatedFolder | AnnotatedVideo]:
    """Open what receives pictures with the answers drawn in.

    Args:
        path: a folder, or a name ending in .mp4 for a video, which appears when the block ends.
        files: the pictures and videos that are predicted.
        every: one in so many frames of a video is predicted; the new video lasts as long as it.

    Raises:
        UserError: it cannot be written, would replace one of the files, or is a video and the
            files are not.
    """
    if path.suffix.lower() != ".mp4" or path.is_dir():
        yield AnnotatedFolder(path, files)
        return
    if len(files) != 1 or not is_video(files[0]):
        raise UserError(
            f"--annotate {path} shows the frames of one video; name exactly one video, or a folder "
            "for pictures."
        )
    if path.resolve() == files[0].resolve():
        raise UserError(f"--annotate {path} is the video itself; name another file.")
    rate = (read_header(files[0]).rate or ASSUMED_RATE) / every
    try:
        str(path).encode()  # OpenCV fails on other names.
        beside = tempfile.TemporaryDirectory(dir=path.parent, prefix="writing-")
    except (OSError, UnicodeEncodeError) as error:
        reason = getattr(error, "strerror", None) or "its name is no UTF-8"
        raise UserError(
            f"--annotate {path} cannot be written ({reason}); name a file in a folder that exists "
            "and can be written."
        ) from error
    with beside:
        video = AnnotatedVideo(path, Path(beside.name) / "video.mp4", rate)
        yield video
        video.finish()
