"""The command line: each command parses its options, calls a function of `fer_tf` and prints.

A module for each group of commands. It imports from all folders, and nothing imports from it.
TensorFlow is imported by the commands, not here, so that help is instant.
"""

import errno
import os
import sys

import typer

from fer_tf.errors import UserError
from fer_tf.terminal import prepare_streams

# On CPUs oneDNN alone differentiates grouped convolutions (fer_tf/models/layers/grouped_conv2d.py).
# TensorFlow reads this when it is imported.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# OpenCV prints lines of its own about pictures that the readers refuse with a sentence.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # The same for videos.
# What other projects set up for Keras must not change these networks: the backend, and in a
# keras.json the float type, the image data format and the epsilon. No such file lies below devnull.
os.environ |= {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": os.devnull}
for limit in ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH"):
    os.environ.pop(limit, None)

from fer_tf.cli import data, evaluate, models, predict, serve, train  # noqa: E402

_TRAIN = frozenset(
    "importlib_resources joblib keras matplotlib scipy sklearn tensorboard tensorflow "
    "tensorflow_datasets tensorflow_serving".split()
)
"""The packages that come with the extra `train`, as they are imported."""

app = typer.Typer(
    help="Facial expression recognition for partly covered faces.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    *(data.build_datasets, data.inspect, train.train, models.combine),
    *(evaluate.evaluate, evaluate.reproduce, predict.predict, predict.evaluate_photos),
    *(serve.serve_config, serve.query),
):
    app.command()(command)
app.command("app")(serve.open_page)


def main() -> None:
    """Run the app; a mistake that the user can mend ends as one sentence, not as a traceback."""
    prepare_streams()
    try:
        app()
    except UserError as error:
        _fail(str(error))
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _TRAIN:
            raise
        _fail(
            f"This command needs packages that are not installed, {package} among them; install "
            'the extra named train: pip install "fer_tf[train]"'
        )
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        sentence = error.strerror or str(error)
        if error.filename:
            sentence += f": {error.filename}"
        if error.errno == errno.ENOSPC:
            sentence += "; make room, then give the same command again"
        _fail(sentence)


def _fail(sentence):
    typer.echo(f"Error: {sentence}", err=True)
    sys.exit(1)
