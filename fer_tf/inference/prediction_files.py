"""Predictions as files: a CSV table, and pictures with the answers drawn in."""

import contextlib
import csv
import io
import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import cv2

from fer_tf.errors import UserError
from fer_tf.faces.pictures import Picture
from fer_tf.files import written_beside
from fer_tf.inference.annotate import annotate
from fer_tf.inference.prediction import COLUMNS, Prediction
from fer_tf.terminal import lead_nowhere

_STREAMS = {"/dev/stdout": 1, "/dev/stderr": 2}

QUALITY = 92
"""JPEG quality of the annotated pictures, 0 to 100."""


@contextlib.contextmanager
def output_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that appears, complete, when the block ends.

    A pipe, `/dev/stdout` or another path that is no regular file is written to as it is.

    Raises:
        UserError: at the beginning, if it cannot be written.
    """
    with contextlib.ExitStack() as stack:
        try:
            out = stack.enter_context(_opened_through(path) or written_beside(path))
        except OSError as error:
            raise UserError(
                f"{path} cannot be written ({error.strerror}); name a file in a folder that exists "
                "and can be written."
            ) from error
        yield out


def _opened_through(path):
    """An open device or pipe; None for a regular file or a path without a file."""
    descriptor = re.fullmatch(r"/(?:dev|proc/self)/fd/(\d+)", str(path))
    number = int(descriptor[1]) if descriptor else _STREAMS.get(str(path))
    if number is not None:  # Opened anew, its file would be written from the start.
        return open(os.dup(number), "wb")
    return open(path, "wb") if path.exists() and not path.is_file() else None


@contextlib.contextmanager
def csv_file(path: Path) -> Iterator[Callable[[Iterable[Prediction]], None]]:
    """Open a CSV file that appears, complete, when the block ends.

    Yields:
        A function that appends predictions.

    Raises:
        UserError: at the beginning, if the file cannot be written.
    """
    with output_file(path) as out:
        # The table stays UTF-8 when a file's name is not.
        text = io.TextIOWrapper(out, "utf-8", "backslashreplace", newline="", write_through=True)
        writer = csv.writer(text)
        writer.writerow(COLUMNS)

        def append(predictions: Iterable[Prediction]) -> None:
            try:
                writer.writerows(map(_row, predictions))
                out.flush()
            except BrokenPipeError:  # The reader of the pipe has left.
                lead_nowhere(out)

        yield append
        text.detach()  # Not closed here: `output_file` does that.


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
            with written_beside(folder / "probe"):  # Found out now, not after an hour.
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
        # Several folders may have files of one name, and a folder a .jpg and a .png.
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


def _row(prediction: Prediction) -> list:
    """A row of the table, with probabilities to six decimals and seconds to three."""
    row = prediction.to_row()
    if prediction.frame:
        row["seconds"] = f"{prediction.frame.seconds:.3f}"
    # The writer leaves None empty.
    return [f"{value:.6f}" if isinstance(value, float) else value for value in row.values()]
