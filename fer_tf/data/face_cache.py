"""Every source read, cropped and searched for eyes once, into a cache beside the databases.

A source's cache is a folder `faces/<source>` with the pixels in one file that is mapped, never
loaded, so that a database larger than memory builds too. It holds faces without occlusion: where
the raw archives may not be passed on, neither may it.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import sys
import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice, tee
from pathlib import Path

import cv2
import joblib
import numpy as np
from rich.progress import track

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
_DRAWING = ("canvas", "features", "head", "people")
_PACKAGE = Path(__file__).parents[1]
_CHUNK = 4096  # images copied at once: 9 MB
_AHEAD = 256  # pictures read before their turn
_BATCH, _BATCHES_AHEAD = 64, 32  # faces whose eyes are found at once, and how far ahead


@dataclass(frozen=True)
class FaceSet:
    """Uncovered faces with their eyes, ordered by their ids.

    Attributes:
        ids: N different names.
        images: uint8 [N, 48, 48]; of a single source it is mapped from disk, read-only.
        labels: int64 [N], expressions 0 to 6.
        sources: N names of sources.
        subjects: N names of persons, "" where unknown.
        eye_boxes: int64 [N, 2, 4], see `fer_tf.occlusion.eyes.find_eyes`.
        eyes_found: int64 [N], 0, 1 or 2.
    """

    ids: list[str]
    images: np.ndarray
    labels: np.ndarray
    sources: list[str]
    subjects: list[str]
    eye_boxes: np.ndarray
    eyes_found: np.ndarray

    def __len__(self):
        return len(self.ids)

    def select(self, indices: np.ndarray) -> "FaceSet":
        """The faces of some indices, int [K], in that order."""
        return FaceSet(
            ids=[self.ids[i] for i in indices],
            images=self.images[indices],
            labels=self.labels[indices],
            sources=[self.sources[i] for i in indices],
            subjects=[self.subjects[i] for i in indices],
            eye_boxes=self.eye_boxes[indices],
            eyes_found=self.eyes_found[indices],
        )


def cached_faces(
    sources: Sequence[str],
    raw_dir: Path | None,
    cache_dir: Path,
    jobs: int | None = None,
    processes: Executor | None = None,
) -> FaceSet:
    """The faces of some sources; what is not cached, or cached from other files, is read.

    Args:
        sources: names of sources in alphabetical order, so that ids, which begin with them, are
            ordered over all.
        raw_dir: holds a folder for each; None will do for drawn faces.
        cache_dir: where the cache lives, a folder for each source.
        jobs: threads that read and look for eyes; all cores when None.
        processes: look for eyes instead of threads, which share one interpreter's lock.

    Raises:
        UserError: a source is missing or malformed, or the cache cannot be written.
    """
    parts = [_cached(source, raw_dir, cache_dir, jobs, processes) for source in sources]
    if len(parts) == 1:
        return parts[0]
    return FaceSet(
        ids=sum((part.ids for part in parts), []),
        images=np.concatenate([part.images for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        sources=sum((part.sources for part in parts), []),
        subjects=sum((part.subjects for part in parts), []),
        eye_boxes=np.concatenate([part.eye_boxes for part in parts]),
        eyes_found=np.concatenate([part.eyes_found for part in parts]),
    )


def cache_key(source: str, raw_dir: Path | None) -> dict[str, str]:
    """What a source's cache depends on.

    Returns:
        "files": hash of the names, sizes and times of the source's files; "program": hash of
        `reading_program`; "opencv": its version, which decides as well.

    Raises:
        UserError: the source's folder is missing or holds other things.
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
        modules += [f"data/sources/drawing/{name}" for name in _DRAWING]
    return [f"{module}.py" for module in modules] + ["occlusion/eye_prior.npz"]


def program_hash(files: Iterable[str]) -> str:
    """SHA-256 of some files of `fer_tf`, in hexadecimal digits."""
    program = hashlib.sha256()
    for name in files:
        program.update((_PACKAGE / name).read_bytes())
    return program.hexdigest()


def thread_map(function: Callable, items: Iterable, jobs: int | None = None) -> Iterator:
    """Do as `map` on several threads, a few hundred items ahead of what is taken."""
    with ThreadPoolExecutor(jobs or joblib.cpu_count()) as executor:
        yield from _bounded_map(function, items, executor, _AHEAD)


def _bounded_map(function: Callable, items: Iterable, executor: Executor, ahead: int) -> Iterator:
    """Do as `executor.map`, which would take all items at once."""
    pending: deque = deque()
    try:
        for item in items:
            pending.append(executor.submit(function, item))
            if len(pending) >= ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for task in pending:
            task.cancel()


@contextlib.contextmanager
def one_opencv_thread():
    """One core per item, or OpenCV's threads and ours fight for the cores."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


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
        beside = cache_dir / f"{source}.writing-{os.getpid()}"
        try:
            beside.mkdir(parents=True)
            read_map = partial(thread_map, jobs=jobs)
            faces = reader(source).read(raw_dir and raw_dir / source, map=read_map)
            with contextlib.ExitStack() as stack:
                stack.enter_context(one_opencv_thread())
                threads = processes or stack.enter_context(
                    ThreadPoolExecutor(jobs or joblib.cpu_count())
                )
                _write(beside, source, faces, threads)
            (beside / _KEY).write_text(json.dumps(key, indent=1))
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(beside, folder)
        except OSError as error:
            if error.errno == errno.ENOTEMPTY and _is_current(folder, source, key):
                pass  # Another process that builds from the same files was first.
            else:
                raise UserError(
                    f"The faces of {source} cannot be cached in {folder} ({error}); make room or "
                    "choose another --data-dir, then give the same command again."
                ) from error
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return _load(folder, source)


def _is_current(folder: Path, source: str, key: dict[str, str]) -> bool:
    """Whether a cache is there, whole, and of this key."""
    try:
        return json.loads((folder / _KEY).read_text()) == key and len(_load(folder, source)) > 0
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return False


def _write(folder: Path, source: str, faces: Iterable[Face], executor: Executor) -> None:
    """Write a source's faces and eyes, ordered by id."""
    ids, labels, subjects, boxes, found = [], [], [], [], []
    unordered = folder / "unordered.bin"
    with unordered.open("wb") as file:
        batches, again = tee(_batched(faces))
        eyes = _bounded_map(_find_eyes, map(_images, again), executor, _BATCHES_AHEAD)
        show = sys.stdout.isatty()
        for batch, batch_eyes in track(
            zip(batches, eyes, strict=True), f"Reading {source}", disable=not show
        ):
            for face, (face_boxes, face_found) in zip(batch, batch_eyes, strict=True):
                file.write(np.ascontiguousarray(face.image).tobytes())
                ids.append(face.id)
                labels.append(face.expression)
                subjects.append(face.subject)
                boxes.append(face_boxes)
                found.append(face_found)
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
        eye_boxes=np.array(boxes, np.int64)[order],
        eyes_found=np.array(found, np.int64)[order],
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
