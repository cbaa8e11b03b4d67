"""From photographs to predictions by a running TensorFlow Serving, over its REST API."""

from pathlib import Path

import numpy as np

from fer_tf.errors import UserError
from fer_tf.faces.face import read_picture
from fer_tf.faces.pictures import Picture
from fer_tf.inference.predict import faces_of
from fer_tf.inference.prediction import ModelOutputs, Prediction
from fer_tf.occlusion.occlude import occlude
from fer_tf.serving.rest_client import Server, model_path
from fer_tf.serving.server_errors import SIGNATURES

FACES_AT_A_TIME = 32
"""Faces in a request; more faces are sent in several, so that none takes half a minute."""


def query(
    photos: list[Path],
    server: Server,
    name: str,
    version: str | None = None,
    signature: str = "serving_default",
    occlusion: str | None = None,
) -> tuple[list[Prediction], bool]:
    """Find the faces in photographs and have a server name their expressions.

    Args:
        photos: picture files, at least one; see `faces_of` for those without a face.
        server: the server that has the model.
        name: the model's name.
        version: a number, a label, or None for the newest that is loaded.
        signature: one of `SIGNATURES`.
        occlusion: "eyes" covers the eyes before sending, "none" does not (the model blackens a
            half itself); None decides by the name, since a server does not report what its model
            was trained on: "eyes" for names that begin with eye_cdb.

    Returns:
        One prediction for each face, photo by photo, the largest face first; and whether eyes were
        covered.

    Raises:
        UserError: if an argument is wrong, a file is no picture, or the server gives no answer.
    """
    if not photos:
        raise UserError("No picture is named; name at least one picture file.")
    if signature not in SIGNATURES:
        raise UserError(f"No signature is named {signature!r}; choose {', '.join(SIGNATURES)}.")
    if occlusion not in (None, "eyes", "none"):
        raise UserError(f"--occlusion got {occlusion!r}; eyes or none is expected.")
    cover_eyes = name.startswith("eye_cdb") if occlusion is None else occlusion == "eyes"
    model = model_path(name, version)
    server.check_available(model)
    faces = [
        (str(photo), square, face)
        for photo in photos
        for square, face in faces_of(Picture(str(photo), read_picture(photo)))
    ]
    images = np.stack([face for _, _, face in faces])
    if cover_eyes:
        images = np.stack([occlude(image, "eyes") for image in images])
    outputs = ModelOutputs(**ask(server, model, signature, images))
    predictions = [
        outputs.prediction(row, photo, square) for row, (photo, square, _) in enumerate(faces)
    ]
    return predictions, cover_eyes


def ask(server: Server, model: str, signature: str, images: np.ndarray) -> dict[str, list]:
    """Request predictions for face squares, a few at a time; see `Server.predict`."""
    parts = [
        server.predict(model, signature, images[start : start + FACES_AT_A_TIME])
        for start in range(0, max(len(images), 1), FACES_AT_A_TIME)
    ]
    if any(part.keys() != parts[0].keys() for part in parts):
        raise UserError(
            f"{model} at {server.url} changed between two requests: another version was loaded; "
            "ask again."
        )
    return {name: [row for part in parts for row in part[name]] for name in parts[0]}
