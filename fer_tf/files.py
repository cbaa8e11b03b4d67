"""Files that commands share: read back with a sentence for what is damaged, changed in turn."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from fer_tf.errors import InputError


def read_json(path: Path, cure: str) -> dict:
    """Read a JSON object that this program wrote.

    Args:
        path: the file.
        cure: what the user does where it is damaged, e.g. "train again with --restart".

    Raises:
        FileNotFoundError: there is no such file.
        InputError: the file is damaged, holds no object or cannot be read.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); make it readable.") from error
    except ValueError as error:
        state = "is no JSON" if path.stat().st_size else "is empty, so no JSON"
        raise InputError(f"{path} {state} ({error}); {cure}.") from error
    if not isinstance(value, dict):
        raise InputError(f"{path} holds {type(value).__name__}, an object expected; {cure}.")
    return value


def require(values: dict, fields: tuple[str, ...], path: Path, cure: str) -> None:
    """Refuse values without all the fields that are needed.

    Args:
        values: what `path` holds.
        fields: keys.
        path: the file.
        cure: see `read_json`.

    Raises:
        InputError: naming the missing ones.
    """
    if missing := [field for field in fields if field not in values]:
        raise InputError(
            f"{path} lacks {', '.join(missing)}, so another version of this program wrote it; "
            f"{cure}."
        )


@contextlib.contextmanager
def exclusive(folder: Path, wait: bool = True) -> Iterator[None]:
    """Keep other processes out of a folder; the lock ends with the process, killed or not.

    What is read, changed and written back is read within, so that no other command's change is
    lost.

    Args:
        folder: one that is there.
        wait: until another process has left it.

    Raises:
        BlockingIOError: another process is in the folder, and `wait` is False.
    """
    try:
        import fcntl
    except ImportError:  # Windows: unguarded.
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise
        except OSError:
            pass  # Some network file systems lock no folders.
        yield
    finally:
        os.close(handle)
