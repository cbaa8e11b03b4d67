"""Knowledge distillation: networks that also learn what teachers say of the uncovered face.

Hinton et al. 2015 (arXiv 1503.02531); for covered faces Georgescu and Ionescu (arXiv 2008.01003),
whose teachers too see the whole face while their pupils see a part of it.
"""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from keras import ops
from scipy.special import softmax

from fer_tf.errors import UserError
from fer_tf.expressions import Task
from fer_tf.files import written_beside
from fer_tf.records.run import is_finished, read_run
from fer_tf.training.compatibility import refuse_other_faces

LOGITS_FILE = "train_logits.npz"
"""In a teacher's run folder: what it says of the training faces, so that it is asked once."""


def teacher_logits(folder: Path, faces: np.ndarray, fingerprint: str) -> np.ndarray:
    """What one teacher says of uncovered faces and of their mirror images, averaged.

    They are computed once and stored in the teacher's run folder.

    Args:
        folder: the run of a flat network.
        faces: uint8 [N, 48, 48, 1].
        fingerprint: of the database that the faces are the training split of.

    Returns:
        Logits float32 [N, 7].

    Raises:
        UserError: if the teacher is not trained, or was trained on other faces or another split.
    """
    from fer_tf.data.input_pipeline import evaluation_batches
    from fer_tf.training.checkpoint import load_best

    if not is_finished(folder):
        raise UserError(
            f"{folder} holds no trained network to learn from; give `python cli.py train flat "
            f"--database {folder.parents[2].name}/{folder.parents[1].name} --recipe "
            f"{folder.parent.name}` first."
        )
    refuse_other_faces(read_run(folder), folder, folder.parents[1].name, fingerprint)
    path = folder / LOGITS_FILE
    if path.is_file():
        with np.load(path) as stored:
            if str(stored["fingerprint"]) == fingerprint and len(stored["logits"]) == len(faces):
                return stored["logits"]
    teacher = load_best(folder)
    logits = np.mean(
        [
            teacher.predict(evaluation_batches(images), verbose=0)
            for images in (faces, faces[:, :, ::-1])
        ],
        axis=0,
    )
    with written_beside(path) as out:
        np.savez(out, logits=logits, fingerprint=np.array(fingerprint))
    return logits


def soft_targets(
    task: Task, classes: np.ndarray, logits: Sequence[np.ndarray], temperature: float
) -> np.ndarray:
    """What a network with teachers learns of each image: its class, and the teachers' answer.

    Args:
        task: of the network.
        classes: int32 [N], of the task.
        logits: of each teacher, float32 [N, 7].
        temperature: divides the logits; above 1 it makes the answers softer.

    Returns:
        float32 [N, 1 + classes]: the class, then the mean of the teachers' probabilities of the
        task's classes. The probability of a path is the sum over its expressions; those of a
        subnet's classes are their shares of the path's.
    """
    probabilities = np.mean([softmax(each / temperature, axis=1) for each in logits], axis=0)
    parts = [probabilities[:, list(labels)].sum(axis=1) for labels in task.expressions]
    parts = np.stack(parts, axis=1)
    parts /= parts.sum(axis=1, keepdims=True)
    return np.concatenate([classes[:, np.newaxis], parts], axis=1).astype(np.float32)


@keras.saving.register_keras_serializable(package="fer_tf")
class DistillationLoss(keras.losses.Loss):
    """Cross-entropy with the class and, while there are teachers, with their answer.

    `(1 - weight) CE(class, logits) + weight temperature**2 CE(teachers, logits / temperature)`

    Args:
        weight: of the teachers' part, 0 to 1.
        temperature: that of the teachers' answers.

    Labels are those of `soft_targets`, or classes [B] alone, for which it is the plain
    cross-entropy: that is what validation measures.
    """

    def __init__(self, weight, temperature, name="distillation_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.weight = weight
        self.temperature = temperature

    def call(self, y_true, y_pred):
        """One loss for each image, float32 [B]."""
        classes = _classes(y_true)
        hard = ops.sparse_categorical_crossentropy(classes, y_pred, from_logits=True)
        if not _has_teachers(y_true):
            return hard
        soft = ops.categorical_crossentropy(
            y_true[:, 1:], y_pred / self.temperature, from_logits=True
        )
        return (1 - self.weight) * hard + self.weight * self.temperature**2 * soft

    def get_config(self):
        """What the loss is made from."""
        return super().get_config() | {"weight": self.weight, "temperature": self.temperature}


class ClassAccuracy(keras.metrics.SparseCategoricalAccuracy):
    """Share of images whose class has the largest logit; labels as for `DistillationLoss`."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Counts a batch."""
        return super().update_state(_classes(y_true), y_pred, sample_weight)


def _has_teachers(labels):
    return len(labels.shape) == 2 and labels.shape[1] > 1


def _classes(labels):
    return ops.cast(labels[:, 0], "int32") if _has_teachers(labels) else labels
