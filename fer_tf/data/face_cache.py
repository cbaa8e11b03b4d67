"""The cache of uncovered faces: each source is read, cropped and searched for eyes once.

A source's cache is a folder `faces/<source>` beside the databases. Its pixels are one file, which
is mapped and never loaded, so that a database larger than memory can be built. The faces in the
cache are uncovered, so the cache may not be passed on where the raw archives may not.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from itertools import islice, tee
from pathlib import Path

import cv2
import joblib
import numpy as np
from rich.progress import track

from fer_tf.data.face_set import FaceSet, join_face_sets
from fer_tf.data.parallel_map import bounded_map, one_opencv_thread, thread_map
from fer_tf.data.sources import OFFICIAL_SOURCES, reader
from fer_tf.data.sources.archive import find_files
from fer_tf.errors import UserError
from fer_tf.faces.face import FACE_SIZE, Face
from fer_tf.occlusion.eyes import find_eyes

FACES_DIR = "faces"
"""Name of the cache's folder in the directory of the databases."""

_IMAGES, _TABLE, _KEY = "images.bin", "table.npz", "key.json"
_READING = (
    *("expressions", "files", "faces/face", "faces/picture_formats", "faces/preprocessing"),
    *("occlusion/eye_regressor", "occlusion/eyes", "data/sources/archive"),
)
_DRAWING = (
    *(f"data/sources/drawing/{name}" for name in ("canvas", "features", "head", "people")),
    "outlines",
)
_PACKAGE = Path(__file__).parents[1]
_CHUNK = 4096  # images copied at once: 9 MB
_BATCH, _BATCHES_AHEAD = 64, 32  # faces whose eyes are found at once, and how far ahead


def cached_faces(
    sources: Sequence[str],
    raw_dir: Path | None,
    cache_dir: Path,
    jobs: int | None = None,
    processes: Executor | None = None,
) -> FaceSet:
    """Load the faces of some sources; a source whose cache is missing or out of date is read.

    Args:
        sources: names of sources in alphabetical order, so that the ids, which begin with them,
            are ordered over all sources.
        raw_dir: contains a folder for each source; may be None for drawn faces.
        cache_dir: contains the cache of each source, a folder.
        jobs: threads that read and find eyes; all cores when None.
        processes: where given, they find the eyes in place of threads, which share one
            interpreter's lock.

    Raises:
        UserError: a source is missing or malformed, or the cache cannot be written.
    """
    parts = [_cached(source, raw_dir, cache_dir, jobs, processes) for source in sources]
    return parts[0] if len(parts) == 1 else join_face_sets(parts)


def cache_key(source: str, raw_dir: Path | None) -> dict[str, str]:
    """What a source's cache depends on.

    Returns:
        "files": hash of the names, sizes and times of the source's files; "program": hash of
        `reading_program`; "opencv": its version, which changes pixels and eyes too.

    Raises:
        UserError: the source's folder is missing or malformed.
    """
    files = hashlib.sha256()
    if source in OFFICIAL_SOURCES:
        folder = raw_dir / source
        for path in find_files(folder, source):
            state = path.stat()
            name = path.relative_to(folder).as_posix()
            files.update(f"{name}\n{state.st_size}\n{state.st_mtime_ns}\n".encode())
    return {
        "files": files.hexdigest(),
        "program": program_hash(reading_program(source)),
        "opencv": cv2.__version__,
    }


def reading_program(source: str) -> list[str]:
    """List the files of `fer_tf` that decide what is read of a source and where its eyes are."""
    modules = [*_READING, f"data/sources/{source}"]
    if source not in OFFICIAL_SOURCES:
        modules += _DRAWING
    return [f"{module}.py" for module in modules] + ["occlusion/eye_prior.npz"]


def program_hash(files: Iterable[str]) -> str:
    """SHA-256 of some files of `fer_tf`, in hexadecimal digits."""
    program = hashlib.sha256()
    for name in files:
        program.update((_PACKAGE / name).read_bytes())
    return program.hexdigest()


