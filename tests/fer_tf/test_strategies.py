"""Training under tf.distribute, each strategy in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]

TRAIN = """
import csv, dataclasses, sys
from pathlib import Path
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from fer_tf.runs import RunKey
from fer_tf.strategies import make_strategy
from fer_tf.training import train_network
from tests.networks import TINY_RECIPE
recipe = dataclasses.replace(TINY_RECIPE, augmentation=list)
key = RunKey("concat_db", "drawn", "fingerprint", "upper", recipe)
strategy = make_strategy(sys.argv[1])
assert strategy.num_replicas_in_sync == int(sys.argv[2])
rng = np.random.default_rng(0)
classes = rng.integers(0, 2, 40).astype("int32")
images = (rng.integers(0, 100, (40, 48, 48, 1)) + 120 * classes[:, None, None, None])
images = images.astype("uint8")
for network in ("subnet_y", "subnet_z"):
    data = (images, classes)
    train_network(network, key, data, data, Path(sys.argv[3]), strategy, verbose=0)
"""


@pytest.mark.slow
def test_two_replicas_have_the_losses_of_one(tmp_path):
    losses = {}
    for name, replicas in (("one", 1), ("mirrored", 2)):
        subprocess.run(
            [sys.executable, "-c", TRAIN, name, str(replicas), tmp_path / name],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=True,
        )
        histories = sorted((tmp_path / name).glob("**/history.csv"))
        assert len(histories) == 2
        losses[name] = [np.loadtxt(path, delimiter=",", skiprows=1) for path in histories]
    np.testing.assert_allclose(losses["mirrored"], losses["one"], rtol=2e-3, atol=2e-3)
