"""The REST API of the stand-in for TensorFlow Serving: addresses, rows, columns, examples, errors.

https://www.tensorflow.org/tfx/serving/api_rest; messages are worded as the server words them.
"""

import base64
import binascii
import json
import re
from http.server import BaseHTTPRequestHandler

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis import model_pb2

HTTP_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
}
WHERE = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
POST = re.compile(rf"/v1/models/(?P<name>[^/:]+){WHERE}:(?P<method>predict|classify)")
GET = re.compile(rf"/v1/models/(?P<name>[^/:]+){WHERE}(?P<metadata>/metadata)?")


class ServingError(Exception):
    """An error of the server: `code` is a `grpc.StatusCode`."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code, self.message = code, message


def invalid(message):
    return ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)


class RestHandler(BaseHTTPRequestHandler):
    """The REST API of `stand_in`, a `StandIn`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # Or each answer waits 40 ms between its head and its body.

    def do_GET(self):  # noqa: N802
        def answer(match):
            spec = _spec(match)
            if not match["metadata"]:
                return _message(self.stand_in.status(spec))
            response, signatures = self.stand_in.metadata(spec)
            metadata = {"signature_def": _message(signatures)}
            return {"model_spec": _message(response.model_spec), "metadata": metadata}

        self._reply(GET.fullmatch(self.path), answer)

    def do_POST(self):  # noqa: N802
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def answer(match):
            spec, document = _spec(match), parse(body)
            spec.signature_name = document.get("signature_name", "")
            if match["method"] == "classify":
                examples = read_examples(document)
                classes, scores, _ = self.stand_in.classify(spec, examples)
                return {
                    "results": [
                        [[name.decode(), float(score)] for name, score in zip(*row, strict=True)]
                        for row in zip(classes, scores, strict=True)
                    ]
                }
            _, version = self.stand_in.find(spec)
            signature = spec.signature_name or "serving_default"
            if signature not in version.definitions:
                raise invalid(f'Serving signature name: "{signature}" not found in signature def')
            infos = dict(version.definitions[signature].inputs)
            inputs, by_rows = read_inputs(document, infos)
            outputs, _ = self.stand_in.run(spec, inputs)
            return write_outputs(outputs, by_rows)

        self._reply(POST.fullmatch(self.path), answer)

    def _reply(self, match, answer):
        try:
            if not match:
                raise invalid(f"Malformed request: {self.command} {self.path}")
            status, body = 200, json.dumps(answer(match), indent=1).encode()
        except ServingError as error:
            status = HTTP_STATUS.get(error.code, 500)
            body = write_error(error.message, self.stand_in.pretty_errors)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Stays silent."""


def parse(body: bytes) -> dict:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise invalid(f"JSON Parse error: Invalid value. at offset: {len(body)}") from error
    if not isinstance(document, dict):
        raise invalid("JSON Value: Is not object")
    if not isinstance(document.get("signature_name", ""), str):
        raise invalid("'signature_name' key must be a string value.")
    return document


def read_inputs(document: dict, infos: dict) -> tuple[dict[str, np.ndarray], bool]:
    """Arrays by name, and whether they came row by row; `infos` is name -> TensorInfo."""
    if ("instances" in document) == ("inputs" in document):
        both = "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist"
        raise invalid(both if "inputs" in document else "Missing 'inputs' or 'instances' key")
    if "inputs" in document:
        columns = document["inputs"]
        if not isinstance(columns, dict) or set(columns) == {"b64"}:
            columns = {next(iter(infos)): columns}
        for name in infos:
            if name not in columns:
                raise invalid(f"Missing named input: {name} in 'inputs' object.")
        return {name: _to_array(columns[name], infos[name].dtype) for name in infos}, False
    rows = document["instances"]
    if not isinstance(rows, list) or not rows:
        raise invalid("No values in 'instances' array")
    named = [isinstance(row, dict) and set(row) != {"b64"} for row in rows]
    if not all(named) and any(named):
        raise invalid("Expecting object but got list at item 0 of input list")
    if not named[0]:
        rows = [{next(iter(infos)): row} for row in rows]
    for row in rows:
        if set(row) != set(infos):
            raise invalid(
                "Failed to process element: 0 of 'instances' list. JSON object: keys must be "
                f"equal to: {','.join(sorted(infos))}"
            )
    return {n: _to_array([row[n] for row in rows], infos[n].dtype) for n in infos}, True


def write_outputs(outputs: dict[str, np.ndarray], by_rows: bool) -> dict:
    columns = {name: _to_json(name, value) for name, value in outputs.items()}
    if not by_rows:
        return {"outputs": columns if len(columns) > 1 else next(iter(columns.values()))}
    if len(columns) == 1:
        return {"predictions": next(iter(columns.values()))}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return {"predictions": rows}


def read_examples(document: dict) -> list[bytes]:
    """Serialized tf.Examples, the context's features among each one's."""
    examples = document.get("examples")
    if not isinstance(examples, list) or not examples:
        raise invalid("When method is classify, key 'examples' is expected and was not found")
    serialized = []
    for features in examples:
        example = tf.train.Example()
        for name, value in (document.get("context", {}) | features).items():
            values = value if isinstance(value, list) else [value]
            feature = example.features.feature[name]
            if all(isinstance(v, str | dict) for v in values):
                feature.bytes_list.value.extend(map(_to_bytes, values))
            elif all(isinstance(v, int) for v in values):
                feature.int64_list.value.extend(values)
            else:
                feature.float_list.value.extend(values)
        serialized.append(example.SerializeToString())
    return serialized


def write_error(message: str, pretty: bool) -> bytes:
    """JSON over several lines as today's servers write it, or as older ones escape: like C.

    The latter is not always JSON: `\\'` is none.
    """
    if pretty:
        return json.dumps({"error": message}, indent=4).encode()
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("'", "\\'"), ("\n", "\\n")):
        message = message.replace(plain, escaped)
    return f'{{ "error": "{message}" }}'.encode()


def _to_array(value, dtype):
    dtype = tf.as_dtype(dtype)
    if dtype == tf.string:
        if not isinstance(value, list):
            return np.array(_to_bytes(value), object)
        array = np.empty(len(value), object)
        array[:] = [_to_bytes(v) for v in value]
        return array
    try:
        array = np.array(value)
    except ValueError as error:
        raise invalid("Encountered list at unexpected size: 0 at level: 1") from error
    kinds = "iu" if dtype.is_integer else "iuf"
    values = array.ravel()
    wrong = values[:1] if array.dtype.kind not in kinds else values[:0]
    if dtype.is_integer and not wrong.size:  # The server reads each as an int32.
        wrong = values[(values < -(2**31)) | (values >= 2**31)]
    if wrong.size:
        kind = {"U": "String", "b": "True"}.get(array.dtype.kind, "Number")
        raise invalid(f"JSON Value: {wrong[0]} Type: {kind} is not of expected type: {dtype.name}")
    return array.astype(dtype.as_numpy_dtype)  # 300 as uint8 is 44, -1 is 255, there as here.


def _to_bytes(value):
    if isinstance(value, str):
        return value.encode()
    if not isinstance(value, dict) or set(value) != {"b64"} or not isinstance(value["b64"], str):
        raise invalid(f"JSON Value: {value} not formatted correctly for base64 data")
    try:
        return base64.b64decode(value["b64"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid("Unable to base64 decode") from error


def _to_json(name, value):
    if value.dtype != object:
        return value.tolist()
    if name.endswith("_bytes"):
        return [{"b64": base64.b64encode(v).decode()} for v in value.ravel()]
    return np.vectorize(bytes.decode, otypes=[object])(value).tolist() if value.size else []


def _spec(match):
    spec = model_pb2.ModelSpec(name=match["name"])
    if match["version"]:
        spec.version.value = int(match["version"])
    elif match["label"]:
        spec.version_label = match["label"]
    return spec


def _message(proto):
    return json_format.MessageToDict(
        proto, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
