"""The training data of the network that recognises occlusion: faces with drawn occluders."""

from collections.abc import Sequence

import numpy as np

from fer_tf.data.database import UNCOVERED, Database
from fer_tf.data.parallel_map import one_opencv_thread, thread_map
from fer_tf.data.splits import SPLITS
from fer_tf.errors import UserError
from fer_tf.faces.face import FACE_SIZE
from fer_tf.occlusion.eyes import find_eyes
from fer_tf.occlusion.kinds import RECOGNISED
from fer_tf.occlusion.occluders.draw import draw_occluder

TRAINING_IMAGES = 100_000
"""How many are drawn, about: in a small database each face is covered more often."""


def refuse_covered(databases: Sequence[str]) -> None:
    """Refuse databases whose faces are covered already.

    Args:
        databases: as a user names them, with or without /CONFIG.

    Raises:
        UserError: if one of them is not `uncovered`.
    """
    for name in databases:
        if name.partition("/")[0] != UNCOVERED:
            raise UserError(
                f"--database is {name}; occlusion_net is trained on faces that are not covered: "
                f"give {UNCOVERED} or {UNCOVERED}/CONFIG, which needs concat_db and bconcat_db."
            )


def draw_split(database: Database, split: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw all kinds of `RECOGNISED` into each face of a split.

    Equal arguments give equal pictures; no two splits share a drawing. Faces of "train" are drawn
    several times, so that there are about `TRAINING_IMAGES`, other faces once for each kind.

    Args:
        database: the uncovered faces.
        split: "train", "validation" or "test".
        seed: of the drawings.

    Returns:
        Images uint8 [N, 48, 48, 1] and classes int32 [N], indices into `RECOGNISED`.
    """
    faces = database.read(split).images[..., 0]
    kinds = len(RECOGNISED)
    times = 1
    if split == "train":
        times = max(1, round(TRAINING_IMAGES / max(kinds * len(faces), 1)))
    boxes = eye_boxes(faces)
    random = np.random.default_rng((seed, SPLITS.index(split)))
    images = np.empty((len(faces), times, kinds, FACE_SIZE, FACE_SIZE, 1), np.uint8)
    with one_opencv_thread():
        for row, face in enumerate(faces):
            for drawings in images[row]:
                for drawing, kind in zip(drawings, RECOGNISED, strict=True):
                    drawing[..., 0] = draw_occluder(face, boxes[row], kind, random)
    images = images.reshape(-1, FACE_SIZE, FACE_SIZE, 1)
    return images, np.tile(np.arange(kinds, dtype=np.int32), len(images) // kinds)


def eye_boxes(faces: np.ndarray) -> np.ndarray:
    """The boxes int64 [N, 2, 4] that `find_eyes` finds in faces uint8 [N, 48, 48]."""
    with one_opencv_thread():
        boxes = [boxes for boxes, _ in thread_map(find_eyes, faces)]
    return np.array(boxes, np.int64).reshape(-1, 2, 4)
