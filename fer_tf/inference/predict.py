"""From pictures to predictions by a combined SavedModel."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from fer_tf.errors import UserError
from fer_tf.export.contract import ATTENTION, MOST_FACES
from fer_tf.export.model_store import is_pretrained, load_version, newest_versions
from fer_tf.expressions import EXPRESSIONS, PATHS
from fer_tf.faces.detector import detect_faces
from fer_tf.faces.face import Square, centred_square, crop_square, read_picture
from fer_tf.faces.pictures import Frame, Picture
from fer_tf.faces.preprocessing import to_face
from fer_tf.occlusion.kinds import ANY_OCCLUSION, RECOGNISED
from fer_tf.occlusion.occlude import occlude
from fer_tf.records.manifest import read_manifest

FACES_TOGETHER = 32
"""Pictures are held until they have so many faces, which then go through the networks together."""

MOST_PIXELS = 50_000_000
"""Of pictures held at a time, about 150 MB; a single larger one is held all the same."""


@dataclass(frozen=True)
class Prediction:
    """What a model says of one face.

    Attributes:
        photo: the picture or video file, or "camera 0".
        square: the face in it, x, y and side in pixels; None where no face was found and the
            largest centred square stands for it.
        label: the expression's name.
        class_id: its label, 0 to 6.
        probability: P(path) * P(expression given the path).
        path: the path taken, "A", "B" or "C".
        path_probabilities: path -> probability.
        probabilities: expression -> probability; 0 outside the path taken.
        frame: where in the video; None for a photograph.
        occlusion: what a model that recognises it took the face for, one of
            `fer_tf.occlusion.kinds.RECOGNISED`; None of other models.
        occlusion_probabilities: of `RECOGNISED`; None of other models.
        attention: float [48, 48], 0 to 1, what the subnet on the path weighs most in the face, 0 in
            rows that it does not look at; None where it was not asked for or the model has none.
    """

    photo: str
    square: Square | None
    label: str
    class_id: int
    probability: float
    path: str
    path_probabilities: dict[str, float]
    probabilities: dict[str, float]
    frame: Frame | None = None
    occlusion: str | None = None
    occlusion_probabilities: dict[str, float] | None = None
    attention: np.ndarray | None = field(default=None, compare=False, repr=False)

    def as_dict(self) -> dict:
        """Plain values for JSON; those on the occlusion where the model recognises it."""
        plain = asdict(replace(self, attention=None))
        plain |= {"square": self.square and self.square._asdict()}
        del plain["attention"]
        if self.occlusion is None:
            del plain["occlusion"], plain["occlusion_probabilities"]
        return plain

    def area(self, shape: tuple[int, ...]) -> Square:
        """The square that was classified, in a picture of the shape (height, width, ...)."""
        return self.square or centred_square(shape)


def find_model(name: str | None, models_dir: Path) -> Path:
    """The newest version of the model that a user names, else of the one that does for any face.

    That is the user's only one, or among several the one that recognises the occlusion itself; the
    one that comes with the program where the user has none.

    Raises:
        UserError: if it does not exist, or several do and none is named.
    """
    there = newest_versions(models_dir)
    if not there:
        raise UserError(
            f"{models_dir} holds no model; make one with `python cli.py train all`, or try the "
            "whole chain on drawn faces with `make demo`."
        )
    own = [each for each, version in there.items() if not is_pretrained(version)]
    if name is None and ANY_OCCLUSION in (own or there):
        name = ANY_OCCLUSION
    if name is None and len(own) > 1:
        raise UserError(f"{models_dir} holds {', '.join(there)}; choose one with --name.")
    name = name or (own or list(there))[0]
    if name not in there:
        raise UserError(f"{models_dir} holds {', '.join(there)}, not {name!r}.")
    return there[name]


class ExpressionModel:
    """A combined SavedModel, loaded once, that answers for pictures.

    Args:
        version: a version's folder, see `find_model`.

    Raises:
        UserError: if it cannot be loaded, as when a file is damaged or was copied in part.
    """

    def __init__(self, version: Path):
        self._occlusion = read_manifest(version).occlusion
        self._model = load_version(version)  # Held: its signatures do not keep it alive.

    def answer(self, faces: np.ndarray) -> dict[str, np.ndarray]:
        """What the networks say of faces.

        Args:
            faces: uint8 [N, 48, 48], N at least 1, uncovered where the model covers them itself.

        Returns:
            The outputs of the signature serving_default, N rows each.
        """
        return self.answer_covered(self._covered(faces))

    def answer_covered(self, faces: np.ndarray) -> dict[str, np.ndarray]:
        """The same of faces whose eyes are covered already where the model wants them covered."""
        return self.ask("serving_default", faces)

    @property
    def has_attention(self) -> bool:
        """Whether the model tells what its networks look at.

        Those without attention do not, nor does a model that was combined before there was such a
        signature.
        """
        return ATTENTION in self._model.signatures

    def attention_covered(self, faces: np.ndarray) -> np.ndarray | None:
        """What the subnet on each face's path looks at.

        Args:
            faces: as `answer_covered` takes them.

        Returns:
            float32 [N, 48, 48], see `Prediction`; None where the model does not tell.
        """
        return self.ask(ATTENTION, faces)["attention"] if self.has_attention else None

    def _covered(self, faces):
        if self._occlusion != "eyes":  # The halves are blackened in the graph.
            return faces
        return np.stack([occlude(face, "eyes") for face in faces])

    def ask(self, signature: str, faces: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs of a signature that takes `image`.

        Args:
            signature: its name.
            faces: as `answer_covered` takes them.
        """
        import tensorflow as tf

        ask = self._model.signatures[signature]
        parts = [
            ask(image=tf.constant(faces[start : start + MOST_FACES, ..., np.newaxis]))
            for start in range(0, len(faces), MOST_FACES)
        ]
        return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}

    def predict(
        self, pictures: Iterable[Picture], attention: bool = False
    ) -> Iterator[tuple[Picture, list[Prediction]]]:
        """Finds the faces in pictures and names their expressions.

        Args:
            pictures: read one after the other, a few of them are held at a time.
            attention: whether predictions are to have the attention, where the model tells it.

        Yields:
            Each picture with one prediction for each face, the largest first. Where no face is
            found, the largest centred square of a photograph is taken, of a video's frame none.
        """
        held, faces, pixels = [], 0, 0
        for picture in pictures:
            found = faces_of(picture)
            held.append((picture, found))
            faces += len(found)
            pixels += picture.image.shape[0] * picture.image.shape[1]
            # What a camera sees is answered at once.
            if faces >= FACES_TOGETHER or pixels >= MOST_PIXELS or picture.live:
                yield from self._answer_for(held, attention)
                held, faces, pixels = [], 0, 0
        yield from self._answer_for(held, attention)

    def _answer_for(self, held, attention):
        """The held pictures with their predictions."""
        images, answer = [image for _, found in held for _, image in found], {}
        if images:
            faces = self._covered(np.stack(images))
            answer = self.answer_covered(faces)
            if attention and self.has_attention:
                answer["attention"] = self.attention_covered(faces)
        row = 0
        for picture, found in held:
            predictions = []
            for square, _ in found:
                predictions.append(prediction_of(answer, row, picture.photo, square, picture.frame))
                row += 1
            yield picture, predictions


