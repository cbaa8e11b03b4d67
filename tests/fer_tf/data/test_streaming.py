"""Training from disk, alone and on two replicas, against training from memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fer_tf

ROOT = Path(fer_tf.__file__).parents[1]

TRAIN = """
import dataclasses, sys
from pathlib import Path
import numpy as np
import tensorflow as tf
tf.config.experimental.enable_op_determinism()
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import fer_tf
from fer_tf.expressions import TASKS
from fer_tf.data.tfrecords import Split, index_records
from fer_tf.training.run_folder import RunKey
from fer_tf.training.strategies import make_strategy
from fer_tf.training.session import TrainingSession
from fer_tf.training.train import train_network
from tests.networks import TINY_RECIPE
from tests.record_files import write_records
folder = Path(sys.argv[1])
rng = np.random.default_rng(0)
labels = rng.integers(0, 7, 100).astype("int32")
images = rng.integers(0, 100, (100, 48, 48, 1)) + 20 * labels[:, None, None, None]
images = images.astype("uint8")
path = folder / "train.tfrecord"
write_records(path, images, labels)
disk, memory = index_records([path]), Split(images, labels, [], [])
balanced = dataclasses.replace(TINY_RECIPE.schedules["subnet_z"], balanced=True)
recipe = dataclasses.replace(TINY_RECIPE, schedules={"subnet_z": balanced})
key = RunKey("concat_db", "drawn", "fingerprint", "upper", recipe)
for strategy in ("one", "mirrored"):
    session = TrainingSession(make_strategy(strategy), verbose=0)
    for name, split in (("disk", disk), ("memory", memory)):
        data = split.for_task(TASKS["subnet_z"])
        train_network("subnet_z", key, data, data, folder / strategy / name, session)
"""


@pytest.mark.slow
def test_losses_from_disk_are_those_from_memory_bit_by_bit(tmp_path):
    subprocess.run(
        [sys.executable, "-c", TRAIN, tmp_path],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
    )
    for strategy in ("one", "mirrored"):
        disk, memory = (
            next((tmp_path / strategy / name).glob("**/history.csv")).read_text()
            for name in ("disk", "memory")
        )
        assert disk == memory and len(disk.splitlines()) == 3
