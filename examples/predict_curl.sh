#!/bin/sh
# Name the expression of one face square (a picture file cut to the face) with curl:
#   examples/predict_curl.sh face.png [http://localhost:8501/v1/models/concat_db/labels/stable]
# labels/stable selects the version that serve-config labels stable. Without it the newest loaded
# version answers, which may be a canary, and a roll-back has no effect on this client. Leave it out
# if the server was started without models.config, because such a server knows no labels.
set -eu
model=${2:-http://localhost:8501/v1/models/concat_db/labels/stable}

# A binary input is {"b64": ...} with base64 in one line, without "data:image/png;base64,".
printf '{"signature_name": "serving_bytes", "instances": [{"b64": "%s"}]}' \
  "$(base64 < "$1" | tr -d '\n')" |
  curl --silent --show-error --fail-with-body --data @- "$model:predict"
