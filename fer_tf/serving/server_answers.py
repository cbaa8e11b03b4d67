"""Checks a server's answers: all code behind the client gets the expected outputs and shapes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fer_tf.errors import UserError
from fer_tf.export.contract import ATTENTION
from fer_tf.expressions import EXPRESSIONS, PATHS
from fer_tf.faces.face import FACE_SIZE
from fer_tf.occlusion.kinds import RECOGNISED
from fer_tf.serving.server_errors import short

PREDICTION = ("label", "class_id", "probability", "path", "path_probabilities", "probabilities")
"""Outputs of every signature that answers with predictions."""

OCCLUSION = ("occlusion", "occlusion_probabilities")
"""Additional outputs of models that recognise the occlusion."""

_NAMES = {"label": EXPRESSIONS, "path": tuple(PATHS), "occlusion": RECOGNISED}
_SHAPES = {
    "probability": (),
    "path_probabilities": (len(PATHS),),
    "probabilities": (len(EXPRESSIONS),),
    "occlusion_probabilities": (len(RECOGNISED),),
    ATTENTION: (FACE_SIZE, FACE_SIZE),
}
_ROUNDING = 1e-3  # A probability of bfloat16 networks may exceed 1 by a little.


class AnswerError(ValueError):
    """An answer does not have the form of our models' answers; the message is a clause."""


@dataclass(frozen=True)
class VersionState:
    """The state of one version of a model.

    Attributes:
        state: e.g. "AVAILABLE".
        error: the server's error message, "" where there is none.
    """

    state: str
    error: str


def predictions(answer, signature: str, count: int) -> dict[str, list]:
    """Read a predict request's answer.

    Args:
        answer: the JSON.
        signature: the signature of the request.
        count: number of faces in the request.

    Returns:
        Output name -> `count` values; other outputs than those of our models are left out.

    Raises:
        AnswerError: if rows or outputs are missing or a value is not of the output's form.
    """
    rows = answer.get("predictions") if isinstance(answer, dict) else None
    expected = ("path", ATTENTION) if signature == ATTENTION else PREDICTION
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise AnswerError(f"does not answer with {', '.join(sorted(expected))}")
    if len(rows) != count:
        raise AnswerError(f"answers with {len(rows)} rows for {count} faces")
    if signature != ATTENTION and any(name in row for row in rows for name in OCCLUSION):
        expected += OCCLUSION
    if not all(row.keys() >= set(expected) for row in rows):
        raise AnswerError(f"does not answer with {', '.join(sorted(expected))}")
    for row in rows:
        _check(row, expected)
    return {name: [row[name] for row in rows] for name in expected}


def states(answer, url: str) -> dict[str, VersionState]:
    """Read a status request's answer: version -> its state.

    Args:
        answer: the JSON.
        url: the server's address, for the message.

    Raises:
        UserError: if it is no such answer.
    """
    listed = answer.get("model_version_status") if isinstance(answer, dict) else None
    try:
        versions = {str(each["version"]): (each["state"], _error(each)) for each in listed}
    except (TypeError, KeyError, AttributeError):
        versions = {}
    if not versions or not all(isinstance(state, str) for state, _ in versions.values()):
        raise UserError(f"{url} answers, but not as TensorFlow Serving; give its REST address.")
    return {
        short(version): VersionState(short(state), short(error))
        for version, (state, error) in versions.items()
    }


def _error(status: Mapping):
    return str(status.get("status", {}).get("error_message") or "")


def _check(row, names):
    for name in names:
        value = row[name]
        if name in _NAMES and not (isinstance(value, str) and value in _NAMES[name]):
            raise AnswerError(
                f"answers with the {name} {short(repr(value))}; {', '.join(_NAMES[name])} are ours"
            )
        if name in _SHAPES and not _are_probabilities(value, _SHAPES[name]):
            shape = "x".join(map(str, _SHAPES[name])) or "one"
            raise AnswerError(
                f"answers with the {name} {short(repr(value))}; {shape} numbers from 0 to 1 are "
                "expected"
            )
    if "class_id" in names and row["class_id"] != EXPRESSIONS.index(row["label"]):
        raise AnswerError(
            f"answers with the class_id {short(repr(row['class_id']))} and the label "
            f"{row['label']}, whose number is {EXPRESSIONS.index(row['label'])}"
        )


def _are_probabilities(value, shape):
    """Whether a value is an array of this shape with numbers from 0 to 1."""
    try:
        numbers = np.array(value)
    except ValueError:  # Rows of different lengths.
        return False
    if numbers.shape != shape or numbers.dtype.kind not in "iuf":
        return False
    return bool(((numbers >= 0) & (numbers <= 1 + _ROUNDING)).all())
