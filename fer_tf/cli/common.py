"""Options that several commands share, and what every command does before and after its work."""

import contextlib
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from fer_tf.terminal import silent_stderr

Databases = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[DATABASE]...",
        help="concat_db (upper half black), bconcat_db (lower half), eye_cdb (eyes), each with or "
        "without /CONFIG; all three when none is named.",
        show_default=False,
    ),
]
DataDir = Annotated[Path, typer.Option(help="The folder of the prepared databases.")]
RunsDir = Annotated[Path, typer.Option(help="The folder of the training runs.")]
ModelsDir = Annotated[Path, typer.Option(help="The folder of the combined models.")]
RunName = Annotated[
    str,
    typer.Option(
        "--recipe",
        help="Recipe of the runs with the changes to it, e.g. quick-no_attention or quick-seed1.",
    ),
]
ModelName = Annotated[str | None, typer.Option("--name", help="Name of the combined model.")]
Replace = Annotated[
    bool,
    typer.Option(
        help="Let a version of another database, config or recipe become the newest of its name."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DATA_DIR, RUNS_DIR, MODELS_DIR = Path("data/tfds"), Path("runs"), Path("saved_models")


@functools.cache
def load_tensorflow() -> None:
    """Import TensorFlow without the lines that it always writes to standard error.

    TensorFlow writes four lines at each start, one of them an error where there is no GPU
    (tensorflow#100442). To see why a GPU is not found, set TF_CPP_MIN_LOG_LEVEL=0.
    """
    quiet = "TF_CPP_MIN_LOG_LEVEL" not in os.environ
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silent_stderr() if quiet else contextlib.nullcontext():
        import joblib
        import tensorflow as tf

        from fer_tf.training.strategies import grow_memory

        gpus = grow_memory()
        if quiet:  # TensorFlow warns that each network is traced again.
            tf.get_logger().setLevel("ERROR")
    devices = {0: f"CPU, {joblib.cpu_count()} cores", 1: "1 GPU"}.get(gpus, f"{gpus} GPUs")
    typer.echo(f"TensorFlow {tf.__version__} on {devices}", err=True)


@contextlib.contextmanager
def interruptible(sentence: str) -> Iterator[None]:
    """End the command with status 130 and a sentence where the user presses Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"\n{sentence}", err=True)
        raise typer.Exit(130) from None


def suggest(command: str) -> None:
    """Print the command that a user types next."""
    typer.echo(f"Next: {command}")
