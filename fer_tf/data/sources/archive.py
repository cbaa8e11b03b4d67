"""Functions that all readers of official archives share: listing files, reporting mistakes."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from fer_tf.data.sources import OFFICIAL_SOURCES, reader
from fer_tf.errors import UserError
from fer_tf.faces.face import read_picture
from fer_tf.files import is_rubbish, shorten, walk

IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

PACKED_SUFFIXES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")

_PACKED_STARTS = {
    b"\x1f\x8b": "a gzip archive",
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\0": "an xz archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a rar archive",
}
_TAR_MARK = slice(257, 262), b"ustar"

_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_TIFF_STARTS = (b"II*\0", b"MM\0*")


def has_files(folder: Path) -> bool:
    """Whether a folder contains more than rubbish (`fer_tf.files.is_rubbish`), e.g. `.gitkeep`.

    A file or a broken link in the folder's place counts too, because `find_files` names it.

    Raises:
        UserError: the folder cannot be read.
    """
    try:
        if folder.is_dir():
            return any(not is_rubbish(path.name) for path in folder.iterdir())
    except OSError as error:
        _refuse_folder(error)
    return os.path.lexists(folder)


def find_files(folder: Path, source: str) -> list[Path]:
    """List the files at any depth of a source's folder, sorted by path.

    Files that an operating system adds (`fer_tf.files.is_rubbish`) are left out. Linked folders
    are entered, each folder once. A folder that is named like an image is listed, so that reading
    it reports the mistake.

    Args:
        folder: e.g. `data/raw/kdef`.
        source: the folder's source, e.g. "kdef".

    Raises:
        UserError: the folder is missing, empty, no folder or cannot be read, or contains files
            of another source.
    """
    if not has_files(folder):
        refuse_other_spelling(folder)
        state = "is empty" if folder.is_dir() else "is not there"
        raise UserError(f"The folder {folder} {state}. {reader(source).INSTRUCTIONS}")
    if not folder.is_dir():
        state = "a file" if folder.exists() else "a link to nothing"
        raise UserError(
            f"{folder} is {state}, a folder is expected there; move it away. "
            f"{reader(source).INSTRUCTIONS}"
        )
    files = []
    for parent, folders, names in walk(folder, _refuse_folder):
        images = [name for name in folders if _is_image(Path(name))]
        files += [parent / name for name in (*names, *images)]
    files.sort()
    for other in OFFICIAL_SOURCES:
        strangers = [path for path in files if reader(other).FILE_NAME.fullmatch(path.name)]
        if strangers and other != source:
            raise UserError(
                f"{folder} holds files of {other}, which do not belong there: "
                f"{_shorten_paths(strangers, folder)}; move them to {folder.parent / other}."
            )
    return files


def refuse_other_spelling(folder: Path) -> None:
    """Refuse a folder beside this one whose name differs in case and punctuation alone.

    Raises:
        UserError: e.g. the folder is `RAF-DB`, and `raf_db` is expected.
    """
    if not folder.parent.is_dir():
        return
    for path in sorted(folder.parent.iterdir()):
        if path.name != folder.name and _plain(path.name) == _plain(folder.name) and path.is_dir():
            raise UserError(f"{path} found, {folder} expected; rename it to {folder.name}.")


def images_among(files: Iterable[Path]) -> list[Path]:
    """Keep the files that are named like images, in their order."""
    return [path for path in files if _is_image(path)]


def nothing_found(folder: Path, files: Sequence[Path], lack: str, source: str) -> UserError:
    """The error for a folder without any usable file.

    Args:
        folder: the source's folder.
        files: what `find_files` listed.
        lack: the contents of the folder, e.g. "no image".
        source: the folder's source, e.g. "kdef".
    """
    if packed := [path for path in files if path.suffix.lower() in PACKED_SUFFIXES]:
        return UserError(
            f"{folder} holds {lack}; {_shorten_paths(packed, folder)} is not unpacked: unpack it "
            "there."
        )
    return UserError(f"{folder} holds {lack}. {reader(source).INSTRUCTIONS}")


def index_by_name(names_and_paths: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """Map the name of each picture to its file, sorted by name.

    Raises:
        UserError: two files have one name, as when an archive was unpacked twice.
    """
    paths: dict[str, Path] = {}
    twice = []
    for name, path in names_and_paths:
        if name in paths:
            twice.append(f"{paths[name]} and {path} are both {name}")
        paths.setdefault(name, path)
    if twice:
        more = f", and {len(twice) - 1} more are there twice" if len(twice) > 1 else ""
        raise UserError(f"{twice[0]}{more}; remove one copy.")
    return dict(sorted(paths.items()))


def read_whole_picture(path: Path) -> np.ndarray:
    """Read a picture of an archive and check that no part of it is missing.

    OpenCV refuses a file that ends too early, but not a file whose rest is zeros, as after an
    interrupted copy. Such a JPEG has fewer end markers than start markers (a preview inside it has
    one of each). A TIFF has no end marker; it is incomplete if the lowest quarter is black, as in
    no portrait.

    Returns:
        uint8 [H, W, 3], BGR, as `fer_tf.faces.face.read_picture` returns it.

    Raises:
        UserError: the file cannot be read, is no picture or not a whole one.
    """
    picture = read_picture(path)
    data = path.read_bytes()
    if data.startswith(_JPEG_START):
        whole = data.count(_JPEG_END) >= data.count(_JPEG_START)
    else:
        whole = not data.startswith(_TIFF_STARTS) or picture[-len(picture) // 4 :].any()
    if not whole:
        raise UserError(
            f"{path} ({len(data)} bytes) is only the beginning of a picture, a whole file is "
            "expected; unpack or copy it again."
        )
    return picture


def refuse_no_text(path: Path) -> None:
    """Refuse a table or list that is in fact an archive, or in UTF-16 or UTF-32.

    Raises:
        UserError: the file is one of these or cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(512)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); unpack it again.") from error
    packed = [kind for start, kind in _PACKED_STARTS.items() if data.startswith(start)]
    if data[_TAR_MARK[0]] == _TAR_MARK[1]:
        packed.append("a tar archive")
    if packed:
        raise UserError(
            f"{path} is {packed[0]} that is only named like a table; unpack it, and put the table "
            "that it holds in its place."
        )
    # In UTF-16 every second byte of Latin text is zero; a mark at the beginning is optional.
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or (0 in data[:2] and data.strip(b"\0")):
        byte = next(number for number, value in enumerate(data) if not 0 < value < 0x80)
        raise UserError(
            f"{path} is no text in UTF-8 (byte {byte}: {data[byte]:#04x}) but in UTF-16 or UTF-32; "
            "save it as UTF-8 (Excel: 'CSV UTF-8, comma delimited'), or unpack the original again."
        )


def _shorten_paths(paths: Sequence[Path], folder: Path) -> str:
    return shorten([str(path.relative_to(folder)) for path in paths])


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


def _refuse_folder(error: OSError) -> None:
    raise UserError(
        f"The folder {error.filename} cannot be read ({error.strerror}); make it readable."
    ) from error
