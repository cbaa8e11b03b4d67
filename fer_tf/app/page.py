"""A page in the browser on which a model answers for a picture: `python cli.py app`."""

import functools
import ipaddress
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2

from fer_tf.app.answers import MOST_BYTES, PictureWithFaces, answer, look_at, read_upload
from fer_tf.app.example_pictures import drawn_examples, example_pictures
from fer_tf.app.gradio_offline import import_gradio, no_proxies
from fer_tf.app.html import STYLE, description, hint, problem, results
from fer_tf.app.models import TRAINED_ON_DRAWN, Models
from fer_tf.errors import UserError

TITLE = "Facial expressions of partly covered faces"

KEPT_SECONDS = 600
"""How long the faces of the last picture stay in memory, for further questions."""

_HINT = "Drop a picture, take one with the camera or choose an example; the answers appear here."


def serve(models: Models, host: str, port: int, say: Callable[[str], None]) -> None:
    """Open the page until Ctrl-C; nothing leaves the machine and no picture stays on it.

    Args:
        models: the models that the page offers.
        host: address to listen at; other machines reach any but 127.0.0.1.
        port: port to listen at.
        say: a function that prints a line, e.g. the page's address.

    Raises:
        UserError: if Gradio is missing or the page cannot listen at the address.
    """
    import_gradio()
    with tempfile.TemporaryDirectory(prefix="fer_tf-page-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        page = build(models)
        url = launch(page, host, port)
        say(f"Open {url} in a browser on this machine; Ctrl-C ends the page.")
        if not _is_loopback(host):
            say(f"Note: whoever reaches {host}:{port} can ask the models; there is no password.")
        # The page also tidies up when a supervisor ends it.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            page.block_thread()
        finally:
            page.close(verbose=False)


def launch(page, host: str, port: int) -> str:
    """Start the page's server in threads of its own; return the page's address.

    Raises:
        UserError: if it cannot listen at the host and port.
    """
    try:
        with no_proxies():  # Gradio connects to the page to see whether it has started.
            _, url, _ = page.launch(
                server_name=host,
                server_port=port,
                share=False,
                quiet=True,
                prevent_thread_lock=True,
                max_file_size=MOST_BYTES,
                footer_links=[],
                run_history=False,
                ssr_mode=False,
                pwa=False,
                mcp_server=False,
                enable_monitoring=False,
                css=STYLE,
            )
    except OSError as error:
        raise UserError(
            f"The page cannot be opened at {host}:{port}; another program may listen there: choose "
            "another --port, or correct --host."
        ) from error
    return url


def build(models: Models):
    """The page, a `gradio.Blocks`; its answers come from `look`, `ask` and `about`."""
    gr = import_gradio()
    examples = example_pictures() | drawn_examples()

    def list_models(current):
        try:
            names = models.names()
        except UserError as error:
            return gr.Radio(choices=[], visible=False), problem(str(error))
        name = current if current in names else names[0]
        return gr.Radio(choices=names, value=name, visible=True), about(models, name)

    def take(upload, name):
        if upload is None:
            return None, gr.skip(), gr.skip(), gr.skip(), gr.skip()
        # The field is emptied: the file is gone, and the next picture can be dropped there.
        return None, *shown_with_faces(*look(models, name, upload)), None

    def take_example(example, name):
        data = cv2.imencode(".png", examples[example])[1].tobytes()
        picture = look_at(data, example)
        return shown_with_faces(picture, ask(models, name, picture, 0))

    def shown_with_faces(picture, html):
        count = len(picture.faces) if picture else 0
        numbers = [(f"Face {number + 1}", number) for number in range(count)]
        return picture, gr.Radio(choices=numbers, value=0, visible=count > 1), html

    def ask_again(picture, name, number):
        return ask(models, name, picture, number or 0) if picture else hint(_HINT)

    with gr.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=(60, 60), fill_width=True
    ) as page:
        gr.Markdown(f"# {TITLE}")
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                upload = gr.Image(
                    label="Picture",
                    sources=["upload", "webcam"],
                    type="filepath",
                    height=240,
                    buttons=[],
                )
                # `look` gets the file as it came, and reports a file that is no picture. A subclass
                # would do the same, but Gradio would write a stub file beside this module. No
                # handler may return an update of this component, which would undo this line.
                upload.preprocess = functools.partial(uploaded, Path(upload.GRADIO_CACHE))
                example = gr.Radio(label="Or an example", choices=list(examples), interactive=True)
                model = gr.Radio(label="Model to ask", choices=[], interactive=True)
                description_of_model = gr.HTML()
                face = gr.Radio(
                    label="Face to cover, the largest first",
                    choices=[],
                    visible=False,
                    interactive=True,
                )
            with gr.Column(scale=3, min_width=280):
                answers = gr.HTML(hint(_HINT))
        picture = gr.State(time_to_live=KEPT_SECONDS)
        hidden = {"api_visibility": "private"}
        page.load(list_models, model, [model, description_of_model], **hidden)
        upload.change(take, [upload, model], [upload, picture, face, answers, example], **hidden)
        example.input(take_example, [example, model], [picture, face, answers], **hidden)
        face.input(ask_again, [picture, model, face], answers, **hidden)
        model.input(lambda name: about(models, name), model, description_of_model, **hidden)
        model.input(ask_again, [picture, model, face], answers, **hidden)
    return page


def uploaded(folder: Path, payload) -> Path | None:
    """The file that a request names, which is to be read and removed.

    Args:
        folder: where uploads are.
        payload: a `gradio.FileData` or None.

    Returns:
        None where the request names no file, or one that is gone or outside the folder: Gradio lets
        a forged request name any file of this machine.
    """
    if payload is None or not payload.path:
        return None
    path = Path(payload.path).resolve()
    return path if path.is_relative_to(folder.resolve()) and path.is_file() else None


def about(models: Models, name: str) -> str:
    """What a model was trained on and how good it is, as HTML."""
    try:
        return description(models.describe(name), TRAINED_ON_DRAWN)
    except UserError as error:
        return problem(str(error))


def look(models: Models, name: str | None, upload: Path) -> tuple[PictureWithFaces | None, str]:
    """Read an upload, remove it, and predict its faces, the largest with each mask.

    Args:
        models: the models that the page offers.
        name: the model's; None for the first model.
        upload: the file.

    Returns:
        The picture, None if the file is none; the answers or what went wrong, as HTML.
    """
    try:
        picture = read_upload(upload)
    except UserError as error:
        return None, problem(str(error))
    return picture, ask(models, name, picture, 0)


def ask(models: Models, name: str | None, picture: PictureWithFaces, chosen: int) -> str:
    """Predict a picture, see `look`; return the answers or what went wrong, as HTML."""
    try:
        name = name or models.names()[0]
        predictions, answers = answer(models, name, picture, chosen)
        return results(picture, predictions, answers, chosen, models.occlusion(name))
    except UserError as error:
        return problem(str(error))


def _is_loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
