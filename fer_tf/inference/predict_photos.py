"""What a user asks `predict` to do, checked, and the predictions on their way to the outputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_tf.errors import UserError
from fer_tf.export.model_card import named_with_accuracy
from fer_tf.faces import pictures
from fer_tf.faces.picture_files import find_files, left_out
from fer_tf.inference.outputs import Outputs, count_frames, progress_bar
from fer_tf.inference.predict import AUTO, ExpressionModel, check_runtime, find_model
from fer_tf.inference.tracking import track


@dataclass(frozen=True)
class PredictOptions:
    """Which pictures are predicted, by which model, and where the predictions go.

    Attributes:
        photos: pictures, videos, folders of them, or patterns; empty for a camera.
        name: of the model, see `fer_tf.inference.predict.find_model`.
        as_json: whether JSON is printed instead of a table.
        csv: a table to write, or None.
        annotated: a folder for pictures with the predictions drawn in, or a file named .mp4 where
            one video is predicted, or None.
        attention: whether these pictures also show the networks' attention.
        every: a video's or camera's frames are predicted one in so many.
        camera: its number, or None for files.
        frames: how many frames of a camera are predicted; None: until Ctrl-C.
        models_dir: where models are found.
        runtime: see `fer_tf.inference.predict.check_runtime`.

    Raises:
        UserError: if two options exclude each other, or one needs another.
    """

    photos: Sequence[str]
    name: str | None
    as_json: bool
    csv: Path | None
    annotated: Path | None
    attention: bool
    every: int
    camera: int | None
    frames: int | None
    models_dir: Path
    runtime: str = AUTO

    def __post_init__(self):
        if bool(self.photos) == (self.camera is not None):
            raise UserError("Name pictures, videos or folders, or a camera with --camera 0.")
        if self.attention and not self.annotated:
            raise UserError("--attention colours the pictures of --annotate FOLDER; give both.")


@dataclass(frozen=True)
class PredictionSummary:
    """What `predict_photos` did besides printing and writing the predictions.

    Attributes:
        sentences: by which model, what was written, which files were left out.
        failure: a sentence on the files that could not be read, or None.
        interrupted: whether Ctrl-C was pressed before all files were reached.
    """

    sentences: list[str]
    failure: str | None
    interrupted: bool


def predict_photos(
    options: PredictOptions, load_tensorflow: Callable[[], None]
) -> PredictionSummary:
    """Predicts the faces in pictures, videos or before a camera; prints and writes as it goes.

    Args:
        options: which pictures, by which model, and where the predictions go.
        load_tensorflow: imports TensorFlow; called where the model needs it, once the files and
            the model have been found.

    Raises:
        UserError: if there is no such model, a named file does not exist, or an output cannot be
            written.
    """
    failures, skipped = {}, []
    files = find_files(options.photos, skipped)
    version = find_model(options.name, options.models_dir)
    needs_tensorflow = check_runtime(version, options.runtime)
    written = (options.csv, options.annotated)
    with Outputs(options.as_json, *written, files, options.every) as outputs:
        if needs_tensorflow:
            load_tensorflow()
        with progress_bar(files, options.as_json) as bar:
            if options.camera is None:
                tracked = bar.track(files, description="Files")
                images = pictures.read_files(tracked, options.every, failures)
                images = count_frames(images, bar)
            else:
                images = pictures.read_camera(
                    options.camera, options.frames, options.every, failures
                )
            model = ExpressionModel(version, options.runtime)
            interrupted = outputs.take(track(model.predict(images, options.attention)))
    sentences = [
        f"Answered by {named_with_accuracy(version)}",
        *outputs.written(),
        *left_out(skipped),
    ]
    if options.attention:
        sentences.append(_attention_sentence(model.has_attention))
    failure = pictures.summary(failures, len(files) or 1) if failures else None
    return PredictionSummary(sentences, failure, interrupted and options.camera is None)


def _attention_sentence(has_attention):
    if has_attention:
        return "In magenta: what the subnet on each path weighs more than on the face's mean."
    return (
        "No attention is drawn: the model does not tell it. One that is combined anew does, "
        "`python cli.py combine`, unless its networks have none."
    )
