"""From photographs to predictions by a combined SavedModel."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from fer_tf.errors import InputError
from fer_tf.expressions import EXPRESSIONS, PATHS
from fer_tf.faces import Square, crop_square, crop_to_face, find_faces, read_picture
from fer_tf.occlusion import occlude
from fer_tf.preprocessing import to_face
from fer_tf.serving import find_versions, read_manifest


@dataclass(frozen=True)
class Prediction:
    """What a model says of one face.

    Attributes:
        photo: the picture file.
        square: the face in it, x, y and side in pixels; None where no face was found and the
            largest centred square stands for it.
        label: the expression's name.
        class_id: its label, 0 to 6.
        probability: P(path) * P(expression given the path).
        path: the path taken, "A", "B" or "C".
        path_probabilities: path -> probability.
        probabilities: expression -> probability; 0 outside the path taken.
    """

    photo: str
    square: Square | None
    label: str
    class_id: int
    probability: float
    path: str
    path_probabilities: dict[str, float]
    probabilities: dict[str, float]

    def as_dict(self) -> dict:
        """Plain values for JSON."""
        square = self.square and self.square._asdict()
        return asdict(self) | {"square": square}


def find_model(name: str | None, models_dir: Path) -> Path:
    """The newest version of the model that a user names, or of the only one there is.

    Raises:
        InputError: if it does not exist, or several do and none is named.
    """
    there = sorted(p.name for p in models_dir.glob("*") if find_versions(p))
    if not there:
        raise InputError(
            f"{models_dir} holds no model; make one with `python cli.py train all`, or try the "
            "whole chain on drawn faces with `make demo`."
        )
    if name is None and len(there) > 1:
        raise InputError(f"{models_dir} holds {', '.join(there)}; choose one with --name.")
    name = name or there[0]
    if name not in there:
        raise InputError(f"{models_dir} holds {', '.join(there)}, not {name!r}.")
    return find_versions(models_dir / name)[-1]


def predict(photos: list[Path], model: Path) -> list[Prediction]:
    """Finds the faces in photographs and names their expressions.

    Args:
        photos: picture files. Where no face is found the largest centred square is taken.
        model: a version's folder, see `find_model`.

    Returns:
        One prediction for each face, photo by photo, the largest face first.

    Raises:
        InputError: if a file cannot be read as a picture, before anything is predicted.
    """
    occlusion = read_manifest(model)["occlusion"]
    found = [(photo, *face) for photo in photos for face in faces_of(read_picture(photo))]
    images = np.stack([image for _, _, image in found])
    if occlusion == "eyes":  # The halves are blackened in the graph.
        images = np.stack([occlude(image, occlusion) for image in images])

    import tensorflow as tf

    answer = tf.saved_model.load(model).signatures["serving_default"](
        image=tf.constant(images[..., np.newaxis])
    )
    answer = {name: value.numpy() for name, value in answer.items()}
    return [
        Prediction(
            photo=str(photo),
            square=square,
            label=answer["label"][i].decode(),
            class_id=int(answer["class_id"][i]),
            probability=float(answer["probability"][i]),
            path=answer["path"][i].decode(),
            path_probabilities=named(PATHS, answer["path_probabilities"][i]),
            probabilities=named(EXPRESSIONS, answer["probabilities"][i]),
        )
        for i, (photo, square, _) in enumerate(found)
    ]


def table(predictions: list[Prediction]):
    """The predictions as a `rich.table.Table`, a row for each face."""
    from rich.table import Column, Table

    photo = Column("photo", overflow="fold")  # Never cut a name short.
    rows = Table(photo, "face (x, y, side)", "expression", "probability", "path")
    for p in predictions:
        face = f"{p.square.x}, {p.square.y}, {p.square.side}" if p.square else "none found: centre"
        path = f"{p.path} ({p.path_probabilities[p.path]:.2f})"
        rows.add_row(p.photo, face, p.label, f"{p.probability:.2f}", path)
    return rows


def faces_of(picture):
    """Pairs of (square or None, uint8 [48, 48]) for a BGR picture."""
    squares = find_faces(picture)
    if not squares:
        return [(None, to_face(crop_to_face(picture)[0]))]
    return [(square, to_face(crop_square(picture, square))) for square in squares]


def named(names, values):
    """Name -> number, for JSON."""
    return {name: float(value) for name, value in zip(names, values, strict=True)}
