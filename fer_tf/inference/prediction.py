"""What a model answers: its outputs for a batch of faces, and the prediction for one face."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from fer_tf.expressions import EXPRESSIONS, PATHS
from fer_tf.faces.face import Square, centred_square
from fer_tf.faces.pictures import Frame
from fer_tf.occlusion.kinds import RECOGNISED

COLUMNS = (
    *("photo", "frame", "seconds", "x", "y", "side", "label", "class_id", "probability", "path"),
    *(f"path_{path}" for path in PATHS),
    *(name.lower() for name in EXPRESSIONS),
    *("occlusion", *(f"occlusion_{kind}" for kind in RECOGNISED)),
    "identity",
)
"""Columns of a table that has a row for each face. Frame, seconds and identity are empty for
photographs, x, y and side where no face was found, the occlusion where the model does not recognise
it."""


@dataclass(frozen=True)
class Prediction:
    """What a model answers for one face.

    Attributes:
        photo: the picture or video file, or "camera 0".
        square: the face in it, x, y and side in pixels; None where no face was found and the model
            got the largest centred square instead.
        label: the expression's name.
        class_id: its label, 0 to 6.
        probability: P(path) * P(expression given the path).
        path: the path taken, "A", "B" or "C".
        path_probabilities: path -> probability.
        probabilities: expression -> probability; 0 outside the path taken.
        frame: where in the video; None for a photograph.
        occlusion: the occlusion that the model recognised, one of
            `fer_tf.occlusion.kinds.RECOGNISED`; None of other models.
        occlusion_probabilities: kind in `RECOGNISED` -> probability; None of other models.
        attention: float [48, 48], 0 to 1, what the subnet on the path weighs most in the face, 0 in
            rows that it does not look at; None where it was not asked for or the model has none.
        identity: number of the face in the video or before the camera, see
            `fer_tf.inference.tracking`, by which the probabilities are then smoothed; None of
            photographs.
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
    identity: int | None = None

    def to_dict(self) -> dict:
        """Plain values for JSON; those on the occlusion where the model recognises it."""
        plain = asdict(replace(self, attention=None))
        plain |= {"square": self.square and self.square._asdict()}
        del plain["attention"]
        if self.occlusion is None:
            del plain["occlusion"], plain["occlusion_probabilities"]
        return plain

    def to_row(self) -> dict[str, str | int | float | None]:
        """Column in `COLUMNS` -> value; None where it is empty."""
        frame = (self.frame.number, self.frame.seconds) if self.frame else (None, None)
        square = self.square or (None, None, None)
        answer = (self.label, self.class_id, self.probability, self.path)
        kinds = self.occlusion_probabilities or dict.fromkeys(RECOGNISED)
        numbers = [*self.path_probabilities.values(), *self.probabilities.values()]
        occlusion = [self.occlusion, *kinds.values()]
        values = [self.photo, *frame, *square, *answer, *numbers, *occlusion, self.identity]
        return dict(zip(COLUMNS, values, strict=True))

    def area(self, shape: tuple[int, ...]) -> Square:
        """The square that was classified, in a picture of the shape (height, width, ...)."""
        return self.square or centred_square(shape)


@dataclass(frozen=True)
class ModelOutputs:
    """The outputs of a signature that answers with predictions, a row for each of N faces.

    Arrays come from a model that is loaded here, lists from a server. Attributes have the names of
    the outputs.

    Attributes:
        label: [N] names of expressions, str or bytes.
        class_id: int [N], 0 to 6.
        probability: float [N].
        path: [N] names of paths, str or bytes.
        path_probabilities: float [N, 3].
        probabilities: float [N, 7].
        occlusion: [N] kinds in `RECOGNISED`, str or bytes; None of models that recognise none.
        occlusion_probabilities: float [N, 4]; None of models that recognise none.
        attention: float [N, 48, 48], see `Prediction`; None where it was not asked for.
    """

    label: Sequence
    class_id: Sequence
    probability: Sequence
    path: Sequence
    path_probabilities: Sequence
    probabilities: Sequence
    occlusion: Sequence | None = None
    occlusion_probabilities: Sequence | None = None
    attention: Sequence | None = None

    def prediction(
        self, row: int, photo: str, square: Square | None, frame: Frame | None = None
    ) -> Prediction:
        """One face's prediction; see `Prediction` for what the outputs do not contain."""
        recognised = self.occlusion is not None
        return Prediction(
            photo=photo,
            square=square,
            label=_text(self.label[row]),
            class_id=int(self.class_id[row]),
            probability=float(self.probability[row]),
            path=_text(self.path[row]),
            path_probabilities=_named(PATHS, self.path_probabilities[row]),
            probabilities=_named(EXPRESSIONS, self.probabilities[row]),
            frame=frame,
            occlusion=_text(self.occlusion[row]) if recognised else None,
            occlusion_probabilities=(
                _named(RECOGNISED, self.occlusion_probabilities[row]) if recognised else None
            ),
            attention=None if self.attention is None else np.asarray(self.attention[row]),
        )


def _text(value):
    return value.decode() if isinstance(value, bytes) else value


def _named(names, values):
    """Name -> number, for JSON."""
    return {name: float(value) for name, value in zip(names, values, strict=True)}
