"""A stand-in for TensorFlow Serving on loopback, for the tests and the load benchmark.

It is NOT TensorFlow Serving, which these tests cannot run: Python instead of C++, no batching, no
monitoring. It answers REST as documented and gRPC on the official servicer classes, by
`tf.saved_model.load`, reads `models.config` and follows the server's rules about versions and
labels. Speed and memory say nothing about TensorFlow Serving.

    python -m tests.stand_in_server saved_models --rest-port 8501 --grpc-port 8500
"""

import argparse
import threading
import time
from concurrent import futures
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2

from tests.stand_in_rest import RestHandler, ServingError, invalid

CODES = {code.value[0]: code for code in grpc.StatusCode}


@dataclass
class Version:
    """One version of a model; a test may set `state` and `error`."""

    state: str
    error: str = ""
    run: dict = field(default_factory=dict)
    definitions: dict = field(default_factory=dict)


class StandIn(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    """The models of a folder behind a REST and a gRPC port (0: any free one); see `stop`."""

    pretty_errors = True
    """Whether errors are whole JSON; a test may set it, see `stand_in_rest.write_error`."""

    def __init__(self, models_dir, rest_port=0, grpc_port=0):
        self.models_dir, self.models, self.labels = Path(models_dir), {}, {}
        self.reload()
        self._grpc = grpc.server(
            futures.ThreadPoolExecutor(16), options=[("grpc.max_receive_message_length", -1)]
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(self, self._grpc)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(self, self._grpc)
        self.grpc = f"127.0.0.1:{self._grpc.add_insecure_port(f'127.0.0.1:{grpc_port}')}"
        self._grpc.start()
        handler = type("Handler", (RestHandler,), {"stand_in": self})
        server = type("Rest", (ThreadingHTTPServer,), {"request_queue_size": 128})
        self._rest = server(("127.0.0.1", rest_port), handler)
        self._rest.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._rest.server_port}"
        threading.Thread(target=self._rest.serve_forever, daemon=True).start()

    def stop(self):
        self._rest.shutdown()
        self._rest.server_close()
        self._grpc.stop(None)

    def reload(self):
        """Reads `models.config`, or takes each model's newest version where there is none.

        Raises:
            ServingError: as the server: a label that is in use may only move to a version that is
                AVAILABLE; then nothing of the file takes effect.
        """
        wanted, labels = {}, {}
        path = self.models_dir / "models.config"
        if path.is_file():
            config = text_format.Parse(
                path.read_text(), model_server_config_pb2.ModelServerConfig()
            )
            for model in config.model_config_list.config:
                wanted[model.name] = list(model.model_version_policy.specific.versions)
                labels[model.name] = dict(model.version_labels)
        else:
            for folder in self.models_dir.glob("*/*/saved_model.pb"):
                newest = max(wanted.get(folder.parts[-3], [0])[0], int(folder.parts[-2]))
                wanted[folder.parts[-3]] = [newest]
        for name, of_model in labels.items():
            for label, version in of_model.items():
                state = self.models.get(name, {}).get(version, Version("none")).state
                used = self.labels.get(name, {}).get(label, version) != version
                if used and state != "AVAILABLE":
                    raise ServingError(
                        grpc.StatusCode.FAILED_PRECONDITION,
                        f"Request to assign label to version {version} of model {name}, which is "
                        "not currently available for inference",
                    )
        self.labels = labels
        for name in wanted.keys() | self.models.keys():
            versions = self.models.setdefault(name, {})
            for version in versions.keys() - set(wanted.get(name, ())):
                versions[version] = Version("END")  # The server lists what it unloaded.
            for version in wanted.get(name, ()):
                if versions.get(version, Version("END")).state == "END":
                    versions[version] = _load(self.models_dir / name / str(version))

    def find(self, spec) -> tuple[int, Version]:
        """The version that a ModelSpec means, by default the newest that is AVAILABLE."""
        versions = self.models.get(spec.name, {})
        loaded = [number for number, v in versions.items() if v.state == "AVAILABLE"]
        number = self._number(spec)
        which = f"Specific({spec.name}, {number})" if number else f"Latest({spec.name})"
        number = number or max(loaded, default=None)
        if number not in loaded:
            raise ServingError(
                grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {which}"
            )
        return number, versions[number]

    def run(self, spec, inputs):
        """Outputs by name of a signature, and the version that gave them."""
        number, version = self.find(spec)
        return _run(version, spec.signature_name or "serving_default", inputs), number

    def status(self, spec):
        """A GetModelStatusResponse: all versions without a number, whatever label is given."""
        versions = self.models.get(spec.name, {})
        number = spec.version.value if spec.HasField("version") else None
        chosen = [number] if number is not None else sorted(versions, reverse=True)
        if not versions or (number is not None and number not in versions):
            what = f"version {number} of model" if versions else "any versions of model"
            raise ServingError(grpc.StatusCode.NOT_FOUND, f"Could not find {what} {spec.name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for each in chosen:
            entry = response.model_version_status.add(version=each)
            entry.state = entry.State.Value(versions[each].state)
            if error := versions[each].error:
                entry.status.error_code, entry.status.error_message = 2, error
            else:
                entry.status.error_code = 0
        return response

    def metadata(self, spec):
        """A GetModelMetadataResponse and the SignatureDefMap within."""
        number, version = self.find(spec)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, definition in version.definitions.items():
            signatures.signature_def[name].CopyFrom(definition)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = spec.name
        response.model_spec.version.value = number
        response.metadata["signature_def"].Pack(signatures)
        return response, signatures

    def classify(self, spec, examples):
        """`classes`, `scores` and the version that gave them."""
        spec.signature_name = spec.signature_name or "serving_default"
        outputs, number = self.run(spec, {"inputs": np.array(examples, object)})
        return outputs["classes"], outputs["scores"], number

    # The gRPC methods, named by the protocol.

    def Predict(self, request, context):  # noqa: N802
        def answer():
            inputs = {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}
            outputs, number = self.run(request.model_spec, inputs)
            response = predict_pb2.PredictResponse(model_spec=request.model_spec)
            response.model_spec.version.value = number
            if unknown := set(request.output_filter) - outputs.keys():
                raise invalid(
                    f"output tensor alias not found in signature: {unknown.pop()} Outputs expected "
                    f"to be in the set {{{','.join(outputs)}}}."
                )
            for name in request.output_filter or outputs:
                response.outputs[name].CopyFrom(tf.make_tensor_proto(outputs[name]))
            return response

        return _or_abort(answer, context)

    def Classify(self, request, context):  # noqa: N802
        def answer():
            examples = [e.SerializeToString() for e in request.input.example_list.examples]
            classes, scores, number = self.classify(request.model_spec, examples)
            response = classification_pb2.ClassificationResponse(model_spec=request.model_spec)
            response.model_spec.version.value = number
            for names, values in zip(classes, scores, strict=True):
                row = response.result.classifications.add()
                for name, score in zip(names, values, strict=True):
                    row.classes.add(label=name.decode(), score=score)
            return response

        return _or_abort(answer, context)

    def GetModelStatus(self, request, context):  # noqa: N802
        return _or_abort(lambda: self.status(request.model_spec), context)

    def GetModelMetadata(self, request, context):  # noqa: N802
        return _or_abort(lambda: self.metadata(request.model_spec)[0], context)

    def _number(self, spec):
        kind = spec.WhichOneof("version_choice")
        if kind == "version_label":
            try:
                return self.labels[spec.name][spec.version_label]
            except KeyError:
                message = f"Unrecognized servable version label: {spec.version_label}"
                raise invalid(message) from None
        return spec.version.value if kind else None


def _load(folder):
    version = Version("AVAILABLE")
    try:
        model = tf.saved_model.load(folder)
        saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        version.run = dict(model.signatures)
        version.run[""] = model  # Keeps the variables alive.
        definitions = saved.meta_graphs[0].signature_def
        version.definitions = {name: definitions[name] for name in model.signatures}
        _warm_up(version, folder / "assets.extra" / "tf_serving_warmup_requests")
    except (OSError, ValueError, tf.errors.OpError, ServingError) as error:
        return Version("END", error=str(error))
    return version


def _warm_up(version, path):
    """Replays the recorded Predict requests, as the server does before a version is AVAILABLE.

    Without it, requests that arrive together at a new version would each prepare the same graph.
    """
    for record in tf.data.TFRecordDataset(str(path)) if path.is_file() else ():
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}
        _run(version, request.model_spec.signature_name or "serving_default", inputs)


def _run(version, signature, inputs):
    if signature not in version.definitions:
        message = f'Serving signature key "{signature}" not found.'
        raise ServingError(grpc.StatusCode.FAILED_PRECONDITION, message)
    names = set(version.definitions[signature].inputs)
    if set(inputs) != names:
        raise invalid(
            f"input size does not match signature: {len(inputs)}!={len(names)} len("
            f"{{{','.join(inputs)}}}) != len({{{','.join(names)}}})."
        )
    try:
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        outputs = version.run[signature](**tensors)
    except tf.errors.OpError as error:
        raise ServingError(CODES[error.error_code], error.message) from error
    return {name: value.numpy() for name, value in outputs.items()}


def _or_abort(answer, context):
    try:
        return answer()
    except ServingError as error:
        context.abort(error.code, error.message)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models_dir", type=Path)
    parser.add_argument("--rest-port", type=int, default=8501)
    parser.add_argument("--grpc-port", type=int, default=8500)
    options = parser.parse_args()
    server = StandIn(options.models_dir, options.rest_port, options.grpc_port)
    print(f"Stand-in for TensorFlow Serving: REST {server.url} gRPC {server.grpc}", flush=True)
    while True:
        time.sleep(10)
        try:
            server.reload()
        except ServingError as error:
            print(error.message, flush=True)


if __name__ == "__main__":
    main()
