"""Runs a version's SavedModel in TensorFlow, as a server does."""

from pathlib import Path

import numpy as np

from fer_tf.export.contract import ATTENTION, MOST_FACES
from fer_tf.export.model_store import load_version


class TensorFlowModel:
    """A version's SavedModel, loaded once.

    It takes at most `faces_at_once` faces at a time.

    Args:
        version: a version's folder.

    Raises:
        UserError: if it cannot be loaded, as when a file is damaged or was copied in part.
    """

    faces_at_once = MOST_FACES

    def __init__(self, version: Path):
        self._model = load_version(version)  # Its signatures do not keep it alive.

    @property
    def has_attention(self) -> bool:
        """Whether the SavedModel has the signature `attention`."""
        return ATTENTION in self._model.signatures

    def ask(self, signature: str, faces: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs, by name, of a signature whose input is `image`.

        Args:
            signature: its name.
            faces: uint8 [N, 48, 48, 1], N from 1 to `faces_at_once`.
        """
        import tensorflow as tf

        outputs = self._model.signatures[signature](image=tf.constant(faces))
        return {name: tensor.numpy() for name, tensor in outputs.items()}
