"""The picture and video files that a user names by files, folders and patterns."""

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
"""Pictures in a folder or a pattern; a file that is named by itself may have any suffix."""

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .wmv .flv .3gp .ogv .mts .m2ts".split()
)
"""Suffixes of videos."""

MOST_NAMED = 5
"""How many of the files that are not read are named."""


def find_files(names: Iterable[str], skipped: list[Path] | None = None) -> list[Path]:
    """Expand names into files.

    Args:
        names: files; folders, for the pictures and videos directly inside; patterns such as
            "holiday/**/*.jpg", for the pictures and videos that match.
        skipped: receives the other entries of folders and patterns, sub-folders too, except those
            of `fer_tf.files.is_rubbish`.

    Returns:
        Each file once, in the order of the names, within a folder or pattern by name. A name that
        is no folder and no pattern is returned even if no such file exists.

    Raises:
        UserError: a folder or pattern has no picture and no video, or cannot be read.
    """
    files = []
    for name in map(str, names):
        path = Path(name)
        if path.is_dir():
            candidates, place = entries(path), f"{path} holds"
        elif not path.exists() and glob.has_magic(name):
            candidates, place = list(_matches(name)), f"{name} matches"
        else:
            files.append(path)
            continue
        known = [file for file in candidates if _is_known(file) and file.is_file()]
        if not known:
            raise UserError(
                f"{place} no picture and no video; files named .jpg, .png, .mp4 and the like are "
                "looked for, in a folder without its sub-folders."
            )
        files += known
        if skipped is not None:
            skipped += sorted(set(candidates) - set(known))
    return list(dict.fromkeys(files))


def entries(folder: Path) -> list[Path]:
    """The entries of a folder, by name, without those of `fer_tf.files.is_rubbish`.

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
        skipped: as `find_files` fills it.
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
    """Whether a file has the suffix of a video."""
    return file.suffix.lower() in VIDEO_SUFFIXES


def _matches(pattern):
    """The files that a pattern matches, each once, without those in folders such as `@eaDir`."""
    before, magic, after = pattern.partition("**")
    if not magic:
        paths = (path for path in map(Path, sorted(glob.glob(pattern))) if path.is_file())
    else:  # `glob` never ends where links lead back to a parent.
        starts = glob.glob(before) if glob.has_magic(before) else [before or "."]
        folders = (folder for start in starts for folder, _, _ in walk(Path(start)))
        paths = (
            path
            for folder in sorted(folders)
            for path in _matches(os.path.join(glob.escape(str(folder)), after.lstrip("/") or "*"))
        )
    named = Path(pattern).parts
    for path in dict.fromkeys(paths):
        if not any(is_rubbish(part) for part in path.parts if part not in named):
            yield path


def _counted(names, noun):
    nouns = noun if len(names) == 1 else f"{noun}s"
    return f"{len(names)} {nouns} ({shorten(names, MOST_NAMED)})"


def _is_known(file):
    return file.suffix.lower() in PICTURE_SUFFIXES | VIDEO_SUFFIXES
