"""Files: JSON that is checked when read, writing by renaming, locks, walking through folders."""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import BinaryIO, TypeVar
from uuid import uuid4

from fer_tf.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

Record = TypeVar("Record")

_RUBBISH = frozenset(
    "$recycle.bin #recycle #snapshot @eadir @__thumb @recycle lost+found desktop.ini ehthumbs.db "
    "picasa.ini thumbs.db".split()
) | {"system volume information"}


def read_json(path: Path, cure: str) -> dict:
    """Read a JSON object that this program wrote.

    Args:
        path: the file.
        cure: what the user does if the file is damaged, e.g. "train again with --restart".

    Raises:
        FileNotFoundError: the file does not exist.
        UserError: the file is damaged, contains no object or cannot be read.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); make it readable.") from error
    except ValueError as error:
        state = "is no JSON" if path.stat().st_size else "is empty, so no JSON"
        raise UserError(f"{path} {state} ({error}); {cure}.") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} holds {type(value).__name__}, an object expected; {cure}.")
    return value


def require(values: dict, fields: tuple[str, ...], path: Path, cure: str) -> None:
    """Refuse values that lack a field.

    Args:
        values: the contents of `path`.
        fields: the keys that are needed.
        path: the file.
        cure: see `read_json`.

    Raises:
        UserError: a field is missing; the message names it.
    """
    if missing := [field for field in fields if field not in values]:
        raise UserError(
            f"{path} lacks {', '.join(missing)}, so another version of this program wrote it; "
            f"{cure}."
        )


@contextlib.contextmanager
def exclusive(path: Path, wait: bool = True) -> Iterator[None]:
    """Lock a folder or file against other processes; the lock ends with the process, killed or not.

    A caller that changes a file reads it inside the lock too, so that no other command's change is
    lost. Nothing is written into the folder, which may even be emptied inside the lock.

    Args:
        path: an existing folder or file.
        wait: whether to wait until another process releases its lock.

    Raises:
        BlockingIOError: another process has the lock, and `wait` is False.
    """
    with _windows_lock(path, wait) if fcntl is None else _flock(path, wait):
        yield


@contextlib.contextmanager
def _flock(path, wait):
    handle = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise
        except OSError:
            pass  # Some network file systems cannot lock folders.
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _windows_lock(path, wait):
    """Lock a file of the user's temporary folder, because Windows cannot lock a folder."""
    import tempfile

    from filelock import FileLock, Timeout

    name = hashlib.sha256(os.path.normcase(os.path.realpath(path)).encode()).hexdigest()
    lock = FileLock(os.path.join(tempfile.gettempdir(), f"fer_tf-{name}.lock"))
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        raise BlockingIOError(f"{path} is locked by another process") from None
    try:
        yield
    finally:
        lock.release()


def write_json(path: Path, value) -> None:
    """Write a JSON file under another name and rename it, so that it is never read half-written."""
    with written_beside(path) as out:
        out.write((json.dumps(value, indent=1, default=plain) + "\n").encode())


@contextlib.contextmanager
def written_beside(path: Path) -> Iterator[BinaryIO]:
    """Open a file beside `path` for bytes and rename it to `path` at the end.

    `path` is therefore complete or absent. The temporary name is new each time, because another
    process, or a caller, may be writing the same file. If `path` is a link, its target is replaced.
    """
    path = Path(os.path.realpath(path))
    beside = path.with_name(f"writing-{uuid4().hex}{path.suffix}")
    with open(beside, "xb") as out:
        try:
            yield out
            out.flush()
            os.fsync(out.fileno())
        except BaseException:
            beside.unlink()
            raise
    os.replace(beside, path)


def is_rubbish(name: str) -> bool:
    """Whether a file or folder is ignored silently because of its name.

    Hidden files (`._AN1.tiff` of macOS, `.thumbnails`), `__MACOSX`, `@eaDir` of network storage,
    `Thumbs.db` of Windows and the like.
    """
    name = name.lower()
    return name.startswith((".", "__macosx")) or name in _RUBBISH


def walk(
    folder: Path, onerror: Callable | None = None
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Visit a folder and those below it, through links, each real folder once.

    Args:
        folder: where to begin.
        onerror: called with the OSError of a folder that cannot be read, which is then skipped.

    Yields:
        A folder, the names of its sub-folders and of its files, without those of `is_rubbish`.
    """
    visited = {os.path.realpath(folder)}
    for parent, folders, names in os.walk(folder, onerror=onerror, followlinks=True):
        folders[:] = [name for name in folders if not is_rubbish(name)]
        yield Path(parent), list(folders), [name for name in names if not is_rubbish(name)]
        new = []
        for name in sorted(folders):
            place = os.path.realpath(os.path.join(parent, name))
            if place not in visited:
                visited.add(place)
                new.append(name)
        folders[:] = new


def shorten(names: Sequence[str], shown: int = 3) -> str:
    """Join names for a message: the first ones, then how many more."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")


def read_record(
    path: Path, kind: type[Record], cure: str, upgrade: Callable | None = None
) -> Record:
    """Read a JSON file as a frozen dataclass.

    Args:
        path: the file.
        kind: the dataclass; a field that it has no default for must be in the file.
        cure: see `read_json`.
        upgrade: turns the file's values into those of today where an earlier version wrote it.

    Raises:
        FileNotFoundError: there is no such file.
        UserError: the file is damaged, or another version of this program wrote it.
    """
    values = read_json(path, cure)
    return record_of(upgrade(values) if upgrade else values, kind, path, cure)


def record_of(values: dict, kind: type[Record], path: Path, cure: str) -> Record:
    """Turn plain values, which a file contained, into a frozen dataclass; see `read_record`."""
    import msgspec

    known = fields(kind)
    no_default = {f.name for f in known if f.default is MISSING and f.default_factory is MISSING}
    require(values, tuple(f.name for f in known if f.name in no_default), path, cure)
    if unknown := values.keys() - {f.name for f in known}:
        raise UserError(
            f"{path} has {', '.join(sorted(unknown))}, which this version of the program does not "
            f"know; {cure}."
        )
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise UserError(f"{path} is not understood ({error}); {cure}.") from error


def plain(record) -> dict:
    """Turn a dataclass into values for JSON, without the fields that are None."""
    return asdict(record, dict_factory=lambda pairs: {k: v for k, v in pairs if v is not None})


def write_record(path: Path, record) -> None:
    """Write a dataclass as JSON, beside and renamed; see `read_record`."""
    write_json(path, plain(record))