def _cached(
    source: str,
    raw_dir: Path | None,
    cache_dir: Path,
    jobs: int | None,
    processes: Executor | None,
) -> FaceSet:
    folder = cache_dir / source
    key = cache_key(source, raw_dir)
    if not _is_current(folder, source, key):
        unfinished = cache_dir / f"{source}.writing-{os.getpid()}"
        try:
            unfinished.mkdir(parents=True)
            read_map = partial(thread_map, jobs=jobs)
            faces = reader(source).read(raw_dir and raw_dir / source, map=read_map)
            with one_opencv_thread(), contextlib.ExitStack() as stack:
                if processes is None:
                    threads = ThreadPoolExecutor(jobs or joblib.cpu_count())
                    processes = stack.enter_context(threads)
                _write(unfinished, source, faces, processes)
            (unfinished / _KEY).write_text(json.dumps(key, indent=1))
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(unfinished, folder)
        except OSError as error:
            # Another process that builds from the same files may have been first.
            if error.errno != errno.ENOTEMPTY or not _is_current(folder, source, key):
                raise UserError(
                    f"The faces of {source} cannot be cached in {folder} ({error}); make room or "
                    "choose another --data-dir, then give the same command again."
                ) from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return _load(folder, source)


def _is_current(folder: Path, source: str, key: dict[str, str]) -> bool:
    """Whether a cache exists, is complete and has this key."""
    try:
        return json.loads((folder / _KEY).read_text()) == key and len(_load(folder, source)) > 0
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return False


def _write(folder: Path, source: str, faces: Iterable[Face], executor: Executor) -> None:
    """Write a source's faces and eyes, ordered by id."""
    ids, labels, subjects, eye_boxes, eyes_found = [], [], [], [], []
    unordered = folder / "unordered.bin"
    with unordered.open("wb") as file:
        batches, batches_to_search = tee(_batched(faces))
        eyes = bounded_map(_find_eyes, map(_images, batches_to_search), executor, _BATCHES_AHEAD)
        batches_with_eyes = track(
            zip(batches, eyes, strict=True),
            f"Reading {source}",
            disable=not sys.stdout.isatty(),
        )
        for batch, batch_eyes in batches_with_eyes:
            for face, (boxes, count) in zip(batch, batch_eyes, strict=True):
                file.write(np.ascontiguousarray(face.image).tobytes())
                ids.append(face.id)
                labels.append(face.expression)
                subjects.append(face.subject)
                eye_boxes.append(boxes)
                eyes_found.append(count)
    order = np.array(sorted(range(len(ids)), key=ids.__getitem__))
    images = _map(unordered, len(ids))
    with (folder / _IMAGES).open("wb") as file:
        for start in range(0, len(order), _CHUNK):
            file.write(images[order[start : start + _CHUNK]].tobytes())
    del images
    unordered.unlink()
    np.savez(
        folder / _TABLE,
        ids=np.array(ids)[order],
        labels=np.array(labels, np.int64)[order],
        subjects=np.array(subjects)[order],
        eye_boxes=np.array(eye_boxes, np.int64)[order],
        eyes_found=np.array(eyes_found, np.int64)[order],
    )


def _batched(faces: Iterable[Face]) -> Iterator[list[Face]]:
    faces = iter(faces)
    while batch := list(islice(faces, _BATCH)):
        yield batch


def _images(faces: list[Face]) -> np.ndarray:
    return np.stack([face.image for face in faces])


def _find_eyes(images: np.ndarray) -> list[tuple[np.ndarray, int]]:
    return [find_eyes(image) for image in images]


def _load(folder: Path, source: str) -> FaceSet:
    with (folder / _TABLE).open("rb") as file, np.load(file) as table:
        ids = table["ids"].tolist()
        return FaceSet(
            ids=ids,
            images=_map(folder / _IMAGES, len(ids)),
            labels=table["labels"],
            sources=[source] * len(ids),
            subjects=table["subjects"].tolist(),
            eye_boxes=table["eye_boxes"],
            eyes_found=table["eyes_found"],
        )


def _map(path: Path, count: int) -> np.ndarray:
    return np.memmap(path, np.uint8, "r", shape=(count, FACE_SIZE, FACE_SIZE))
