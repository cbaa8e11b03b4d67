"""The faces of a database before any occlusion, with their eyes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


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


def join_face_sets(parts: Sequence[FaceSet]) -> FaceSet:
    """Concatenate the faces of several sources."""
    return FaceSet(
        ids=sum((part.ids for part in parts), []),
        images=np.concatenate([part.images for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        sources=sum((part.sources for part in parts), []),
        subjects=sum((part.subjects for part in parts), []),
        eye_boxes=np.concatenate([part.eye_boxes for part in parts]),
        eyes_found=np.concatenate([part.eyes_found for part in parts]),
    )
