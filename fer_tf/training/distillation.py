"""Knowledge distillation: networks also learn the predictions of teachers for the uncovered face.

Hinton et al. 2015 (arXiv 1503.02531); for covered faces Georgescu and Ionescu (arXiv 2008.01003),
whose teachers also see the whole face while their students see a part of it.
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
"""The file in a teacher's run folder that stores its logits of the training faces."""


def teacher_logits(folder: Path, faces: np.ndarray, fingerprint: str) -> np.ndarray:
    """Computes a teacher's logits of uncovered faces, averaged with those of their mirror images.

    The logits are stored in the teacher's run folder and computed only once.

    Args:
        folder: the run folder of a flat network.
        faces: uint8 [N, 48, 48, 1], the training split of a database.
        fingerprint: the database's fingerprint.

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
    """Computes the targets of a network with teachers: the class and the teachers' probabilities.

    Args:
        task: the network's task.
        classes: int32 [N], the images' classes in the task.
        logits: float32 [N, 7] of each teacher.
        temperature: divides the logits; above 1 it brings the probabilities closer together.

    Returns:
        float32 [N, 1 + classes]: the class, then the mean of the teachers' probabilities of the
        task's classes. A path's probability is the sum over its expressions; the probabilities of
        a subnet's classes are divided by their sum.
    """
    probabilities = np.mean([softmax(each / temperature, axis=1) for each in logits], axis=0)
    parts = [probabilities[:, list(labels)].sum(axis=1) for labels in task.expressions]
    parts = np.stack(parts, axis=1)
    parts /= parts.sum(axis=1, keepdims=True)
    return np.concatenate([classes[:, np.newaxis], parts], axis=1).astype(np.float32)


@keras.saving.register_keras_serializable(package="fer_tf")
class DistillationLoss(keras.losses.Loss):
    """Cross-entropy with the class and with the teachers' probabilities.

    `(1 - weight) CE(class, logits) + weight temperature**2 CE(teachers, logits / temperature)`

    Args:
        weight: weight of the teachers' part, 0 to 1.
        temperature: the temperature of the teachers' probabilities.

    Labels are `soft_targets`, or classes [B]: then, as in validation, the loss is the cross-entropy
    with the class.
    """

    def __init__(self, weight, temperature, name="distillation_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.weight = weight
        self.temperature = temperature

    def call(self, y_true, y_pred):
        """Returns a loss for each image, float32 [B]."""
        classes = _classes(y_true)
        hard = ops.sparse_categorical_crossentropy(classes, y_pred, from_logits=True)
        if not _has_teachers(y_true):
            return hard
        soft = ops.categorical_crossentropy(
            y_true[:, 1:], y_pred / self.temperature, from_logits=True
        )
        return (1 - self.weight) * hard + self.weight * self.temperature**2 * soft

    def get_config(self):
        """Returns the constructor's arguments."""
        return super().get_config() | {"weight": self.weight, "temperature": self.temperature}


class ClassAccuracy(keras.metrics.SparseCategoricalAccuracy):
    """Share of images whose class has the largest logit; labels as for `DistillationLoss`."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds a batch."""
        return super().update_state(_classes(y_true), y_pred, sample_weight)


def _has_teachers(labels):
    return len(labels.shape) == 2 and labels.shape[1] > 1


def _classes(labels):
    return ops.cast(labels[:, 0], "int32") if _has_teachers(labels) else labels
