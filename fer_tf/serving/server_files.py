"""The texts of TensorFlow Serving's configuration files; `fer_tf.serving.config` writes them.

The formats: https://www.tensorflow.org/tfx/serving/serving_config, and for the healthcheck
https://docs.docker.com/reference/compose-file/services.
"""

import json
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fer_tf.export.contract import MOST_FACES

IMAGE = "tensorflow/serving:2.21.0"
"""Docker image of the server, of the TensorFlow that the models are made with."""

POLL_SECONDS = 10
"""How often the server reads `models.config` again."""

MODELS_CONFIG = "models.config"
BATCHING = "batching_parameters.txt"
MONITORING = "monitoring.config"
COMPOSE = "docker-compose.yml"

LISTED = "  # listed since "
"""Comment behind a version in `models.config`; a time as ISO 8601 has it follows."""

_INSIDE = "/models"  # Where the container sees the folder of models.


@dataclass(frozen=True)
class ServedModel:
    """What the server does with one model.

    Attributes:
        name: its folder's name.
        versions: the versions it loads, ascending, each with the time, in seconds since 1970, since
            when `models.config` lists it.
        stable: the version that label `stable` names.
        canary: the version that label `canary` names.
        pending: label -> version that it moves to in a later run, once the server loaded it.
    """

    name: str
    versions: dict[int, float]
    stable: int
    canary: int
    pending: dict[str, int]


def docker_command(models_dir: Path, batching: bool) -> str:
    """The command that starts the server with the files of `write_files`, for a shell."""
    words = ["docker", "run", "--rm", "-p", "8500:8500", "-p", "8501:8501"]
    words += ["-v", f"{models_dir.resolve()}:{_INSIDE}:ro", IMAGE, *server_options(batching)]
    return shlex.join(words)


def server_options(batching: bool) -> list[str]:
    """The options of `tensorflow_model_server`, the same for both ways to start it."""
    options = [
        f"--model_config_file={_INSIDE}/{MODELS_CONFIG}",
        f"--model_config_file_poll_wait_seconds={POLL_SECONDS}",
        # Without it the server refuses to start: its labels name versions not loaded yet.
        "--allow_version_labels_for_unavailable_models=true",
        f"--monitoring_config_file={_INSIDE}/{MONITORING}",
    ]
    if batching:
        options += ["--enable_batching=true", f"--batching_parameters_file={_INSIDE}/{BATCHING}"]
    return options


def models_config(served: list[ServedModel]) -> str:
    """A `ModelServerConfig` in protobuf's text format."""
    lines = [
        "# Which models and versions TensorFlow Serving loads, and which versions the labels",
        "# `stable` and `canary` name: a ModelServerConfig. Read again while the server runs.",
        "model_config_list {",
    ]
    for model in served:
        lines += [
            "  config {",
            f'    name: "{model.name}"',
            f'    base_path: "{_INSIDE}/{model.name}"',
            '    model_platform: "tensorflow"',
            "    model_version_policy {",
            "      specific {",
            *(
                f"        versions: {v}{LISTED}{_date(since)}"
                for v, since in model.versions.items()
            ),
            "      }",
            "    }",
            f'    version_labels {{ key: "stable" value: {model.stable} }}',
            f'    version_labels {{ key: "canary" value: {model.canary} }}',
            "  }",
        ]
    return "\n".join([*lines, "}", ""])


def _date(seconds):
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


def batching_parameters() -> str:
    """`BatchingParameters` in protobuf's text format."""
    return f"""\
# How TensorFlow Serving joins requests that arrive together into one batch: BatchingParameters.
# In use only after `serve-config --batching`: a malformed request fails all others in its batch,
# and one without a face is never answered, see docs/serving.md. What is gained was not measured.
max_batch_size {{ value: {MOST_FACES} }}  # faces in a request; one with more is refused
enable_large_batch_splitting {{ value: true }}
max_execution_batch_size {{ value: 32 }}  # faces in a batch; larger requests are split
batch_timeout_micros {{ value: 2000 }}  # how long a request waits for company
max_enqueued_batches {{ value: 100 }}  # beyond it requests are refused (HTTP 503), not queued
num_batch_threads {{ value: 4 }}  # batches at a time: about the cores, or 1 to 2 for a GPU
# No allowed_batch_sizes: batches would be filled up with copies, and none of the work is compiled
# for one size.
"""


def monitoring() -> str:
    """A `MonitoringConfig` in protobuf's text format."""
    return """\
# Has TensorFlow Serving show its counters to Prometheus on the REST port: a MonitoringConfig.
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""


def compose(served: list[ServedModel], batching: bool) -> str:
    """A Docker compose file for the folder of models."""
    names = " ".join(model.name for model in served)
    # The image has neither curl nor Python, but bash. A model's state comes with HTTP status 200
    # whatever it is, and for all versions whatever label stands in the address; metadata are those
    # of the label's version and come when it is loaded.
    check = (
        "has() { exec 3<>/dev/tcp/127.0.0.1/8501 && "
        "printf 'GET /v1/models/%s HTTP/1.0\\r\\n\\r\\n' $1 >&3 && grep -q \"$2\" <&3; }; "
        f"for name in {names}; do "
        """has $name '"state": *"AVAILABLE"' && """
        """has $name/labels/stable/metadata '"signature_def":' || exit 1; done"""
    )
    command = "\n".join(f"      - {option}" for option in server_options(batching))
    return f"""\
# Starts TensorFlow Serving: docker compose -f {COMPOSE} up -d --wait
# GPU: image {IMAGE}-gpu and `gpus: all`; docs/serving.md says more.
services:
  serving:
    image: {IMAGE}
    platform: linux/amd64
    restart: unless-stopped
    ports:
      - "8500:8500" # gRPC
      - "8501:8501" # REST and monitoring
    volumes:
      - .:{_INSIDE}:ro
    command:
{command}
    healthcheck: # healthy while the stable version of every model is AVAILABLE
      test: {json.dumps(["CMD", "bash", "-c", check.replace("$", "$$")])}
      interval: 10s
      timeout: 5s
      retries: 3
      start_period: 600s # large models load and warm up; ready earlier, healthy earlier
"""
