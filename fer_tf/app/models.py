"""The models that answer on the page: those of a folder, or of a running TensorFlow Serving."""

import functools
from pathlib import Path
from typing import Protocol

import numpy as np

from fer_tf.data.config_names import sources_of
from fer_tf.data.sources.drawn import NAME as DRAWN
from fer_tf.errors import UserError
from fer_tf.export.contract import ATTENTION
from fer_tf.export.model_card import accuracy_sentence
from fer_tf.export.model_store import newest_versions
from fer_tf.inference.predict import ExpressionModel, check_runtime
from fer_tf.inference.prediction import ModelOutputs
from fer_tf.inference.remote import ask
from fer_tf.occlusion.kinds import ANY_OCCLUSION, DATABASES
from fer_tf.records.manifest import read_manifest
from fer_tf.serving.rest_client import Server, SignatureMissing, model_path

TRAINED_ON_DRAWN = "Trained on drawn faces: its answers say nothing about real ones."


class Models(Protocol):
    """Models that answer on the page."""

    def names(self) -> list[str]:
        """The models' names, at least one.

        Raises:
            UserError: if there is no model; the message names the command that makes one.
        """

    def describe(self, name: str) -> list[str]:
        """Sentences on what a model was trained on and how good it is."""

    def occlusion(self, name: str) -> str:
        """The part that was covered in training: "upper", "lower", "eyes"; else another word."""

    def answer(self, name: str, faces: np.ndarray) -> ModelOutputs:
        """The outputs of a model's signature serving_default.

        Args:
            name: one of `names`.
            faces: uint8 [N, 48, 48], N at least 1, covered already as in the model's training.
        """

    def attention(self, name: str, faces: np.ndarray) -> np.ndarray | None:
        """What the subnet on each face's path looks at.

        Args:
            name: one of `names`.
            faces: as `answer` takes them.

        Returns:
            float [N, 48, 48], see `fer_tf.inference.prediction.Prediction`; None where the model
            has no signature `attention`.
        """


class LocalModels:
    """The newest version of each model in a folder, loaded for the first answer.

    Args:
        folder: contains `<name>/<integer version>/`; see `newest_versions` for the model that comes
            with the program.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._load = functools.lru_cache(maxsize=len(DATABASES) + 1)(ExpressionModel)

    def names(self) -> list[str]:
        """See `Models`."""
        names = newest_versions(self._folder)
        if not names:
            raise UserError(
                f"{self._folder} holds no model; `make demo` makes one of drawn faces, which "
                "--models-dir build/demo/saved_models shows, and `python cli.py train all` one of "
                "your own."
            )
        return sorted(names, key=lambda name: (name != ANY_OCCLUSION, name not in DATABASES))

    def need_tensorflow(self) -> bool:
        """Whether one of the models is answered by TensorFlow."""
        return any(check_runtime(version) for version in newest_versions(self._folder).values())

    def describe(self, name: str) -> list[str]:
        """See `Models`."""
        version = self._newest(name)
        manifest = read_manifest(version)
        sentences = [
            f"{name}, version {version.name}: trained on {', '.join(manifest.trained_on)} with "
            f"recipe {manifest.recipe}."
        ]
        if DRAWN in sources_of(manifest.config):
            sentences.append(TRAINED_ON_DRAWN)
        if accuracy := accuracy_sentence(manifest):
            sentences.append(accuracy)
        return sentences

    def occlusion(self, name: str) -> str:
        """See `Models`."""
        return read_manifest(self._newest(name)).occlusion

    def answer(self, name: str, faces: np.ndarray) -> ModelOutputs:
        """See `Models`."""
        return self._load(self._newest(name)).answer(faces)

    def attention(self, name: str, faces: np.ndarray) -> np.ndarray | None:
        """See `Models`."""
        return self._load(self._newest(name)).attention(faces)

    def _newest(self, name):
        versions = newest_versions(self._folder)
        if name not in versions:
            raise UserError(f"{self._folder} holds no {name} any more; load the page again.")
        return versions[name]


class ServedModels:
    """The models that a server has under the names of this program's models."""

    def __init__(self, server: Server):
        self._server = server

    def names(self) -> list[str]:
        """See `Models`."""
        names = self._server.find_models()
        if not names:
            raise UserError(
                f"{self._server.url} serves none of {ANY_OCCLUSION}, {', '.join(DATABASES)}; "
                "`python cli.py serve-config` prints the command that starts a server with them."
            )
        return names

    def describe(self, name: str) -> list[str]:
        """See `Models`."""
        return [
            f"{name} at {self._server.url}, the newest version loaded.",
            "A server does not tell what its model was trained on; where that were drawn faces, "
            "its answers would say nothing about real ones.",
        ]

    def occlusion(self, name: str) -> str:
        """See `Models`; by the name, because a server does not report it."""
        return DATABASES.get(name, "any")

    def answer(self, name: str, faces: np.ndarray) -> ModelOutputs:
        """See `Models`."""
        return ModelOutputs(**ask(self._server, model_path(name, None), "serving_default", faces))

    def attention(self, name: str, faces: np.ndarray) -> np.ndarray | None:
        """See `Models`."""
        try:
            outputs = ask(self._server, model_path(name, None), ATTENTION, faces)
        except SignatureMissing:
            return None
        return np.array(outputs[ATTENTION], np.float32)
