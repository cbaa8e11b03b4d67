"""The errors of a TensorFlow Serving and of its connection: causes and remedies for a user.

Errors are quoted as TensorFlow Serving 2.x and TensorFlow word them.
"""

import http.client
import re
import socket
import ssl
import urllib.parse
import urllib.request

from fer_tf.export.contract import MOST_FACES

SIGNATURES = ("serving_default", "serving_bytes", "all_paths")
"""The signatures that answer with predictions."""

SIGNATURE_MISSING = r"[Ss]erving signature (name|key): ?\"?.*not found|signature.*not found"

EXPLANATIONS = (
    (
        r"Could not find any versions of model|Servable not found for request: Latest",
        "no model of this name is loaded there: correct --name, or run `python cli.py "
        "serve-config` and wait until the server has read its files",
    ),
    (
        r"Could not find version|Servable not found for request: Specific",
        "this version is not loaded there: correct --version, or list it with `python cli.py "
        "serve-config`",
    ),
    (
        r"Unrecognized servable version label",
        "the server knows no such label: correct --version, or start it with the files of "
        "`python cli.py serve-config`",
    ),
    (
        SIGNATURE_MISSING,
        f"the model has no such signature; those made by `python cli.py combine` have "
        f"{', '.join(SIGNATURES)}, classify and, if their networks have attention, attention",
    ),
    (
        r"base64",
        'encoded pictures go as {"b64": "..."} with nothing but base64 in it: no '
        '"data:image/png;base64," before it',
    ),
    (
        r"faces, at most|larger than maximum input batch size",
        f"send the faces in several requests of at most {MOST_FACES}",
    ),
    (
        r"OOM|failed to allocate memory",
        "the server has too little memory for so many faces at a time: send fewer in a request",
    ),
    (
        r"from different tasks have different shapes|equal 0th-dimension size",
        "the server joined this request with one of another shape: each must have the shape "
        "[N, 48, 48, 1], or [N] where files are sent; `serve-config --no-batching` parts them",
    ),
    (
        r"Uncompress failed|Invalid (JPEG|PNG) data",
        "one of the pictures is damaged or cut, and the decoder does not tell which: open each "
        "before it is sent, or send them one by one",
    ),
    (
        r"JPEG|PNG|a face square is expected|pixels",
        "send whole JPEG or PNG files of face squares: pictures cut to the face",
    ),
    (
        r"not compatible with expected shape|unexpected (size|level)|incorrect level"
        r"|Expecting (shape|tensor size)",
        "`image` must have the shape [N, 48, 48, 1]: one gray face square of 48 x 48 pixels a row",
    ),
    (
        r"image/encoded|Could not parse example",
        "classify takes tf.Examples, each with one JPEG or PNG file as its feature image/encoded",
    ),
    (
        r"not of expected type|expected to be a|[Dd]ata types? |Expects arg\[\d+\] to be",
        "`image` must be uint8, whole numbers from 0 to 255 without a point (121, not 121.0), and "
        "`image_bytes` strings",
    ),
    (
        r"named input|keys must be equal|input size does not match|Missing 'inputs'",
        "the input's name is `image` in serving_default and all_paths, `image_bytes` in "
        "serving_bytes",
    ),
    (
        r"JSON Parse error",
        "the request was cut or changed on its way, or has a line break within a string: base64 "
        "goes in one line",
    ),
    (r"[Dd]eadline|[Tt]imed? ?out", "the server took too long: send fewer photos at a time"),
    (r"queue|exhausted|[Uu]navailable", "the server is overloaded or starting: try again later"),
)
"""Pairs of a regular expression on a server's error, and the cause with what to do."""


def explain(message: str) -> str:
    """The cause of a server's error and what to do, a clause without a full stop."""
    for pattern, meaning in EXPLANATIONS:
        if re.search(pattern, message):
            return meaning
    return "look at the server's log"


def plain(message: str) -> str:
    """TensorFlow's message without the names of its nodes."""
    asserted = re.search(r"assertion failed: \[(.+\.)\]", message)
    return asserted[1] if asserted else re.sub(r"{{.*?}}\s*", "", message).partition("\n\t")[0]


def short(text: str) -> str:
    """The text as one line of at most 200 printable characters."""
    line = " ".join(text.split())
    line = "".join(letter if letter.isprintable() else "?" for letter in line)
    return line if len(line) <= 200 else f"{line[:197]}..."


def explain_unreachable(url: str, timeout: float, error: Exception) -> str:
    """A sentence on why a server does not answer, and what to do.

    Args:
        url: the server's address.
        timeout: seconds that the client waited.
        error: the cause.
    """
    host = urllib.parse.urlsplit(url).netloc
    if isinstance(error, TimeoutError):
        return (
            f"{url} did not answer within {timeout:g} s; wait until it is less "
            "busy, send fewer photos, or give --timeout more."
        )
    if not isinstance(error, ssl.SSLError) and (proxy := _proxy_for(url)):
        return (
            f"{url} cannot be reached through the proxy {proxy} ({error}); set "
            f"no_proxy={urllib.parse.urlsplit(url).hostname} to ask without it, or "
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
            f"The certificate of {host} is not trusted ({error.verify_message}); give --url the "
            "name in the certificate, or set SSL_CERT_FILE to its authority's file."
        )
    if isinstance(error, ssl.SSLError):
        return f"{host} does not speak HTTPS; give --url with http://."
    if isinstance(error, http.client.HTTPException | ConnectionError):
        return (
            f"{host} does not speak HTTP/1.1 ({type(error).__name__}): it may be the gRPC port "
            "8500; --url takes the REST port, 8501."
        )
    return f"{url} cannot be reached ({error}); correct --url."


def _proxy_for(url):
    """The proxy that the environment sets for an address, without its password, or None."""
    parts = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if not proxy or urllib.request.proxy_bypass(parts.netloc):
        return None
    return re.sub("//.*@", "//", proxy)
