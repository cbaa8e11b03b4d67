"""What operating systems and programs leave beside a user's files."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

_NAMES = frozenset(
    "$recycle.bin #recycle #snapshot @eadir @__thumb @recycle lost+found desktop.ini ehthumbs.db "
    "picasa.ini thumbs.db".split()
) | {"system volume information"}


def is_rubbish(name: str) -> bool:
    """Whether a file or folder is left out by its name, without a word.

    Hidden files (`._AN1.tiff` of macOS, `.thumbnails`), `__MACOSX`, `@eaDir` of network storage,
    `Thumbs.db` of Windows and their like.
    """
    name = name.lower()
    return name.startswith((".", "__macosx")) or name in _NAMES


def walk(
    folder: Path, onerror: Callable | None = None
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Visits a folder and those below, links too, each real folder once: links may lead back.

    Args:
        folder: where to begin.
        onerror: is given the OSError of a folder that cannot be read; else it is passed over.

    Yields:
        A folder, the names of its sub-folders and of its files, without rubbish.
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
