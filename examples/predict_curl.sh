#!/bin/sh
# Names the expression of one face square (a picture file cut to the face) with curl:
#   examples/predict_curl.sh face.png [http://localhost:8501/v1/models/concat_db/labels/stable]
# Without labels/stable in the address the newest version answers, canary or not, and a roll-back
# changes nothing. A server that was started without models.config knows no labels: leave it out.
set -eu
model=${2:-http://localhost:8501/v1/models/concat_db/labels/stable}

# Binary inputs go as {"b64": ...}: base64 in one line, without "data:image/png;base64," before it.
printf '{"signature_name": "serving_bytes", "instances": [{"b64": "%s"}]}' \
  "$(base64 < "$1" | tr -d '\n')" |
  curl --silent --show-error --fail-with-body --data @- "$model:predict"
