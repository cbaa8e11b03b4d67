"""A page in the browser on which a model is asked about a picture: `python cli.py app`."""

import contextlib
import functools
import ipaddress
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2

from fer_tf.app.answers import MOST_BYTES, Seen, answer, look_at, read_upload
from fer_tf.app.example_pictures import drawn_examples, example_pictures
from fer_tf.app.html import STYLE, description, hint, problem, results
from fer_tf.app.models import TRAINED_ON_DRAWN, Models
from fer_tf.errors import UserError

TITLE = "Facial expressions of partly covered faces"

KEPT_SECONDS = 600
"""How long the faces of the last picture stay in memory, to be asked about again."""

_HINT = "Drop a picture, take one with the camera or choose an example; the answers appear here."
_OFFLINE = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}


def serve(models: Models, host: str, port: int, say: Callable[[str], None]) -> None:
    """Opens the page until Ctrl-C; nothing leaves the machine and no picture stays on it.

    Args:
        models: whom to ask.
        host: address to listen at; other machines reach any but 127.0.0.1.
        port: to listen at.
        say: is told the page's address.

    Raises:
        UserError: Gradio is missing or the address cannot be listened at.
    """
    import_gradio()
    with tempfile.TemporaryDirectory(prefix="fer_tf-page-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        page = build(models)
        url = launch(page, host, port)
        say(f"Open {url} in a browser on this machine; Ctrl-C ends the page.")
        if not _is_loopback(host):
            say(f"Note: whoever reaches {host}:{port} can ask the models; there is no password.")
        # Ended by a supervisor it tidies up as after Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            page.block_thread()
        finally:
            page.close(verbose=False)


def launch(page, host: str, port: int) -> str:
    """Starts the page's server beside the caller.

    Args:
        page: of `build`.
        host: address to listen at.
        port: to listen at.

    Returns:
        The page's address.

    Raises:
        UserError: it cannot listen there.
    """
    try:
        with _no_proxies():  # It asks itself whether it is there.
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
    """The page, a `gradio.Blocks`, whose answers come from `look`, `ask` and `about`."""
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
        # The upload is emptied: its file is gone, and the next picture can be dropped there.
        return None, *shown_with_faces(*look(models, name, upload)), None

    def take_example(example, name):
        data = cv2.imencode(".png", examples[example])[1].tobytes()
        seen = look_at(data, example)
        return shown_with_faces(seen, ask(models, name, seen, 0))

    def shown_with_faces(seen, html):
        count = len(seen.faces) if seen else 0
        numbers = [(f"Face {number + 1}", number) for number in range(count)]
        return seen, gr.Radio(choices=numbers, value=0, visible=count > 1), html

    def again(seen, name, number):
        return ask(models, name, seen, number or 0) if seen else hint(_HINT)

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
                # The file as it came: reading it, and telling that it is no picture, is ours. Not
                # by a subclass, for which Gradio would write a stub file beside this module. It
                # holds as long as no handler returns an update of this component.
                upload.preprocess = functools.partial(uploaded, Path(upload.GRADIO_CACHE))
                example = gr.Radio(label="Or an example", choices=list(examples), interactive=True)
                model = gr.Radio(label="Model to ask", choices=[], interactive=True)
                told = gr.HTML()
                face = gr.Radio(
                    label="Face to cover, the largest first",
                    choices=[],
                    visible=False,
                    interactive=True,
                )
            with gr.Column(scale=3, min_width=280):
                shown = gr.HTML(hint(_HINT))
        seen = gr.State(time_to_live=KEPT_SECONDS)
        hidden = {"api_visibility": "private"}
        page.load(list_models, model, [model, told], **hidden)
        upload.change(take, [upload, model], [upload, seen, face, shown, example], **hidden)
        example.input(take_example, [example, model], [seen, face, shown], **hidden)
        face.input(again, [seen, model, face], shown, **hidden)
        model.input(lambda name: about(models, name), model, told, **hidden)
        model.input(again, [seen, model, face], shown, **hidden)
    return page


def uploaded(folder: Path, payload) -> Path | None:
    """The file that a request speaks of, which is read and removed.

    Args:
        folder: where uploads are.
        payload: a `gradio.FileData` or None.

    Returns:
        None where there is none, it is gone, or it lies elsewhere: Gradio lets a forged request
        name any file of this machine.
    """
    if payload is None or not payload.path:
        return None
    path = Path(payload.path).resolve()
    return path if path.is_relative_to(folder.resolve()) and path.is_file() else None


def about(models: Models, name: str) -> str:
    """What a model was trained on, as HTML."""
    try:
        return description(models.describe(name), TRAINED_ON_DRAWN)
    except UserError as error:
        return problem(str(error))


def look(models: Models, name: str | None, upload: Path) -> tuple[Seen | None, str]:
    """Reads an upload, removes it, and asks about its largest face.

    Args:
        models: whom to ask.
        name: of the model; None where there is none.
        upload: the file.

    Returns:
        What was seen, None if it is no picture; the answers or what went wrong, as HTML.
    """
    try:
        seen = read_upload(upload)
    except UserError as error:
        return None, problem(str(error))
    return seen, ask(models, name, seen, 0)


def ask(models: Models, name: str | None, seen: Seen, chosen: int) -> str:
    """Asks about a picture that was read; the answers or what went wrong, as HTML."""
    try:
        name = name or models.names()[0]
        predictions, answers = answer(models, name, seen, chosen)
        return results(seen, predictions, answers, chosen, models.occlusion(name))
    except UserError as error:
        return problem(str(error))


def import_gradio():
    """Gradio, told to send nothing.

    Raises:
        UserError: it is not installed or cannot be imported.
    """
    os.environ.update(_OFFLINE)  # Read when it is imported.
    advice = "install the extra named app: `pip install -e '.[app]'`"
    try:
        with _no_proxies():  # Some need packages that it does not bring.
            import gradio
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "gradio":
            raise UserError(f"The page needs Gradio; {advice}.") from error
        raise UserError(f"Gradio cannot be imported ({error}); {advice}.") from error
    return gradio


@contextlib.contextmanager
def _no_proxies():
    """Hides proxies from what asks this machine alone; a server of --url may need them."""
    names = ("no_proxy", "NO_PROXY")
    before = {name: os.environ[name] for name in names if name in os.environ}
    os.environ.update(dict.fromkeys(names, "*"))
    try:
        yield
    finally:
        for name in names:
            del os.environ[name]
        os.environ.update(before)


def _is_loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
