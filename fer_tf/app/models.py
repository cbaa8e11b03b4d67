"""Whom the page asks: the combined models of a folder, or a running TensorFlow Serving."""

import functools
from pathlib import Path
from typing import Protocol

import numpy as np

from fer_tf.data.sources.drawn import NAME as DRAWN
from fer_tf.errors import UserError
from fer_tf.export.contract import ATTENTION
from fer_tf.export.model_card import accuracy_sentence, sources_of
from fer_tf.export.model_store import newest_versions
from fer_tf.inference.predict import ExpressionModel
from fer_tf.inference.remote import ask
from fer_tf.occlusion.kinds import ANY_OCCLUSION, DATABASES
from fer_tf.records.manifest import read_manifest
from fer_tf.serving.rest_client import Server, SignatureMissing, model_path

TRAINED_ON_DRAWN = "Trained on drawn faces: its answers say nothing about real ones."


class Models(Protocol):
    """Models that can be asked."""

    def names(self) -> list[str]:
        """Those there are, at least one.

        Raises:
            UserError: there is none, saying how one is made.
        """

    def describe(self, name: str) -> list[str]:
        """What a model was trained on, as sentences."""

    def occlusion(self, name: str) -> str:
        """What a model was trained to do without: "upper", "lower", "eyes"; else another word."""

    def answer(self, name: str, faces: np.ndarray) -> dict:
        """What a model says of faces.

        Args:
            name: of `names`.
            faces: uint8 [N, 48, 48], N at least 1, covered already as the model wants them.

        Returns:
            The outputs of the signature serving_default, N rows each.
        """

    def attention(self, name: str, faces: np.ndarray) -> np.ndarray | None:
        """What the subnet on each face's path looks at.

        Args:
            name: of `names`.
            faces: as `answer` takes them.

        Returns:
            float [N, 48, 48], see `fer_tf.inference.predict.Prediction`; None where the model does
            not tell.
        """


class LocalModels:
    """The newest version of each model, loaded when it is first asked.

    Args:
        folder: holds `<name>/<integer version>/`; beside those there is the model that comes with
            the program, see `newest_versions`.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._load = functools.lru_cache(maxsize=len(DATABASES) + 1)(ExpressionModel)

    def names(self) -> list[str]:
        """See `Models`."""
        there = newest_versions(self._folder)
        if not there:
            raise UserError(
                f"{self._folder} holds no model; `make demo` makes one of drawn faces, which "
                "--models-dir build/demo/saved_models shows, and `python cli.py train all` one of "
                "your own."
            )
        return sorted(there, key=lambda name: (name != ANY_OCCLUSION, name not in DATABASES))

    def describe(self, name: str) -> list[str]:
        """See `Models`."""
        version = self._newest(name)
        made = read_manifest(version)
        sentences = [
            f"{name}, version {version.name}: trained on {', '.join(made.trained_on)} with "
            f"recipe {made.recipe}."
        ]
        if DRAWN in sources_of(made.config):
            sentences.append(TRAINED_ON_DRAWN)
        if measured := accuracy_sentence(made):
            sentences.append(measured)
        return sentences

    def occlusion(self, name: str) -> str:
        """See `Models`."""
        return read_manifest(self._newest(name)).occlusion

    def answer(self, name: str, faces: np.ndarray) -> dict:
        """See `Models`."""
        return self._load(self._newest(name)).answer_covered(faces)

    def attention(self, name: str, faces: np.ndarray) -> np.ndarray | None:
        """See `Models`."""
        return self._load(self._newest(name)).attention_covered(faces)

    def _newest(self, name):
        there = newest_versions(self._folder)
        if name not in there:
            raise UserError(f"{self._folder} holds no {name} any more; load the page again.")
        return there[name]


class ServedModels:
    """The models that a server has under our names.

    Args:
        server: whom to ask.
    """

    def __init__(self, server: Server):
        self._server = server

    def names(self) -> list[str]:
        """See `Models`."""
        there = self._server.find_models()
        if not there:
            raise UserError(
                f"{self._server.url} serves none of {ANY_OCCLUSION}, {', '.join(DATABASES)}; "
                "`python cli.py serve-config` prints the command that starts a server with them."
            )
        return there

    def describe(self, name: str) -> list[str]:
        """See `Models`."""
        return [
            f"{name} at {self._server.url}, the newest version loaded.",
            "A server does not tell what its model was trained on; where that were drawn faces, "
            "its answers would say nothing about real ones.",
        ]

    def occlusion(self, name: str) -> str:
        """See `Models`; by the name, because a server does not tell."""
        return DATABASES.get(name, "any")

    def answer(self, name: str, faces: np.ndarray) -> dict:
        """See `Models`."""
        return ask(self._server, model_path(name, None), "serving_default", faces)

    def attention(self, name: str, faces: np.ndarray) -> np.ndarray | None:
        """See `Models`."""
        try:
            told = ask(self._server, model_path(name, None), ATTENTION, faces)
        except SignatureMissing:
            return None
        return np.array(told[ATTENTION], np.float32)
