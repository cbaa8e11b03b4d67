"""From pictures to predictions by a combined model."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from fer_tf.errors import UserError
from fer_tf.export.contract import ATTENTION, LITERT_NETWORKS
from fer_tf.export.model_store import is_pretrained, newest_versions
from fer_tf.faces.detector import detect_faces
from fer_tf.faces.face import Square, centred_square, crop_square
from fer_tf.faces.pictures import Picture
from fer_tf.faces.preprocessing import to_face
from fer_tf.inference.prediction import ModelOutputs, Prediction
from fer_tf.occlusion.kinds import ANY_OCCLUSION
from fer_tf.occlusion.occlude import occlude
from fer_tf.records.manifest import read_manifest

AUTO, LITERT, TENSORFLOW = "auto", "litert", "tensorflow"
"""The runtimes of a model."""

FACES_TOGETHER = 32
"""Pictures wait until they have so many faces, which the networks then process together."""

WAITING_PIXELS = 50_000_000
"""Pixels, about 150 MB, of the pictures that wait at a time; a single picture may have more."""


def find_model(name: str | None, models_dir: Path) -> Path:
    """The newest version of the model that a user names, or of the model for any face.

    Without a name, this is the user's only model or, among several, the one that recognises the
    occlusion; if the user has none, it is the model that comes with the program.

    Raises:
        UserError: if the model does not exist, or several exist and none is named.
    """
    versions = newest_versions(models_dir)
    if not versions:
        raise UserError(
            f"{models_dir} holds no model; make one with `python cli.py train all`, or try the "
            "whole chain on drawn faces with `make demo`."
        )
    users = [model for model, version in versions.items() if not is_pretrained(version)]
    if name is None and ANY_OCCLUSION in (users or versions):
        name = ANY_OCCLUSION
    if name is None and len(users) > 1:
        raise UserError(f"{models_dir} holds {', '.join(versions)}; choose one with --name.")
    name = name or (users or list(versions))[0]
    if name not in versions:
        raise UserError(f"{models_dir} holds {', '.join(versions)}, not {name!r}.")
    return versions[name]


def check_runtime(version: Path, runtime: str = AUTO) -> bool:
    """Whether a version is to be answered by TensorFlow.

    Args:
        version: a version's folder.
        runtime: `LITERT`, `TENSORFLOW`, or `AUTO`: LiteRT if the version contains networks for
            it. Versions that compute in bfloat16 or come from earlier releases contain none.

    Raises:
        UserError: if there is no such runtime, or the version lacks the networks for LiteRT.
    """
    if runtime not in (AUTO, LITERT, TENSORFLOW):
        raise UserError(f"No runtime is named {runtime!r}; choose {LITERT} or {TENSORFLOW}.")
    has_networks = (version / LITERT_NETWORKS).is_file()
    if runtime == LITERT and not has_networks:
        raise UserError(
            f"{version} has no {LITERT_NETWORKS.name} for LiteRT; leave out --runtime, or make the "
            "model again with `python cli.py combine`, without --precision bfloat16."
        )
    return runtime == TENSORFLOW or not has_networks


class ExpressionModel:
    """A combined model, loaded once, that answers for pictures.

    Its methods take faces as uint8 [N, 48, 48], N at least 1, with the eyes covered where the model
    was trained on covered eyes; the model blackens a half itself.

    Args:
        version: a version's folder, see `find_model`.
        runtime: see `check_runtime`.

    Raises:
        UserError: if it cannot be loaded, as when a file is damaged or was copied in part.
    """

    def __init__(self, version: Path, runtime: str = AUTO):
        manifest = read_manifest(version)
        self._occlusion = manifest.occlusion
        if check_runtime(version, runtime):
            from fer_tf.inference.tensorflow_model import TensorFlowModel

            self._model = TensorFlowModel(version)
        else:
            from fer_tf.inference.litert_model import LiteRTModel

            self._model = LiteRTModel(version, manifest)

    def answer(self, faces: np.ndarray) -> ModelOutputs:
        """The outputs of the signature serving_default."""
        return ModelOutputs(**self.ask("serving_default", faces))

    @property
    def has_attention(self) -> bool:
        """Whether the model has the signature `attention`.

        It is missing if the networks have no attention, or if an older version of this program
        combined them.
        """
        return self._model.has_attention

    def attention(self, faces: np.ndarray) -> np.ndarray | None:
        """What the subnet on each face's path looks at.

        Returns:
            float32 [N, 48, 48], see `Prediction`; None without `has_attention`.
        """
        return self.ask(ATTENTION, faces)["attention"] if self.has_attention else None

    def ask(self, signature: str, faces: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs, by name, of a signature whose input is `image`."""
        size = self._model.faces_at_once
        parts = [
            self._model.ask(signature, faces[start : start + size, ..., np.newaxis])
            for start in range(0, len(faces), size)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def predict(
        self, pictures: Iterable[Picture], attention: bool = False
    ) -> Iterator[tuple[Picture, list[Prediction]]]:
        """Find the faces in pictures and name their expressions.

        Args:
            pictures: read one after the other; a few of them wait at a time.
            attention: whether predictions have the attention, where the model has it.

        Yields:
            Each picture with one prediction for each face, the largest first; see `faces_of` for
            pictures without a face.
        """
        waiting, faces, pixels = [], 0, 0
        for picture in pictures:
            squares_and_faces = faces_of(picture)
            waiting.append((picture, squares_and_faces))
            faces += len(squares_and_faces)
            pixels += picture.image.shape[0] * picture.image.shape[1]
            # A camera's picture is answered at once.
            if faces >= FACES_TOGETHER or pixels >= WAITING_PIXELS or picture.live:
                yield from self._predict_together(waiting, attention)
                waiting, faces, pixels = [], 0, 0
        yield from self._predict_together(waiting, attention)

    def _predict_together(self, waiting, attention):
        """The waiting pictures with their predictions."""
        faces = [face for _, squares_and_faces in waiting for _, face in squares_and_faces]
        if faces:
            faces = np.stack(faces)
            if self._occlusion == "eyes":
                faces = np.stack([occlude(face, "eyes") for face in faces])
            outputs = self.answer(faces)
            if attention:
                outputs = replace(outputs, attention=self.attention(faces))
        row = 0
        for picture, squares_and_faces in waiting:
            predictions = []
            for square, _ in squares_and_faces:
                predictions.append(outputs.prediction(row, picture.photo, square, picture.frame))
                row += 1
            yield picture, predictions


def faces_of(picture: Picture) -> list[tuple[Square | None, np.ndarray]]:
    """The faces that are classified, as pairs of (square, uint8 [48, 48]), the largest first.

    A photograph without a face counts as a crop of one: the square is None, and the face is the
    largest centred square. A video's frame without a face has no faces.
    """
    squares = detect_faces(picture.image)
    if not squares and picture.frame is None:
        centre = centred_square(picture.image.shape)
        return [(None, to_face(crop_square(picture.image, centre)))]
    return [(square, to_face(crop_square(picture.image, square))) for square in squares]
