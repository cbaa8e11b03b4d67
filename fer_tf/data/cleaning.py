"""Images that are not worth training on: blank ones, and copies with another label."""

import numpy as np

from fer_tf.data.face_set import FaceSet
from fer_tf.data.near_duplicates import first_copies

_CHUNK = 1024  # images examined at once: 2 MB

# In gray levels between the darkest and the brightest pixel. In FER2013's first 32,298 rows, 12
# images have one gray level and one, as empty, spans 3; the next, a dark face, spans 48.
_BLANK_SPAN = 8


def blank_images(images: np.ndarray) -> np.ndarray:
    """Find the images that show nothing: their gray levels are within a span of 8.

    Pictures of something else than a face, such as a notice that a photograph was removed, are
    not found.

    Args:
        images: uint8 [N, 48, 48], uncovered; may be mapped from disk.

    Returns:
        bool [N].
    """
    blank = np.zeros(len(images), bool)
    for start in range(0, len(images), _CHUNK):
        chunk = images[start : start + _CHUNK]
        blank[start : start + _CHUNK] = np.ptp(chunk, axis=(1, 2)) < _BLANK_SPAN
    return blank


def conflicting_labels(first: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Find the images of which an identical copy has another label.

    Args:
        first: int64 [N], the result of `fer_tf.data.near_duplicates.first_copies`.
        labels: int [N].

    Returns:
        bool [N], true for every copy, because no one knows which label is right.
    """
    return np.isin(first, first[labels != labels[first]])


def clean_faces(faces: FaceSet) -> tuple[FaceSet, dict[str, list[str]]]:
    """Drop blank images and images with conflicting labels.

    Returns:
        The faces that are kept, and reason -> ids of the faces dropped for it.
    """
    blank = blank_images(faces.images)
    conflicting = conflicting_labels(first_copies(faces.images), faces.labels) & ~blank
    ids = np.array(faces.ids, dtype=object)
    dropped = {"blank": ids[blank].tolist(), "conflicting labels": ids[conflicting].tolist()}
    return faces.select(np.flatnonzero(~(blank | conflicting))), dropped
