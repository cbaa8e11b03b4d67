"""Commands that configure a server, query it, and open the page in the browser."""

import json
from pathlib import Path
from typing import Annotated

import typer

from fer_tf.cli.common import (
    MODELS_DIR,
    AsJson,
    ModelName,
    ModelsDir,
    load_tensorflow,
    suggest,
)
from fer_tf.errors import UserError
from fer_tf.terminal import console


def serve_config(
    stable: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VERSION",
            help="Version that label stable names; by default the one that it names already, else "
            "the newest.",
        ),
    ] = None,
    canary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VERSION", help="Version that label canary names; by default the newest."
        ),
    ] = None,
    batching: Annotated[
        bool | None,
        typer.Option(
            help="Let the server join requests into batches; by default the earlier setting stays, "
            "at first off.",
            show_default=False,
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Overwrite files that were edited by hand.")
    ] = False,
    models_dir: ModelsDir = MODELS_DIR,
):
    """Write TensorFlow Serving's files into saved_models/; print the command that starts it."""
    from fer_tf.serving.configure import configure

    labels = _versions("--stable", stable), _versions("--canary", canary)
    configured = configure(models_dir, *labels, batching, replace)
    for sentence in configured.sentences:
        typer.echo(sentence)
    suggest(configured.command)
    if configured.failure:
        raise UserError(configured.failure)


def query(
    photos: Annotated[list[Path], typer.Argument(help="Picture files.")],
    url: Annotated[str, typer.Option(help="The server's REST address.")] = "http://localhost:8501",
    name: ModelName = None,
    version: Annotated[
        str | None,
        typer.Option(
            help="A version's number or label (stable, canary); by default the newest loaded one.",
            show_default=False,
        ),
    ] = None,
    signature: Annotated[
        str, typer.Option(help="Signature to use: serving_default, serving_bytes or all_paths.")
    ] = "serving_default",
    occlusion: Annotated[
        str | None,
        typer.Option(
            help="eyes: cover the eyes before sending; none: do not. By default eyes for models "
            "named eye_cdb..., because a server does not report how its models were trained.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds to wait for an answer.")] = 30,
    as_json: AsJson = False,
):
    """Find the faces in photographs and have a running server name their expressions."""
    from fer_tf.inference import remote
    from fer_tf.inference.outputs import predictions_table
    from fer_tf.serving.rest_client import Server

    server = Server(url, timeout)
    name = name or server.find_model()
    predictions, is_covered = remote.query(photos, server, name, version, signature, occlusion)
    if as_json:
        typer.echo(json.dumps([prediction.to_dict() for prediction in predictions], indent=1))
        return
    console().print(predictions_table(predictions))
    eyes = "eyes covered before sending" if is_covered else "faces sent as they are"
    typer.echo(f"Answered by {name} at {url}, {eyes}")


def open_page(
    models_dir: ModelsDir = MODELS_DIR,
    url: Annotated[
        str | None,
        typer.Option(
            help="REST address of a TensorFlow Serving whose models replace those of --models-dir.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 lets other machines connect.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 7860,
):
    """Open a page in the browser that names the expressions in a picture, with each mask."""
    from fer_tf.app.models import LocalModels, ServedModels
    from fer_tf.app.page import import_gradio, serve
    from fer_tf.serving.rest_client import Server

    models = ServedModels(Server(url)) if url else LocalModels(models_dir)
    models.names()  # Missing models and packages are refused before anything is loaded.
    import_gradio()
    if not url and models.need_tensorflow():
        load_tensorflow()
    serve(models, host, port, typer.echo)


def _versions(option, pairs):
    """Model -> version from NAME=VERSION."""
    versions = {}
    for pair in pairs or ():
        name, _, version = pair.rpartition("=")
        if not name or not version.isdecimal():
            raise UserError(f"{option} got {pair!r}; NAME=VERSION is expected, e.g. concat_db=2.")
        versions[name] = int(version)
    return versions
