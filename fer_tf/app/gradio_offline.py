"""Gradio, imported and started so that it sends nothing to the internet."""

import contextlib
import os

from fer_tf.errors import UserError

_OFFLINE = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}


def import_gradio():
    """Gradio, set up to send nothing.

    Raises:
        UserError: if it is not installed or cannot be imported.
    """
    os.environ.update(_OFFLINE)  # Gradio reads these when it is imported.
    advice = "install the extra named app: `pip install -e '.[app]'`"
    try:
        with no_proxies():  # Some proxies need packages that Gradio does not bring.
            import gradio
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "gradio":
            raise UserError(f"The page needs Gradio; {advice}.") from error
        raise UserError(f"Gradio cannot be imported ({error}); {advice}.") from error
    return gradio


@contextlib.contextmanager
def no_proxies():
    """Hide proxies from code that connects to this machine alone; --url may need them."""
    names = ("no_proxy", "NO_PROXY")
    before = {name: os.environ[name] for name in names if name in os.environ}
    os.environ.update(dict.fromkeys(names, "*"))
    try:
        yield
    finally:
        for name in names:
            del os.environ[name]
        os.environ.update(before)
