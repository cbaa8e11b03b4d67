"""TensorFlow Serving's files beside `models.config`, and the hash by which an edit is detected.

The formats: https://www.tensorflow.org/tfx/serving/serving_config, and for the healthcheck
https://docs.docker.com/reference/compose-file/services.
"""

import hashlib
import json
import shlex
from pathlib import Path

from fer_tf.export.contract import MOST_FACES
from fer_tf.files import written_beside

IMAGE = "tensorflow/serving:2.21.0"
"""Docker image of the server; its version is that of the TensorFlow that exports the models."""

POLL_SECONDS = 10
"""How often the server reads `models.config` again."""

MODELS_CONFIG = "models.config"
BATCHING = "batching_parameters.txt"
MONITORING = "monitoring.config"
COMPOSE = "docker-compose.yml"

MOUNTED = "/models"
"""Where the container sees the folder of models."""

_SEAL = "# Written by `python cli.py serve-config`; sha256 of the lines above: "


def docker_command(models_dir: Path, batching: bool) -> str:
    """The shell command that starts the server with the files of `write_files`."""
    words = ["docker", "run", "--rm", "-p", "8500:8500", "-p", "8501:8501"]
    words += ["-v", f"{models_dir.resolve()}:{MOUNTED}:ro", IMAGE, *server_options(batching)]
    return shlex.join(words)


def server_options(batching: bool) -> list[str]:
    """The options of `tensorflow_model_server`, the same in the command and the compose file."""
    options = [
        f"--model_config_file={MOUNTED}/{MODELS_CONFIG}",
        f"--model_config_file_poll_wait_seconds={POLL_SECONDS}",
        # Without this option the server does not start: labels name versions not loaded yet.
        "--allow_version_labels_for_unavailable_models=true",
        f"--monitoring_config_file={MOUNTED}/{MONITORING}",
    ]
    if batching:
        options += ["--enable_batching=true", f"--batching_parameters_file={MOUNTED}/{BATCHING}"]
    return options


def batching_parameters() -> str:
    """`BatchingParameters` in protobuf's text format."""
    return f"""\
# How TensorFlow Serving joins requests that arrive together into one batch: BatchingParameters.
# In use only after `serve-config --batching`: a malformed request fails all others in its batch,
# and one without a face is never answered, see docs/serving.md. The gain was not measured.
max_batch_size {{ value: {MOST_FACES} }}  # faces in a request; one with more is refused
enable_large_batch_splitting {{ value: true }}
max_execution_batch_size {{ value: 32 }}  # faces in a batch; larger requests are split
batch_timeout_micros {{ value: 2000 }}  # how long a request waits for others
max_enqueued_batches {{ value: 100 }}  # beyond it requests are refused (HTTP 503), not queued
num_batch_threads {{ value: 4 }}  # batches at a time: about the cores, or 1 to 2 for a GPU
# No allowed_batch_sizes: batches would be filled up with copies, and none of the work is compiled
# for one size.
"""


def monitoring() -> str:
    """`MonitoringConfig` in protobuf's text format."""
    return """\
# Makes TensorFlow Serving publish counters for Prometheus on the REST port: a MonitoringConfig.
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""


def compose(models: list[str], batching: bool) -> str:
    """A Docker compose file for a folder of these models."""
    # The image has neither curl nor Python, but bash. The server sends a model's states with HTTP
    # status 200 whatever they are, and those of all versions whatever label the address has. It
    # sends metadata of the label's version once that is loaded.
    check = (
        "has() { exec 3<>/dev/tcp/127.0.0.1/8501 && "
        "printf 'GET /v1/models/%s HTTP/1.0\\r\\n\\r\\n' $1 >&3 && grep -q \"$2\" <&3; }; "
        f"for name in {' '.join(models)}; do "
        """has $name '"state": *"AVAILABLE"' && """
        """has $name/labels/stable/metadata '"signature_def":' || exit 1; done"""
    )
    command = "\n".join(f"      - {option}" for option in server_options(batching))
    return f"""\
# Starts TensorFlow Serving: docker compose -f {COMPOSE} up -d --wait
# GPU: image {IMAGE}-gpu and `gpus: all`; see docs/serving.md.
services:
  serving:
    image: {IMAGE}
    platform: linux/amd64
    restart: unless-stopped
    ports:
      - "8500:8500" # gRPC
      - "8501:8501" # REST and monitoring
    volumes:
      - .:{MOUNTED}:ro
    command:
{command}
    healthcheck: # healthy while the stable version of every model is AVAILABLE
      test: {json.dumps(["CMD", "bash", "-c", check.replace("$", "$$")])}
      interval: 10s
      timeout: 5s
      retries: 3
      start_period: 600s # large models load and warm up; ready earlier, healthy earlier
"""


def read_text(path: Path) -> str:
    """A file's text; bytes that are no UTF-8 are replaced, so that the file counts as edited."""
    return path.read_text(encoding="utf-8", errors="replace")


def is_edited(path: Path) -> bool:
    """Whether somebody changed a file after `write_sealed`."""
    if not path.is_file():
        return False
    text = read_text(path)
    return text != _sealed(text.partition(_SEAL)[0])


def write_sealed(path: Path, text: str) -> None:
    """Write a text and a last line with its hash, unless the file has both already.

    A file that stays the same keeps its time, which is that of the last change.
    """
    sealed = _sealed(text)
    if path.is_file() and read_text(path) == sealed:
        return
    with written_beside(path) as out:
        out.write(sealed.encode())


def _sealed(text):
    return f"{text}{_SEAL}{hashlib.sha256(text.encode()).hexdigest()}\n"
