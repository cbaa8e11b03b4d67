"""The readers: one module per source, each an official layout in and an iterator of `Face` out.

Every module has `NAME`, `INSTRUCTIONS` (how the archive is obtained and laid out),
`is_present(folder)` and `read(folder)`; `drawn` needs no folder and has the first and last alone.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from fer_tf.errors import InputError

OFFICIAL_SOURCES = ("fer2013", "jaffe", "kdef", "raf_db")
"""The paper's four databases, in the order in which databases are merged and named."""


def reader(name: str) -> ModuleType:
    """Import the reader of a source by its name, one of `OFFICIAL_SOURCES` or "drawn".

    Raises:
        InputError: no source has this name.
    """
    known = (*OFFICIAL_SOURCES, "drawn")
    if name not in known:
        raise InputError(f"Unknown source {name!r} received; choose among {', '.join(known)}.")
    return import_module(f"{__name__}.{name}")


def find_sources(raw_dir: Path) -> list[str]:
    """List the official sources whose folder in a raw directory holds anything.

    Raises:
        InputError: there is none; the message says how each is obtained.
    """
    found = [name for name in OFFICIAL_SOURCES if reader(name).is_present(raw_dir / name)]
    if not found:
        instructions = "\n".join(f"- {reader(name).INSTRUCTIONS}" for name in OFFICIAL_SOURCES)
        raise InputError(
            f"No raw database is in {raw_dir}; put your copies there, a folder for each, or try "
            f"--sources drawn, which needs nothing.\n{instructions}"
        )
    return found
