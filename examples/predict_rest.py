"""Name the expression of face squares (picture files cut to the face) over REST.

python examples/predict_rest.py face.png... [--model ADDRESS]

Needs only Python. /labels/stable or /versions/1 at the end of the address selects a version.
Without it the newest loaded version answers, which may be a canary, and a roll-back has no effect
on this client. A server that was started without models.config knows no labels.
"""

import argparse
import base64
import json
import urllib.request
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("faces", nargs="+", type=Path)
parser.add_argument("--model", default="http://localhost:8501/v1/models/concat_db/labels/stable")
options = parser.parse_args()

files = [base64.b64encode(face.read_bytes()).decode() for face in options.faces]
request = {"signature_name": "serving_bytes", "instances": [{"b64": file} for file in files]}
with urllib.request.urlopen(f"{options.model}:predict", json.dumps(request).encode()) as response:
    predictions = json.load(response)["predictions"]

for face, answer in zip(options.faces, predictions, strict=True):
    print(f"{face}: {answer['label']} {answer['probability']:.2f}, path {answer['path']}")
