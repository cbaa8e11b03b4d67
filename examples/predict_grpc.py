"""Name the expression of face squares (picture files cut to the face) over gRPC.

pip install tensorflow-serving-api==2.21.0
python examples/predict_grpc.py face.png... [--host localhost:8500] [--name concat_db]
"""

import argparse
from pathlib import Path

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

parser = argparse.ArgumentParser()
parser.add_argument("faces", nargs="+", type=Path)
parser.add_argument("--host", default="localhost:8500")
parser.add_argument("--name", default="concat_db")
parser.add_argument(
    "--label",
    default="stable",
    help="stable or canary; '' selects the newest loaded version, also on a server that was "
    "started without models.config and knows no labels",
)
options = parser.parse_args()

request = predict_pb2.PredictRequest()
request.model_spec.name = options.name
request.model_spec.signature_name = "serving_bytes"
if options.label:
    request.model_spec.version_label = options.label
files = [face.read_bytes() for face in options.faces]
request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(files, tf.string))

with grpc.insecure_channel(options.host) as channel:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    outputs = stub.Predict(request, timeout=30).outputs

answer = {name: tf.make_ndarray(tensor) for name, tensor in outputs.items()}
for i, face in enumerate(options.faces):
    label, path = answer["label"][i].decode(), answer["path"][i].decode()
    print(f"{face}: {label} {answer['probability'][i]:.2f}, path {path}")
