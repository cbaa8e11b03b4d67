"""The readers: one module per source, each an official layout in and an iterator of `Face` out.

Every module has `NAME`, `INSTRUCTIONS` (how the archive is obtained and laid out), `FILE_NAME` (a
pattern of the names by which its files are known), `is_present(folder)` and `read(folder, map)`;
`drawn` needs no folder and has the first and last alone. `map` stands for the built-in in the
costly step, reading and cropping a picture: a threaded one that keeps the order makes it faster.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from fer_tf.errors import UserError
from fer_tf.files import is_rubbish

OFFICIAL_SOURCES = ("fer2013", "jaffe", "kdef", "raf_db")
"""The paper's four databases, in the order in which databases are merged and named."""


def reader(name: str) -> ModuleType:
    """Import the reader of a source by its name, one of `OFFICIAL_SOURCES` or "drawn".

    Raises:
        UserError: no source has this name.
    """
    known = (*OFFICIAL_SOURCES, "drawn")
    if name not in known:
        raise UserError(f"Unknown source {name!r} received; choose among {', '.join(known)}.")
    return import_module(f"{__name__}.{name}")


def find_sources(raw_dir: Path) -> list[str]:
    """List the official sources whose folder in a raw directory holds anything.

    Raises:
        UserError: there is none, and the message says how each is obtained; the raw directory is
            a file; a source's folder is spelt otherwise (`RAF-DB`) or its files lie beside it.
    """
    # Not above: `archive` itself imports this module.
    from fer_tf.data.sources.archive import refuse_other_spelling
    from fer_tf.files import shorten

    if raw_dir.exists() and not raw_dir.is_dir():
        raise UserError(
            f"{raw_dir} is a file, a folder with a folder for each source expected; name another."
        )
    held = sorted(path.name for path in raw_dir.iterdir()) if raw_dir.is_dir() else []
    found = []
    for name in OFFICIAL_SOURCES:
        if stray := next(filter(reader(name).FILE_NAME.fullmatch, held), None):
            raise UserError(
                f"{raw_dir / stray} is a file of {name} outside its folder; move what belongs to "
                f"{name} to {raw_dir / name}."
            )
        if reader(name).is_present(raw_dir / name):
            found.append(name)
        else:
            refuse_other_spelling(raw_dir / name)
    if not found:
        visible = [name for name in held if not is_rubbish(name)]
        state = f"; it holds {shorten(visible)}" if visible else ""
        if not raw_dir.is_dir():
            state = ", which is not there"
        instructions = "\n".join(f"- {reader(name).INSTRUCTIONS}" for name in OFFICIAL_SOURCES)
        raise UserError(
            f"No folder {', '.join(OFFICIAL_SOURCES)} with a raw database is in {raw_dir}{state}; "
            "unpack your copies there, each into its folder, or try --sources drawn, which needs "
            f"nothing.\n{instructions}"
        )
    return found
