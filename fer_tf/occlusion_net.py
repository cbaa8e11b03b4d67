"""What OcclusionNet is trained on: uncovered faces, into which occluders are drawn."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_tf.errors import InputError
from fer_tf.face_cache import one_opencv_thread, thread_map
from fer_tf.faces import FACE_SIZE
from fer_tf.input_pipeline import UNCOVERED, Database
from fer_tf.occluders import draw_occluder
from fer_tf.occlusion import RECOGNISED, find_eyes

TRAINING_IMAGES = 100_000
"""So many are drawn, about: in a small database each face is covered more often."""

_SPLITS = ("train", "validation", "test")


def refuse_covered(databases: Sequence[str]) -> None:
    """Refuses databases whose faces are covered already.

    Args:
        databases: as a user names them, with or without /CONFIG.

    Raises:
        InputError: if one of them is not `uncovered`.
    """
    for name in databases:
        if name.partition("/")[0] != UNCOVERED:
            raise InputError(
                f"--database is {name}; occlusion is trained on faces that are not covered: give "
                f"{UNCOVERED} or {UNCOVERED}/CONFIG, which needs concat_db and bconcat_db."
            )


def draw_split(database: Database, split: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws all kinds of `RECOGNISED` into each face of a split.

    Equal arguments give equal pictures; no two splits share a drawing. Faces of "train" are drawn
    as often as it takes to come near `TRAINING_IMAGES`, the others once for each kind.

    Args:
        database: the uncovered faces.
        split: "train", "validation" or "test".
        seed: of the drawings.

    Returns:
        Images uint8 [N, 48, 48, 1] and classes int32 [N], indices into `RECOGNISED`.
    """
    faces = database.read(split).images[..., 0]
    kinds = len(RECOGNISED)
    times = round(TRAINING_IMAGES / max(kinds * len(faces), 1)) if split == "train" else 1
    boxes = eye_boxes(faces)
    random = np.random.default_rng((seed, _SPLITS.index(split)))
    images = np.empty((len(faces), max(times, 1), kinds, FACE_SIZE, FACE_SIZE, 1), np.uint8)
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


def validation_accuracies(database: Database, folder: Path, seed: int) -> dict[str, float]:
    """Kind -> share of the validation images of this kind that a trained run recognises.

    Args:
        database: the uncovered faces.
        folder: of the run.
        seed: of the drawings, the run's.
    """
    from fer_tf.checkpoint import load_best
    from fer_tf.input_pipeline import evaluation_batches

    images, classes = draw_split(database, "validation", seed)
    logits = load_best(folder).predict(evaluation_batches(images, classes), verbose=0)
    right = logits.argmax(axis=1) == classes
    return {kind: float(right[classes == number].mean()) for number, kind in enumerate(RECOGNISED)}
