"""Predictions as a CSV table."""

import contextlib
import csv
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from fer_tf.errors import UserError
from fer_tf.files import written_beside
from fer_tf.inference.prediction import COLUMNS, Prediction
from fer_tf.terminal import lead_nowhere

_STREAMS = {"/dev/stdout": 1, "/dev/stderr": 2}


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


def _row(prediction: Prediction) -> list:
    """A row of the table, with probabilities to six decimals and seconds to three."""
    row = prediction.to_row()
    if prediction.frame:
        row["seconds"] = f"{prediction.frame.seconds:.3f}"
    # The writer leaves None empty.
    return [f"{value:.6f}" if isinstance(value, float) else value for value in row.values()]
