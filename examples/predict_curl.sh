#!/bin/sh
# Names the expression of one face square (a picture file cut to the face) with curl:
#   examples/predict_curl.sh face.png [http://localhost:8501/v1/models/concat_db/labels/stable]
set -eu
model=${2:-http://localhost:8501/v1/models/concat_db}

# Binary inputs go as {"b64": ...}: base64 in one line, without "data:image/png;base64," before it.
printf '{"signature_name": "serving_bytes", "instances": [{"b64": "%s"}]}' \
  "$(base64 < "$1" | tr -d '\n')" |
  curl --silent --show-error --fail-with-body --data @- "$model:predict"
