"""What operating systems and programs leave beside a user's files."""

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
