"""Standard output and standard error, also where they are closed or their reader has left.

What is printed may contain file names, in which every character counts: none of them is markup.
"""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import IO

from rich.console import Console


def prepare_streams() -> None:
    """Make sure that no command fails because of the streams that it was started with.

    A closed stream is opened on the null device, so that no file gets its number. A character that
    the encoding lacks is escaped. If the reader of a pipe leaves, as `head` does, the rest of the
    output goes to the null device, see `is_read`.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # The lowest free number is this one.
    sys.stdout, sys.stderr = _Stream(sys.stdout, 1), _Stream(sys.stderr, 2)


def is_read() -> bool:
    """Whether no write to standard output has found its reader gone."""
    return not getattr(sys.stdout, "has_lost_reader", False)


def console(stderr: bool = False) -> Console:
    """A console that prints text as it is: `[a].jpg` is no markup and `:smile:.jpg` no emoji."""
    return Console(stderr=stderr, markup=False, emoji=False)


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Lead standard error to the null device, also for libraries that are not written in Python."""
    stderr = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def lead_nowhere(file: IO) -> None:
    """Redirect a pipe whose reader has left to the null device."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, file.fileno())
    os.close(nowhere)


class _Stream(io.TextIOWrapper):
    """A standard stream whose reader may leave and which takes every character.

    Args:
        stream: the stream that this one replaces; None if it was closed.
        number: the file descriptor.
    """

    has_lost_reader = False

    def __init__(self, stream, number):
        stream = stream or open(number, "w", encoding="utf-8", closefd=False)
        super().__init__(
            stream.buffer,
            stream.encoding,
            errors="backslashreplace",
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        self._replaced = stream  # Collected, it would close the buffer.

    def write(self, text):
        try:
            return super().write(text)
        except BrokenPipeError:
            self._lose_reader()
            return len(text)

    def flush(self):
        try:
            super().flush()
        except BrokenPipeError:
            self._lose_reader()

    def _lose_reader(self):
        self.has_lost_reader = True
        lead_nowhere(self)
