"""What goes over the wire: each form of request that a server takes, REST and gRPC."""

import base64
import json
import urllib.error
import urllib.request

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from fer_tf.expressions import EXPRESSIONS
from tests.networks import images_for
from tests.served import SIGNATURES, as_example, as_png
from tests.stand_in_server import StandIn
from tests.tiny_model import copy_tiny_model

PATHS = [2, 0, 1]
IMAGES = images_for(PATHS)
FILES = [as_png(image) for image in IMAGES]
B64 = [{"b64": base64.b64encode(file).decode()} for file in FILES]
OUTPUTS = {"label", "class_id", "probability", "path", "path_probabilities", "probabilities"}


@pytest.fixture(scope="module", autouse=True)
def no_proxy():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "127.0.0.1")
        yield


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    copy_tiny_model(folder / "concat_db" / "1")
    stand_in = StandIn(folder)
    yield stand_in
    stand_in.stop()


@pytest.fixture(scope="module")
def expected(server):
    """Signature -> outputs of the SavedModel itself."""
    run = server.models["concat_db"][1].run
    return {
        name: {k: v.numpy() for k, v in run[name](image=tf.constant(IMAGES)).items()}
        for name in ("serving_default", "all_paths")
    }


@pytest.fixture(scope="module")
def channel(server):
    with grpc.insecure_channel(server.grpc) as channel:
        yield channel


def ask(server, document, what=":predict"):
    """The status and the JSON that come back."""
    data = None if document is None else json.dumps(document).encode()
    try:
        with urllib.request.urlopen(f"{server.url}/v1/models/concat_db{what}", data) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


ROWS = IMAGES.tolist()
REST = {
    "rows": {"instances": ROWS},
    "rows, named": {"instances": [{"image": row} for row in ROWS]},
    "rows, all paths": {"signature_name": "all_paths", "instances": ROWS},
    "rows of files": {"signature_name": "serving_bytes", "instances": B64},
    "rows of files, named": {
        "signature_name": "serving_bytes",
        "instances": [{"image_bytes": file} for file in B64],
    },
    "columns": {"inputs": {"image": ROWS}},
    "columns, the only input": {"inputs": ROWS},
    "columns of files": {"signature_name": "serving_bytes", "inputs": {"image_bytes": B64}},
}


@pytest.mark.parametrize("form", REST)
def test_rest_predict(server, expected, form):
    status, answer = ask(server, REST[form])
    assert status == 200
    if "inputs" in REST[form]:
        found = answer["outputs"]
    else:
        found = {name: [row[name] for row in answer["predictions"]] for name in OUTPUTS}
    assert set(found) == OUTPUTS
    of_signature = expected["all_paths" if "all paths" in form else "serving_default"]
    for name in ("label", "path"):
        assert found[name] == [value.decode() for value in of_signature[name]]
    np.testing.assert_allclose(found["probabilities"], of_signature["probabilities"], atol=1e-6)
    assert found["class_id"] == of_signature["class_id"].tolist()


def test_rest_predict_of_no_face(server):
    """Only by columns: a server refuses an empty list of rows."""
    empty = {"signature_name": "serving_bytes", "inputs": {"image_bytes": []}}
    status, answer = ask(server, empty)
    assert (status, answer) == (200, {"outputs": dict.fromkeys(OUTPUTS, [])})
    status, answer = ask(server, {"instances": []})
    assert status == 400 and "No values in 'instances'" in answer["error"]


@pytest.mark.parametrize("context", [False, True])
def test_rest_classify(server, expected, context):
    document = {"examples": [{"image/encoded": file} for file in B64]}
    if context:
        document = {"context": {"image/encoded": B64[0]}, "examples": [{}, {}, {}]}
    status, answer = ask(server, {"signature_name": "classify"} | document, ":classify")
    assert status == 200
    rows = [0, 0, 0] if context else [0, 1, 2]
    for row, pairs in zip(rows, answer["results"], strict=True):
        assert [name for name, _ in pairs] == list(EXPRESSIONS)
        probabilities = expected["serving_default"]["probabilities"][row]
        np.testing.assert_allclose([score for _, score in pairs], probabilities, atol=1e-6)


def test_rest_status_and_metadata(server):
    status, answer = ask(server, None, "")
    (version,) = answer["model_version_status"]
    assert (status, version["version"], version["state"]) == (200, "1", "AVAILABLE")
    status, answer = ask(server, None, "/versions/1/metadata")
    found = answer["metadata"]["signature_def"]["signature_def"]
    for name, key in SIGNATURES.items():
        assert list(found[name]["inputs"]) == [key]
    assert found["serving_default"]["inputs"]["image"]["dtype"] == "DT_UINT8"


def predict_request(signature, value, output_filter=()):
    request = predict_pb2.PredictRequest(output_filter=output_filter)
    request.model_spec.name, request.model_spec.signature_name = "concat_db", signature
    request.inputs[SIGNATURES[signature]].CopyFrom(tf.make_tensor_proto(value))
    return request


@pytest.mark.parametrize("signature", ["serving_default", "serving_bytes", "all_paths"])
@pytest.mark.parametrize("output_filter", [[], ["label", "probabilities"]], ids=["all", "two"])
def test_grpc_predict(channel, expected, signature, output_filter):
    value = FILES if signature == "serving_bytes" else IMAGES
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    response = stub.Predict(predict_request(signature, value, output_filter))
    assert set(response.outputs) == (set(output_filter) or OUTPUTS)
    assert response.model_spec.version.value == 1
    of_signature = expected["all_paths" if signature == "all_paths" else "serving_default"]
    for name, proto in response.outputs.items():
        found = tf.make_ndarray(proto)
        if found.dtype == object:
            assert found.tolist() == of_signature[name].tolist()
        else:
            np.testing.assert_allclose(found, of_signature[name], atol=1e-6)


def test_grpc_predict_of_no_face(channel):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    outputs = stub.Predict(predict_request("serving_default", IMAGES[:0])).outputs
    assert tf.make_ndarray(outputs["probabilities"]).shape == (0, 7)


def test_grpc_predict_with_an_unknown_output(channel):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(predict_request("serving_default", IMAGES, ["logits"]))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_grpc_classify(channel, expected):
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name, request.model_spec.signature_name = "concat_db", "classify"
    for file in FILES:
        request.input.example_list.examples.add().ParseFromString(as_example(file))
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    rows = stub.Classify(request).result.classifications
    scores = [[each.score for each in row.classes] for row in rows]
    assert all([each.label for each in row.classes] == list(EXPRESSIONS) for row in rows)
    np.testing.assert_allclose(scores, expected["serving_default"]["probabilities"], atol=1e-6)


def test_grpc_status_and_metadata(channel):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "concat_db"
    status = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(request)
    (version,) = status.model_version_status
    assert (version.version, version.state) == (1, version.AVAILABLE)
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "concat_db"
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    response = stub.GetModelMetadata(request)
    found = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(found)
    for name, key in SIGNATURES.items():
        assert list(found.signature_def[name].inputs) == [key]