def predict(photos: Iterable[Path], version: Path) -> list[Prediction]:
    """Finds the faces in photographs and names their expressions.

    Args:
        photos: picture files. Where no face is found the largest centred square is taken.
        version: a model's version's folder, see `find_model`.

    Returns:
        One prediction for each face, photo by photo, the largest face first.

    Raises:
        UserError: if a file cannot be read as a picture.
    """
    pictures = (Picture(str(photo), read_picture(photo)) for photo in photos)
    answered = ExpressionModel(version).predict(pictures)
    return [prediction for _, predictions in answered for prediction in predictions]


def faces_of(picture: Picture) -> list[tuple[Square | None, np.ndarray]]:
    """The faces that are classified, as pairs of (square, uint8 [48, 48]), the largest first.

    Where none is found, the square of a photograph is None and the largest centred one stands for
    it: who sends a crop of a face gets an answer. A video's frame without a face has none.
    """
    squares = detect_faces(picture.image)
    if not squares and picture.frame is None:
        centre = centred_square(picture.image.shape)
        return [(None, to_face(crop_square(picture.image, centre)))]
    return [(square, to_face(crop_square(picture.image, square))) for square in squares]


def prediction_of(
    answer: dict, row: int, photo: str, square: Square | None, frame: Frame | None = None
) -> Prediction:
    """One row of a model's answer, which holds an array or list for each output.

    "attention" may be among them.
    """
    texts = {name: answer[name][row] for name in ("label", "path", "occlusion") if name in answer}
    texts = {name: t.decode() if isinstance(t, bytes) else t for name, t in texts.items()}
    kinds = None
    if "occlusion" in answer:
        kinds = named(RECOGNISED, answer["occlusion_probabilities"][row])
    return Prediction(
        photo=photo,
        square=square,
        class_id=int(answer["class_id"][row]),
        probability=float(answer["probability"][row]),
        path_probabilities=named(PATHS, answer["path_probabilities"][row]),
        probabilities=named(EXPRESSIONS, answer["probabilities"][row]),
        frame=frame,
        occlusion_probabilities=kinds,
        attention=np.asarray(answer["attention"][row]) if "attention" in answer else None,
        **texts,
    )


def named(names, values):
    """Name -> number, for JSON."""
    return {name: float(value) for name, value in zip(names, values, strict=True)}
