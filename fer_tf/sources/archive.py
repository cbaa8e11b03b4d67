"""What the readers of the official archives share: looking into a folder."""

from pathlib import Path

from fer_tf.errors import InputError

IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def has_files(folder: Path) -> bool:
    """Tell whether a folder exists and holds more than hidden files such as `.gitkeep`."""
    return folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())


def require_files(folder: Path, instructions: str) -> None:
    """Refuse a missing or empty folder, saying how the archive is obtained.

    Raises:
        InputError: the message ends with `instructions`.
    """
    if not has_files(folder):
        state = "is empty" if folder.is_dir() else "is not there"
        raise InputError(f"The folder {folder} {state}. {instructions}")


def image_files(folder: Path) -> list[Path]:
    """List the image files at any depth of a folder, sorted by path.

    Left out is what an operating system adds: hidden files (`._KA.AN1.39.tiff`) and `__MACOSX`.
    """
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith((".", "__MACOSX")) for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def shorten(names: list[str], shown: int = 3) -> str:
    """Join names for a message: the first ones, then how many more."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")
