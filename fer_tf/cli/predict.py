"""Commands that ask a model on this machine about photographs."""

from pathlib import Path
from typing import Annotated

import typer

from fer_tf.cli.common import MODELS_DIR, AsJson, ModelName, ModelsDir, load_tensorflow
from fer_tf.errors import UserError
from fer_tf.terminal import console


def predict(
    photos: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PHOTO...",
            help="Pictures, videos, folders of them, or patterns in quotes: 'holiday/**/*.jpg'.",
            show_default=False,
        ),
    ] = None,
    name: ModelName = None,
    as_json: AsJson = False,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a table, a row for each face.")
    ] = None,
    annotate: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER|FILE.mp4",
            help="Also write the pictures with the answers drawn in; FILE.mp4 for one video, whose "
            "frames it shows as --every chooses them.",
        ),
    ] = None,
    attention: Annotated[
        bool,
        typer.Option(
            "--attention",
            help="Colour in the pictures of --annotate what the subnet on the path taken weighs "
            "more than on the face's mean.",
        ),
    ] = False,
    every: Annotated[
        int, typer.Option(min=1, help="Look at one in so many frames of a video or camera.")
    ] = 10,
    camera: Annotated[
        int | None, typer.Option(min=0, help="Look through a camera; 0 is the first.")
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(min=1, help="Look at so many frames of a camera, not until Ctrl-C."),
    ] = None,
    models_dir: ModelsDir = MODELS_DIR,
    runtime: Annotated[
        str,
        typer.Option(
            metavar="litert|tensorflow",
            help="What runs the networks; by default LiteRT, which needs no TensorFlow, where the "
            "model has a file for it.",
            show_default=False,
        ),
    ] = "auto",
):
    """Find the faces in photographs, videos or before a camera and name their expressions."""
    from fer_tf.inference.predict_photos import PredictOptions, predict_photos

    options = PredictOptions(
        photos=photos or (),
        name=name,
        as_json=as_json,
        csv=csv,
        annotated=annotate,
        attention=attention,
        every=every,
        camera=camera,
        frames=frames,
        models_dir=models_dir,
        runtime=runtime,
    )
    summary = predict_photos(options, load_tensorflow)
    for sentence in summary.sentences:
        typer.echo(sentence, err=as_json)
    if summary.failure:
        raise UserError(summary.failure)
    if summary.interrupted:
        typer.echo("Interrupted; the files that were not reached are missing.", err=True)
        raise typer.Exit(130)


def evaluate_photos(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="Holds a sub-folder of photographs for each expression: Happiness, Normal, "
            "Sadness, Anger, Fear, Disgust, Surprise (or happy, neutral and so on); not all are "
            "needed.",
        ),
    ],
    figure: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="Also draw the faces with the answers, green where right, red where wrong (the "
            "paper's Fig. 7); at most 8 of each expression.",
        ),
    ] = None,
    name: ModelName = None,
    models_dir: ModelsDir = MODELS_DIR,
):
    """Measure a model on photographs of your own, sorted into folders FOLDER/Happiness/ and so on.

    Where several faces are found in a photograph the largest counts. `predict` prints the answer to
    each photograph.
    """
    from fer_tf.inference import evaluate_photos as photos

    evaluation = photos.evaluate_photos(folder, figure, name, models_dir, load_tensorflow)
    console().print(evaluation.table)
    for sentence in evaluation.sentences:
        typer.echo(sentence)
    if evaluation.failure:
        raise UserError(evaluation.failure)
