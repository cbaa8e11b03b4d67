"""Images of a prepared database fetched from its record files by number, for data beyond memory.

A TFRecord file has no table of contents, so TFDS and tf.data read it from end to end and shuffle
what a buffer holds. An index of where each record begins, 14 bytes against the 2,304 of an image,
lets any order be read, hence the same epochs as from memory.
"""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from fer_tf.errors import UserError
from fer_tf.faces.face import FACE_SIZE

_HEADER, _FOOTER = 12, 4  # Of a record: its length and a checksum before, a checksum behind.
_SCANNED_AT_ONCE = 1024  # records
_SHARE_OF_MEMORY = 1 / 8  # While a network trains, its images stand in memory up to three times.


class StoredImages:
    """Images that stay on disk: `images[rows]` reads and decodes the rows asked for, nothing else.

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

        where = [values[rows].tolist() for values in (self._file_of, self._starts, self._sizes)]
        images = np.empty((len(where[0]), *self.shape[1:]), np.uint8)
        for image, file, start, size in zip(images, *where, strict=True):
            record = os.pread(self._files[file].fileno(), size, start)
            png = Example.FromString(record).features.feature["image"].bytes_list.value[0]
            image[..., 0] = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
        return images

    def select(self, rows: np.ndarray) -> "StoredImages":
        """Some of the images, int [n], still on disk."""
        return StoredImages(self._files, self._file_of[rows], self._starts[rows], self._sizes[rows])


def index_records(paths: Sequence[Path]) -> tuple[StoredImages, np.ndarray, list[str], list[str]]:
    """Reads TFRecord files once, file after file, and notes where their images are.

    Args:
        paths: the files of one split.

    Returns:
        The images, their labels int32 [N], their ids, and their persons, "" where unknown.

    Raises:
        UserError: if a file is damaged or missing.
    """
    import tensorflow as tf

    features = {
        "label": tf.io.FixedLenFeature((), tf.int64),
        "id": tf.io.FixedLenFeature((), tf.string),
        "subject": tf.io.FixedLenFeature((), tf.string),
    }
    # Begun with nothing of the right kind, for splits without a record.
    file_of, starts = [np.zeros(0, np.int16)], [np.zeros(0, np.int64)]
    sizes, labels, ids, subjects = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)], [], []
    for number, path in enumerate(paths):
        records = tf.data.TFRecordDataset(str(path)).batch(_SCANNED_AT_ONCE)
        scanned = records.map(lambda r: (tf.strings.length(r), tf.io.parse_example(r, features)))
        end = 0
        try:
            for lengths, values in scanned.as_numpy_iterator():
                ends = end + np.cumsum(lengths.astype(np.int64) + _HEADER + _FOOTER)
                starts.append(ends - lengths - _FOOTER)
                end = ends[-1]
                sizes.append(lengths)
                file_of.append(np.full(len(lengths), number, np.int16))
                labels.append(values["label"].astype(np.int32))
                ids += [name.decode() for name in values["id"]]
                subjects += [name.decode() for name in values["subject"]]
        except (tf.errors.DataLossError, tf.errors.NotFoundError) as error:
            raise UserError(
                f"{path} is damaged or missing; build the database again, with "
                "`python cli.py build-datasets --rebuild`."
            ) from error
    files = [open(path, "rb", buffering=0) for path in paths]
    images = StoredImages(files, *(np.concatenate(v) for v in (file_of, starts, sizes)))
    return images, np.concatenate(labels), ids, subjects


def fits_memory(images: StoredImages) -> bool:
    """Whether the decoded images would take little of this machine's or container's memory."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # ValueError: "max", no limit
            limits.append(int(Path(path).read_text()))
    return np.prod(images.shape, dtype=np.int64) <= _SHARE_OF_MEMORY * min(limits)
