"""The command line computes as it always does, whatever another project has set up for Keras."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cli

ROOT = Path(cli.__file__).parent

TELL = """
from fer_tf.cli.common import load_tensorflow
load_tensorflow()
import keras
print(keras.backend.backend(), keras.config.floatx(), keras.config.image_data_format(),
      keras.config.epsilon(), keras.config.max_epochs(), keras.config.max_steps_per_epoch())
"""


@pytest.mark.parametrize(
    "settings, environment",
    [
        (
            {"backend": "theano", "floatx": "float16", "image_data_format": "channels_first"},
            {"KERAS_BACKEND": "torch"},
        ),
        (
            {"floatx": "half", "image_data_format": "th", "epsilon": 0.5},
            {"KERAS_BACKEND": "jax", "KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "1"},
        ),
    ],
)
def test_another_projects_settings_of_keras_change_nothing(tmp_path, settings, environment):
    file = tmp_path / ".keras" / "keras.json"
    file.parent.mkdir()
    file.write_text(json.dumps(settings))
    place = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "PYTHONPATH": str(ROOT)}
    env = {k: v for k, v in os.environ.items() if not k.startswith("KERAS_")}

    done = subprocess.run(
        [sys.executable, "-c", TELL],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=env | place | environment,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["tensorflow", "float32", "channels_last", "1e-07", *["None"] * 2]
    assert json.loads(file.read_text()) == settings
