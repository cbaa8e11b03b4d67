"""The files that a user means by names, folders and patterns, and those that are left out."""

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from fer_tf.errors import UserError
from fer_tf.files import is_rubbish, shorten, walk

PICTURE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .pjpeg .pjp .mpo .jp2 .png .apng .tif .tiff .bmp .dib .webp .gif .avif "
    ".heic .heif .hif .ppm .pgm .pbm .pnm".split()
)
"""What is taken of a folder or a glob; a file that is named is read whatever its name."""

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .wmv .flv .3gp .ogv .mts .m2ts".split()
)
"""Names by which a file is taken for a video."""

MOST_NAMED = 5
"""Of the files that are not read."""


def find_files(names: Iterable[str], skipped: list[Path] | None = None) -> list[Path]:
    """Expands what a user names into files.

    Args:
        names: files; folders, of which the pictures and videos directly inside are taken; patterns
            such as "holiday/**/*.jpg", of which the pictures and videos are taken.
        skipped: what a folder or pattern holds besides is noted here, sub-folders of a folder too,
            but not what `fer_tf.rubbish` names.

    Returns:
        Files in the order named, within a folder or pattern by name; each once. A name that is no
        folder and no pattern is returned though nothing may be there: reading it tells.

    Raises:
        UserError: a folder or pattern holds no picture and no video, or cannot be read.
    """
    files, skipped = [], [] if skipped is None else skipped
    for name in map(str, names):
        path = Path(name)
        if path.is_dir():
            found, holds = entries(path), f"{path} holds"
        elif not path.exists() and glob.has_magic(name):
            found, holds = list(_matches(name)), f"{name} matches"
        else:
            files.append(path)
            continue
        known = {file: None for file in found if _is_known(file) and file.is_file()}
        if not known:
            raise UserError(
                f"{holds} no picture and no video; files named .jpg, .png, .mp4 and the like are "
                "looked for, in a folder without its sub-folders."
            )
        files += known
        skipped += [file for file in found if file not in known]
    return list(dict.fromkeys(files))


def entries(folder: Path) -> list[Path]:
    """What a folder holds, by name, without what `fer_tf.rubbish` names.

    Raises:
        UserError: the folder cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if not is_rubbish(path.name))
    except OSError as error:
        raise UserError(
            f"The folder {folder} cannot be read ({error.strerror}); make it readable."
        ) from error


def left_out(skipped: Iterable[Path]) -> list[str]:
    """A sentence on files that were not read, and one on sub-folders.

    Args:
        skipped: as `find_files` notes it.
    """
    paths = sorted(set(skipped))
    files = [str(path) for path in paths if not path.is_dir()]
    folders = [str(path) for path in paths if path.is_dir()]
    sentences = []
    if files:
        sentences.append(
            f"Not read, for lack of a name like .jpg or .mp4: {_counted(files, 'file')}; name one "
            "by itself to have it read."
        )
    if folders:
        sentences.append(
            f"Not read: {_counted(folders, 'sub-folder')}; name it too, or a pattern in quotes: "
            f"'{Path(folders[0]).parent}/**/*'."
        )
    return sentences


def is_video(file: Path) -> bool:
    """Whether a file is taken for a video, by its name."""
    return file.suffix.lower() in VIDEO_SUFFIXES


def _matches(pattern):
    """The files that a pattern matches, each once, without those in folders such as `@eaDir`."""
    before, magic, after = pattern.partition("**")
    if not magic:
        found = (path for path in map(Path, sorted(glob.glob(pattern))) if path.is_file())
    else:  # Not by `glob`, which never ends where links lead back to a parent.
        starts = glob.glob(before) if glob.has_magic(before) else [before or "."]
        folders = (folder for start in starts for folder, _, _ in walk(Path(start)))
        found = (
            path
            for folder in sorted(folders)
            for path in _matches(os.path.join(glob.escape(str(folder)), after.lstrip("/") or "*"))
        )
    named = Path(pattern).parts
    for path in dict.fromkeys(found):
        if not any(is_rubbish(part) for part in path.parts if part not in named):
            yield path


def _counted(names, what):
    return f"{len(names)} {what}{'s' * (len(names) > 1)} ({shorten(names, MOST_NAMED)})"


def _is_known(file):
    return file.suffix.lower() in PICTURE_SUFFIXES | VIDEO_SUFFIXES
