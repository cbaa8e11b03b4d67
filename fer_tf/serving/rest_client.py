"""A client of TensorFlow Serving's REST API whose every failure is one sentence that helps.

The API: https://www.tensorflow.org/tfx/serving/api_rest.
"""

import base64
import contextlib
import http.client
import json
import re
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request

import cv2
import numpy as np

from fer_tf.errors import UserError
from fer_tf.occlusion.kinds import ANY_OCCLUSION, DATABASES
from fer_tf.serving import server_answers
from fer_tf.serving.server_errors import SIGNATURE_MISSING, explain, plain, short


class Server:
    """A TensorFlow Serving's REST API.

    Args:
        url: where it is, e.g. "http://localhost:8501".
        timeout: seconds to wait for each answer.

    Raises:
        UserError: if `url` is no such address.
    """

    def __init__(self, url: str, timeout: float = 30):
        try:
            parts = urllib.parse.urlsplit(url)
            right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:  # e.g. a port that is no number
            right = False
        if not right:
            raise UserError(
                f"--url got {url!r}; http://HOST:PORT is expected, e.g. http://localhost:8501."
            )
        base, of_model, path = url.partition("/v1/models/")
        if of_model:
            raise UserError(
                f"--url got the address of a model; give the server's, --url {base}, and its name, "
                f"--name {re.split('[/:]', path)[0]}."
            )
        self.url = url.rstrip("/").removesuffix("/v1")
        self.timeout = timeout

    def find_model(self) -> str:
        """The only one of our names under which a model is served, or the one for any face.

        Raises:
            UserError: if there is none, or several and none that recognises the occlusion itself.
        """
        found = self.find_models()
        if ANY_OCCLUSION in found:
            return ANY_OCCLUSION
        if len(found) != 1:
            what = f"{', '.join(found)}; choose one" if found else "none of our databases' names"
            raise UserError(f"{self.url} serves {what}; name the model with --name.")
        return found[0]

    def find_models(self) -> list[str]:
        """Those of our names under which a model is served, the one for any face first."""
        found = []
        for name in (ANY_OCCLUSION, *DATABASES):
            with contextlib.suppress(ServerRefusal):
                server_answers.states(self.request(model_path(name, None)), self.url)
                found.append(name)
        return found

    def check_available(self, model: str) -> None:
        """Makes sure that a model can be asked.

        Args:
            model: its path under `/v1/`, see `model_path`.

        Raises:
            UserError: if no version meant by the path is AVAILABLE, with the server's reason.
        """
        # A server lists the states of all versions whatever label is asked for. It gives metadata
        # of a label's version if that is loaded.
        name, _, label = model.partition("/labels/")
        versions = server_answers.states(self.request(name), self.url)
        states = [state for state, _ in versions.values()]
        if label:
            try:
                self.request(f"{model}/metadata")
                return
            except ServerRefusal as error:
                if "AVAILABLE" in states and "Servable not found" not in str(error):
                    raise
        elif "AVAILABLE" in states:
            return
        reason = next((f" ({error})" for _, error in versions.values() if error), "")
        listing = ", ".join(f"version {v} {state}" for v, (state, _) in versions.items())
        advice = (
            "wait a moment and try again"
            if {"START", "LOADING"} & set(states) and not reason
            else "look at the server's log and restore the version"
        )
        what = f"label {label} not on an AVAILABLE one" if label else "none AVAILABLE"
        raise UserError(f"{name} at {self.url} has {listing}{reason}, {what}; {advice}.")

    def predict(self, model: str, signature: str, images: np.ndarray) -> dict[str, list]:
        """Asks about face squares.

        Args:
            model: its path under `/v1/`, see `model_path`.
            signature: one of `SIGNATURES`, or `fer_tf.export.contract.ATTENTION`.
            images: uint8 [N, 48, 48], N at least 1.

        Returns:
            Output name -> N values, see `fer_tf.export.signatures.write_saved_model`, checked by
            `fer_tf.serving.server_answers.predictions`.

        Raises:
            SignatureMissing: if the model has no such signature.
            UserError: if there is no image, and whatever else goes wrong.
        """
        if not len(images):  # Never answered by a server that joins requests to batches.
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
        """GETs, or with a body POSTs, and returns the JSON that comes back.

        Args:
            path: under `/v1/`.
            body: what to send.

        Raises:
            ServerRefusal: if the server answers with an error of its own.
            UserError: if it cannot be reached or somebody else answers.
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
        except (OSError, http.client.HTTPException, ValueError) as error:  # The last of a proxy.
            cause = error.reason if isinstance(error, urllib.error.URLError) else error
            raise UserError(self._unreachable(cause)) from error
        answer = self._parse(data, status)
        if status >= 300:
            message = answer.get("error", answer) if isinstance(answer, dict) else answer
            message = plain(str(message))
            missing = re.search(SIGNATURE_MISSING, message)
            raise (SignatureMissing if missing else ServerRefusal)(
                f"{self.url} answers {short(message)!r} to {path}: {explain(message)}."
            )
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
                f"{self.url} answers HTTP {status} with {what}, not JSON: something else, perhaps "
                "a proxy, stands there; give the address of the server itself, or set no_proxy."
            ) from error

    def _unreachable(self, error):
        host = urllib.parse.urlsplit(self.url).netloc
        if isinstance(error, TimeoutError):
            return (
                f"{self.url} did not answer within {self.timeout:g} s; wait until it is less "
                "busy, send fewer photos, or give --timeout more."
            )
        if not isinstance(error, ssl.SSLError) and (proxy := _proxy_for(self.url)):
            return (
                f"{self.url} cannot be reached through the proxy {proxy} ({error}); set "
                f"no_proxy={urllib.parse.urlsplit(self.url).hostname} to ask without it, or "
                "correct its address."
            )
        if isinstance(error, ConnectionRefusedError):
            return (
                f"Nothing listens at {host}; start the server with the command that `python cli.py "
                "serve-config` prints, wait until it has loaded its models, or correct --url (REST "
                "is port 8501)."
            )
        if isinstance(error, socket.gaierror):
            return f"The host of {host} is not known ({error.strerror}); correct --url."
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"The certificate of {host} is not trusted ({error.verify_message}); ask by the "
                "name that stands in it, or have SSL_CERT_FILE name its authority's."
            )
        if isinstance(error, ssl.SSLError):
            return f"{host} does not speak HTTPS; give --url with http://."
        if isinstance(error, http.client.HTTPException | ConnectionError):
            return (
                f"{host} does not speak HTTP/1.1 ({type(error).__name__}): it may be the gRPC port "
                "8500; --url takes the REST port, 8501."
            )
        return f"{self.url} cannot be reached ({error}); correct --url."


class ServerRefusal(UserError):
    """The server itself refused a request."""


class SignatureMissing(ServerRefusal):
    """The model has no signature of this name."""


def _proxy_for(url):
    """The proxy that the environment names for an address, without its password, or None."""
    parts = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if not proxy or urllib.request.proxy_bypass(parts.netloc):
        return None
    return re.sub("//.*@", "//", proxy)


def model_path(name: str, version: str | None) -> str:
    """The path of a model under `/v1/`; `version` is a number, a label, or None: the newest."""
    path = f"models/{urllib.parse.quote(name, safe='')}"
    if version is None:
        return path
    kind = "versions" if version.isdecimal() else "labels"
    return f"{path}/{kind}/{urllib.parse.quote(version, safe='')}"
