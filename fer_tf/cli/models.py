"""The command that combines trained networks into SavedModels."""

from typing import Annotated

import typer

from fer_tf.cli.common import (
    DATA_DIR,
    MODELS_DIR,
    RUNS_DIR,
    DataDir,
    ModelName,
    ModelsDir,
    Replace,
    RunName,
    RunsDir,
    load_tensorflow,
    suggest,
)


def combine(
    databases: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DATABASE]...",
            help="concat_db, bconcat_db, eye_cdb or uncovered, each with or without /CONFIG: one "
            "model for each; by default of the first three. any_occlusion, with or without "
            "/CONFIG: one model of all databases and OcclusionNet, which recognises what is "
            "covered.",
            show_default=False,
        ),
    ] = None,
    recipe: RunName = "quick",
    name: ModelName = None,
    replace: Replace = False,
    data_dir: DataDir = DATA_DIR,
    runs_dir: RunsDir = RUNS_DIR,
    models_dir: ModelsDir = MODELS_DIR,
    precision: Annotated[
        str,
        typer.Option(
            help="float32, or bfloat16 for the convolutions, which is faster on CPUs that have "
            "bfloat16; such a model needs TensorFlow."
        ),
    ] = "float32",
    weights: Annotated[
        str,
        typer.Option(help="Precision of the stored weights: float32, or float16, half the size."),
    ] = "float32",
    mirrored: Annotated[
        bool,
        typer.Option(
            "--mirrored",
            help="Average each answer with that for the mirror image, at twice the work.",
        ),
    ] = False,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            help="Also write the all-paths form for onnx, litert or openvino; may be repeated.",
            show_default=False,
        ),
    ] = None,
):
    """Combine four trained networks, or those of all occlusions, into ONE SavedModel."""
    from fer_tf.export.combine_models import CombineOptions
    from fer_tf.export.contract import ExportOptions

    options = CombineOptions(
        database_names=databases or (),
        run_name=recipe,
        name=name,
        replace=replace,
        data_dir=data_dir,
        runs_dir=runs_dir,
        models_dir=models_dir,
        export=ExportOptions(precision, weights, mirrored),
        formats=formats or (),
    )
    combine_and_suggest(options)


def combine_and_suggest(options) -> None:
    """Combine networks and print the command that a user types next.

    Args:
        options: a `fer_tf.export.combine_models.CombineOptions`.
    """
    from fer_tf.export.combine_models import combine_models

    databases = combine_models(options, load_tensorflow, typer.echo)
    if options.is_any_occlusion:
        suggest(f"python cli.py predict PHOTO... --name {options.folder_name(databases[0])}")
    else:
        names = " ".join(map(str, databases))
        suggest(f"python cli.py evaluate {names} --recipe {options.run_name}")
