"""A client of TensorFlow Serving's REST API; each failure is a sentence on cause and remedy.

The API: https://www.tensorflow.org/tfx/serving/api_rest.
"""

import base64
import contextlib
import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request

import cv2
import numpy as np

from fer_tf.errors import UserError
from fer_tf.occlusion.kinds import ANY_OCCLUSION, DATABASES
from fer_tf.serving import server_answers
from fer_tf.serving.server_errors import (
    SIGNATURE_MISSING,
    explain,
    explain_unreachable,
    plain,
    short,
)


class Server:
    """The REST API of a running TensorFlow Serving.

    Args:
        url: its address, e.g. "http://localhost:8501".
        timeout: seconds to wait for each answer.

    Raises:
        UserError: if `url` is no such address.
    """

    def __init__(self, url: str, timeout: float = 30):
        try:
            parts = urllib.parse.urlsplit(url)
            valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:  # e.g. a port that is no number
            valid = False
        if not valid:
            raise UserError(
                f"--url got {url!r}; http://HOST:PORT is expected, e.g. http://localhost:8501."
            )
        base, separator, path = url.partition("/v1/models/")
        if separator:
            raise UserError(
                f"--url got the address of a model; give the server's, --url {base}, and its name, "
                f"--name {re.split('[/:]', path)[0]}."
            )
        self.url = url.rstrip("/").removesuffix("/v1")
        self.timeout = timeout

    def find_model(self) -> str:
        """The model for any face if it is served, else the only model that is served.

        Raises:
            UserError: if there is none, or several and none that recognises the occlusion itself.
        """
        names = self.find_models()
        if ANY_OCCLUSION in names:
            return ANY_OCCLUSION
        if len(names) != 1:
            what = f"{', '.join(names)}; choose one" if names else "none of our databases' names"
            raise UserError(f"{self.url} serves {what}; name the model with --name.")
        return names[0]

    def find_models(self) -> list[str]:
        """The models served under this program's names, the one for any face first."""
        names = []
        for name in (ANY_OCCLUSION, *DATABASES):
            with contextlib.suppress(ServerRefusal):
                server_answers.states(self.request(model_path(name, None)), self.url)
                names.append(name)
        return names

    def check_available(self, model: str) -> None:
        """Check that a model answers requests.

        Args:
            model: its path under `/v1/`, see `model_path`.

        Raises:
            UserError: if no version meant by the path is AVAILABLE, with the server's reason.
        """
        # A server lists the states of all versions, also for the path of a label. It sends metadata
        # of the label's version if that is loaded.
        name, _, label = model.partition("/labels/")
        versions = server_answers.states(self.request(name), self.url)
        states = {version.state for version in versions.values()}
        if label:
            try:
                self.request(f"{model}/metadata")
                return
            except ServerRefusal as error:
                if "AVAILABLE" in states and "Servable not found" not in str(error):
                    raise
        elif "AVAILABLE" in states:
            return
        reason = next((f" ({each.error})" for each in versions.values() if each.error), "")
        listing = ", ".join(f"version {v} {each.state}" for v, each in versions.items())
        advice = "look at the server's log and restore the version"
        if {"START", "LOADING"} & states and not reason:
            advice = "wait a moment and try again"
        what = f"label {label} not on an AVAILABLE one" if label else "none AVAILABLE"
        raise UserError(f"{name} at {self.url} has {listing}{reason}, {what}; {advice}.")

    def predict(self, model: str, signature: str, images: np.ndarray) -> dict[str, list]:
        """Request predictions for face squares.

        Args:
            model: its path under `/v1/`, see `model_path`.
            signature: one of `SIGNATURES`, or `fer_tf.export.contract.ATTENTION`.
            images: uint8 [N, 48, 48], N at least 1.

        Returns:
            Output name -> N values, see `fer_tf.export.signatures.write_saved_model`, checked by
            `fer_tf.serving.server_answers.predictions`.

        Raises:
            SignatureMissing: if the model has no such signature.
            UserError: if there is no image, or for any other failure.
        """
        if not len(images):  # A server that joins requests into batches would never answer.
            raise UserError(f"{model} at {self.url} takes at least one face in a request.")
        if signature == "serving_bytes":
            files = [cv2.imencode(".png", image)[1].tobytes() for image in images]
            rows = [{"b64": base64.b64encode(file).decode()} for file in files]
        else:
            rows = images[..., np.newaxis].tolist()
        answer = self.request(f"{model}:predict", {"signature_name": signature, "instances": rows})
        try:
            return server_answers.predictions(answer, signature, len(images))
        except server_answers.AnswerError as error:
            raise UserError(
                f"{model} at {self.url} {error}: it is no model made by `python cli.py combine`; "
                "name another with --name."
            ) from error

    def request(self, path: str, body: dict | None = None) -> dict:
        """Send a GET request, or a POST request if there is a body; return the answer's JSON.

        Args:
            path: the path under `/v1/`.
            body: the JSON to send.

        Raises:
            ServerRefusal: if the server answers with an error of its own.
            UserError: if it cannot be reached or another program answers.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/v1/{path}", data, {"Content-Type": "application/json"}
        )
        try:
            try:
                response = urllib.request.urlopen(request, timeout=self.timeout)
            except urllib.error.HTTPError as error:
                response = error  # An answer like any other, of status 300 or more.
            with response:
                status, data = response.status, response.read()
        except (
            OSError,
            http.client.HTTPException,
            ValueError,
        ) as error:  # ValueError: a bad proxy.
            cause = error.reason if isinstance(error, urllib.error.URLError) else error
            raise UserError(explain_unreachable(self.url, self.timeout, cause)) from error
        answer = self._parse(data, status)
        if status >= 300:
            message = answer.get("error", answer) if isinstance(answer, dict) else answer
            message = plain(str(message))
            kind = SignatureMissing if re.search(SIGNATURE_MISSING, message) else ServerRefusal
            raise kind(f"{self.url} answers {short(message)!r} to {path}: {explain(message)}.")
        return answer

    def _parse(self, data, status):
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            text = data.decode(errors="replace")
            # TensorFlow Serving escapes its errors as C does, \\' among others, which JSON forbids.
            if quoted := re.fullmatch(r'\s*{\s*"error":\s*"(.*)"\s*}\s*', text, re.DOTALL):
                return {"error": quoted[1].replace("\\'", "'").replace('\\"', '"')}
            title = re.search(r"<title>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
            what = f"a page titled {short(title[1])!r}" if title else repr(short(text))
            raise UserError(
                f"{self.url} answers HTTP {status} with {what}, not JSON: another program, perhaps "
                "a proxy, answers there; give the address of the server itself, or set no_proxy."
            ) from error


class ServerRefusal(UserError):
    """The server itself refused a request."""


class SignatureMissing(ServerRefusal):
    """The model has no signature of this name."""


def model_path(name: str, version: str | None) -> str:
    """The path of a model under `/v1/`; `version` is a number, a label, or None: the newest."""
    path = f"models/{urllib.parse.quote(name, safe='')}"
    if version is None:
        return path
    kind = "versions" if version.isdecimal() else "labels"
    return f"{path}/{kind}/{urllib.parse.quote(version, safe='')}"
