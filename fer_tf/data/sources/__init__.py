"""The readers: one module per source, from its official layout to an iterator of `Face`.

Every module has `NAME`, `INSTRUCTIONS` (how the archive is obtained and laid out), `FILE_NAME` (a
pattern of the names of its files) and `read(folder, map)`; `drawn` needs no folder and has only
`NAME` and `read`. `map` replaces the built-in in the slow step, which reads and crops pictures: a
threaded one that keeps the order makes it faster.
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
    """List the official sources whose folder in a raw directory is not empty.

    Raises:
        UserError: there is none (the message explains how each is obtained); the raw directory is
            a file; a source's folder has another spelling (`RAF-DB`) or its files are beside it.
    """
    # Imported here because `archive` imports this module.
    from fer_tf.data.sources.archive import has_files, refuse_other_spelling
    from fer_tf.files import shorten

    if raw_dir.exists() and not raw_dir.is_dir():
        raise UserError(
            f"{raw_dir} is a file, a folder with a folder for each source expected; name another."
        )
    names = sorted(path.name for path in raw_dir.iterdir()) if raw_dir.is_dir() else []
    sources = []
    for name in OFFICIAL_SOURCES:
        strays = [file for file in names if reader(name).FILE_NAME.fullmatch(file)]
        if strays:
            raise UserError(
                f"{raw_dir / strays[0]} is a file of {name} outside its folder; move what belongs "
                f"to {name} to {raw_dir / name}."
            )
        if has_files(raw_dir / name):
            sources.append(name)
        else:
            refuse_other_spelling(raw_dir / name)
    if not sources:
        visible = [name for name in names if not is_rubbish(name)]
        state = f"; it holds {shorten(visible)}" if visible else ""
        if not raw_dir.is_dir():
            state = ", which is not there"
        instructions = "\n".join(f"- {reader(name).INSTRUCTIONS}" for name in OFFICIAL_SOURCES)
        raise UserError(
            f"No folder {', '.join(OFFICIAL_SOURCES)} with a raw database is in {raw_dir}{state}; "
            "unpack your copies there, each into its folder, or try --sources drawn, which needs "
            f"nothing.\n{instructions}"
        )
    return sources
