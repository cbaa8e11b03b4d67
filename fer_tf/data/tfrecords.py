"""The images and labels of a split, read from record files by number, for data beyond memory.

A TFRecord file has no table of contents, so TFDS and tf.data read it from end to end and shuffle
the contents of a buffer. An index of where each record begins, 14 bytes against the 2,304 of an
image, lets images be read in any order, so an epoch has the same order as from memory.
"""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fer_tf.errors import UserError
from fer_tf.expressions import Task
from fer_tf.faces.face import FACE_SIZE

# A record begins with its length and a checksum, and ends with another checksum.
_HEADER, _FOOTER = 12, 4
_SCANNED_AT_ONCE = 1024  # records
# While a network trains, memory contains its images up to three times.
_SHARE_OF_MEMORY = 1 / 8


class StoredImages:
    """Images on disk: `images[rows]` reads and decodes these rows alone.

    The files stay open, so a database that is built anew meanwhile changes nothing.

    Args:
        files: the record files, opened for reading without a buffer.
        file_of: int16 [N], index of each image's file.
        starts: int64 [N], first byte of each image's `tf.train.Example`.
        sizes: int32 [N], bytes of each example.
    """

    def __init__(self, files, file_of, starts, sizes):
        self._files = files
        self._file_of = file_of
        self._starts = starts
        self._sizes = sizes

    def __len__(self):
        return len(self._starts)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, 48, 48, 1)."""
        return (len(self), FACE_SIZE, FACE_SIZE, 1)

    def __getitem__(self, rows) -> np.ndarray:
        """Reads images.

        Args:
            rows: int [n], in any order, or a slice.

        Returns:
            uint8 [n, 48, 48, 1].
        """
        from tensorflow.core.example.example_pb2 import Example

        files, starts = self._file_of[rows].tolist(), self._starts[rows].tolist()
        sizes = self._sizes[rows].tolist()
        images = np.empty((len(files), *self.shape[1:]), np.uint8)
        for image, file, start, size in zip(images, files, starts, sizes, strict=True):
            record = os.pread(self._files[file].fileno(), size, start)
            png = Example.FromString(record).features.feature["image"].bytes_list.value[0]
            image[..., 0] = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
        return images

    def select(self, rows: np.ndarray) -> "StoredImages":
        """Some of the images, int [n], still on disk."""
        return StoredImages(self._files, self._file_of[rows], self._starts[rows], self._sizes[rows])


@dataclass(frozen=True)
class Split:
    """One split of a database.

    Attributes:
        images: uint8 [N, 48, 48, 1], in memory or on disk.
        labels: int32 [N], expressions 0 to 6.
        ids: the faces' ids, N strings.
        subjects: the persons shown, N strings, "" where unknown.
    """

    images: np.ndarray | StoredImages
    labels: np.ndarray
    ids: list[str]
    subjects: list[str]

    @property
    def sources(self) -> np.ndarray:
        """The source of each face, N strings, e.g. "fer2013"."""
        return np.array([face_id.partition("/")[0] for face_id in self.ids])

    def for_task(self, task: Task) -> tuple[np.ndarray | StoredImages, np.ndarray]:
        """The images that belong to a task and their classes, uint8 [M, 48, 48, 1], int32 [M].

        Images on disk are not loaded.
        """
        classes = np.asarray(task.class_of, np.int32)[self.labels]
        rows = self.rows_of(task)
        on_disk = isinstance(self.images, StoredImages)
        return self.images.select(rows) if on_disk else self.images[rows], classes[rows]

    def rows_of(self, task: Task) -> np.ndarray:
        """The rows of the images that belong to a task, int [M]."""
        return np.flatnonzero(np.asarray(task.class_of)[self.labels] >= 0)

    def images_of(self, ids: Sequence[str]) -> np.ndarray:
        """The images of the faces with these ids, in the order of the ids.

        Raises:
            KeyError: if the split lacks one of the faces.
        """
        row_of = {face_id: row for row, face_id in enumerate(self.ids)}
        return self.images[[row_of[face_id] for face_id in ids]]


def index_records(paths: Sequence[Path]) -> Split:
    """Reads the TFRecord files of one split once and notes where their images are.

    Args:
        paths: the files, in the order of the faces.

    Returns:
        A split whose images stay on disk.

    Raises:
        UserError: if a file is damaged or missing.
    """
    import tensorflow as tf

    features = {
        "label": tf.io.FixedLenFeature((), tf.int64),
        "id": tf.io.FixedLenFeature((), tf.string),
        "subject": tf.io.FixedLenFeature((), tf.string),
    }
    # Each list begins with an empty array of its type, for splits without a record.
    file_of, starts = [np.zeros(0, np.int16)], [np.zeros(0, np.int64)]
    sizes, labels, ids, subjects = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)], [], []
    for number, path in enumerate(paths):
        records = tf.data.TFRecordDataset(str(path)).batch(_SCANNED_AT_ONCE)
        scanned = records.map(
            lambda batch: (tf.strings.length(batch), tf.io.parse_example(batch, features))
        )
        end = 0
        try:
            for lengths, values in scanned.as_numpy_iterator():
                ends = end + np.cumsum(lengths.astype(np.int64) + _HEADER + _FOOTER)
                starts.append(ends - lengths - _FOOTER)
                end = ends[-1]
                sizes.append(lengths)
                file_of.append(np.full(len(lengths), number, np.int16))
                labels.append(values["label"].astype(np.int32))
                ids += [face_id.decode() for face_id in values["id"]]
                subjects += [subject.decode() for subject in values["subject"]]
        except (tf.errors.DataLossError, tf.errors.NotFoundError) as error:
            raise UserError(
                f"{path} is damaged or missing; build the database again, with "
                "`python cli.py build-datasets --rebuild`."
            ) from error
    files = [open(path, "rb", buffering=0) for path in paths]
    columns = (np.concatenate(parts) for parts in (file_of, starts, sizes))
    return Split(StoredImages(files, *columns), np.concatenate(labels), ids, subjects)


def fits_memory(images: StoredImages) -> bool:
    """Whether the decoded images would take little of this machine's or container's memory."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # ValueError: "max", no limit
            limits.append(int(Path(path).read_text()))
    return np.prod(images.shape, dtype=np.int64) <= _SHARE_OF_MEMORY * min(limits)
