"""The Python interface: pictures in any form in, a prediction for each face out."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps

from fer_tf.errors import UserError
from fer_tf.export import model_store
from fer_tf.faces.face import centred_square, crop_square, decode_picture, read_picture
from fer_tf.faces.picture_formats import check_size
from fer_tf.faces.pictures import Frame, Picture, read_video
from fer_tf.faces.preprocessing import to_face
from fer_tf.inference.predict import AUTO, FACES_TOGETHER, ExpressionModel, find_model
from fer_tf.inference.prediction import Prediction
from fer_tf.inference.tracking import track
from fer_tf.occlusion.occlude import occlude
from fer_tf.records.manifest import MANIFEST, read_manifest

PictureInput = str | os.PathLike | bytes | Image.Image | np.ndarray
"""One picture, see `ExpressionRecognizer.__call__`."""

RGB, BGR = "rgb", "bgr"
"""Orders of the channels of a colour array."""


class ExpressionRecognizer:
    """Finds the faces in pictures and names their expressions; several threads may share one.

        from fer_tf import ExpressionRecognizer
        recognizer = ExpressionRecognizer()
        faces = recognizer("photo.jpg")  # faces[0].label is e.g. "Happiness"

    Args:
        model: None for the model that comes with the program; the folder of a version, e.g.
            "saved_models/any_occlusion/1"; or a model's name, whose newest version is taken.
        detect: False where each picture is one face, cut out closely: none is searched for, and
            the largest centred square of the picture is classified.
        models_dir: where a name is looked up, `<name>/<integer version>/`.
        runtime: "litert", "tensorflow", or "auto" for LiteRT where the model has a file for it.

    Raises:
        UserError: there is no such model or runtime, or the model is damaged. A `ValueError`, as
            all errors that a caller can correct.
    """

    def __init__(
        self,
        model: str | os.PathLike | None = None,
        detect: bool = True,
        models_dir: str | os.PathLike = "saved_models",
        runtime: str = AUTO,
    ):
        version = _find_version(model, Path(models_dir))
        self._detect = detect
        self._covers_eyes = read_manifest(version).occlusion == "eyes"
        self._model = ExpressionModel(version, runtime)

    def __call__(
        self, picture: PictureInput | Sequence[PictureInput], channel_order: str = RGB
    ) -> list[Prediction] | list[list[Prediction]]:
        """Name the expression of every face in a picture, or in each picture of a list.

        Args:
            picture: the path of a picture file; the bytes of one; a PIL image; a NumPy array,
                uint8 [H, W] gray or [H, W, 3] colour, 0 to 255; or a list or tuple of these.
            channel_order: "rgb" or "bgr" (as OpenCV returns pictures), of the colour arrays.

        Returns:
            A prediction for each face, the largest face first; for a list of pictures such a list
            for each. Where no face is found the largest centred square is classified, and the
            prediction's `square` is None. Its `photo` is the path, or "picture" with the number in
            the list.

        Raises:
            UserError: a file is missing or damaged, an array has another shape or dtype, a picture
                is empty or too large. In a list, the first such picture ends the call.
        """
        if channel_order not in (RGB, BGR):
            raise UserError(f"channel_order is {channel_order!r}; {RGB!r} or {BGR!r} is expected.")
        if not isinstance(picture, list | tuple):
            return next(self._predict([_as_picture(picture, "picture", channel_order)]))
        named = ((f"picture {number}", item) for number, item in enumerate(picture))
        return list(self._predict(_as_picture(item, name, channel_order) for name, item in named))

    def video(
        self, file: str | os.PathLike, every: int = 1
    ) -> Iterator[tuple[Frame, list[Prediction]]]:
        """Name the expressions in a video, one frame after the other.

        Args:
            file: the video file.
            every: one frame in so many is answered, 1 or more.

        Yields:
            The number and time of a frame, and the predictions of its faces, none where no face is
            found; with identities, and smoothed, see `fer_tf.inference.tracking`.

        Raises:
            UserError: the file is missing or no video, or `every` is less than 1; after the last
                frame: frames are missing. Also of a recognizer with `detect=False`.
        """
        if not self._detect:
            raise UserError("Faces in a video are searched for; leave out detect=False.")
        if every < 1:
            raise UserError(f"every is {every}; a whole number from 1 on is expected.")
        for picture, predictions in track(self._model.predict(read_video(Path(file), every))):
            yield picture.frame, predictions

    @staticmethod
    def table(faces: Sequence[Prediction] | Sequence[Sequence[Prediction]]) -> list[dict[str, Any]]:
        """Rows with the columns of `predict --csv`, one for each face: `pandas.DataFrame(rows)`.

        Args:
            faces: what a call returned, for one picture or for a list.
        """
        nested = [[face] if isinstance(face, Prediction) else face for face in faces]
        return [face.to_row() for group in nested for face in group]

    def _predict(self, pictures: Iterable[Picture]) -> Iterator[list[Prediction]]:
        if self._detect:
            return (predictions for _, predictions in self._model.predict(pictures))
        return self._predict_crops(list(pictures))

    def _predict_crops(self, pictures):
        for start in range(0, len(pictures), FACES_TOGETHER):
            part = pictures[start : start + FACES_TOGETHER]
            faces = np.stack([self._crop(picture.image) for picture in part])
            outputs = self._model.answer(faces)
            yield from ([outputs.prediction(k, part[k].photo, None)] for k in range(len(part)))

    def _crop(self, image):
        face = to_face(crop_square(image, centred_square(image.shape)))
        return occlude(face, "eyes") if self._covers_eyes else face


def _find_version(model, models_dir):
    if model is None:
        return find_model(None, model_store.PRETRAINED)
    if (Path(model) / MANIFEST).is_file():
        return Path(model)
    if isinstance(model, os.PathLike) or Path(model).name != str(model):
        raise UserError(
            f"{model} is not the folder of a version; name one such as "
            "saved_models/any_occlusion/1, or a model's name."
        )
    return find_model(model, models_dir)


def _as_picture(picture, name, channel_order):
    """Any form of a picture, decoded."""
    if isinstance(picture, str | os.PathLike):
        return Picture(os.fspath(picture), read_picture(picture))
    if isinstance(picture, bytes):
        return Picture(name, decode_picture(picture, name))
    if isinstance(picture, Image.Image):
        return Picture(name, _from_pil(picture, name))
    if isinstance(picture, np.ndarray):
        return Picture(name, _from_array(picture, name, channel_order))
    raise UserError(
        f"{name} is of type {type(picture).__name__}; a path, the bytes of a picture file, a PIL "
        "image or a NumPy array is expected."
    )


def _from_pil(picture, name):
    if picture.mode.startswith(("I", "F")):
        raise UserError(
            f"{name} is a PIL image of mode {picture.mode}, whose range of values is not known; "
            "convert it to mode L or RGB, 0 to 255."
        )
    check_size(*picture.size, name)
    try:
        colours = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(
            f"{name} is a PIL image that cannot be decoded ({error}); open a whole picture file."
        ) from error
    return _from_array(colours, name, RGB)


def _from_array(array, name, channel_order):
    if array.dtype != np.uint8 or array.shape[2:] not in ((), (3,)) or array.ndim < 2:
        raise UserError(
            f"{name} is an array of {array.dtype} {list(array.shape)}; uint8 [H, W] (gray) or "
            "[H, W, 3] (colour) with values from 0 to 255 is expected."
        )
    height, width = array.shape[:2]
    if not array.size:
        raise UserError(f"{name} is empty, {height} x {width} pixels; at least 1 x 1 is expected.")
    check_size(width, height, name)
    if array.ndim == 2:
        return cv2.cvtColor(np.ascontiguousarray(array), cv2.COLOR_GRAY2BGR)
    return np.ascontiguousarray(array if channel_order == BGR else array[..., ::-1])
