"""Trains tiny networks in a process of its own: python train_in_process.py OPTIONS-AS-JSON.

Options: runs_dir, strategy, cpus (logical devices), count (images), networks, epochs, augmented,
precision, die_in_write (the epoch in whose checkpoint the process kills itself), also (another
runs_dir, in which the same is trained afterwards), and those of `TrainingSession`. Prints one line
after each epoch.
"""

import dataclasses
import json
import os
import signal
import sys
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from fer_tf.errors import UserError
from fer_tf.training.checkpoint import Checkpoint
from fer_tf.training.run_folder import RunKey
from fer_tf.training.session import TrainingSession
from fer_tf.training.strategies import make_strategy
from fer_tf.training.train import train_network
from tests.networks import TINY_RECIPE
from tests.tiny_training import split


def recipe_of(epochs, augmented, balanced=False):
    schedules = {
        name: dataclasses.replace(schedule, epochs=epochs, balanced=balanced)
        for name, schedule in TINY_RECIPE.schedules.items()
    }
    changes = {} if augmented else {"augmentation": list}
    dropout = 0.2 if augmented else 0.0
    return dataclasses.replace(TINY_RECIPE, schedules=schedules, dropout=dropout, **changes)


def dying_savez(epoch):
    savez = np.savez

    def save(out, meta, **arrays):
        if json.loads(str(meta))["epochs_done"] == epoch:
            out.write(b"half")
            out.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        savez(out, meta=meta, **arrays)

    return save


def main(
    runs_dir,
    strategy="one",
    cpus=1,
    count=40,
    networks=("subnet_y",),
    epochs=2,
    augmented=False,
    precision="float32",
    balanced=False,
    die_in_write=None,
    also=None,
    **options,
):
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * cpus)
    recipe = recipe_of(epochs, augmented, balanced)
    key = RunKey("concat_db", "drawn", "fingerprint", "upper", recipe, precision=precision)
    scope = make_strategy(strategy)
    save = Checkpoint._save

    def and_tell(self):
        save(self)
        print("epochs done:", self.epochs_done, flush=True)

    Checkpoint._save = and_tell
    if die_in_write:
        np.savez = dying_savez(die_in_write)
    data = split(count)
    session = TrainingSession(scope, verbose=0, **options)
    for folder in filter(None, (runs_dir, also)):
        for network in networks:
            train_network(network, key, data, data, Path(folder), session)
            print("finished:", network, flush=True)


if __name__ == "__main__":
    try:
        main(**json.loads(sys.argv[1]))
    except UserError as error:
        print("Error:", error, flush=True)
        sys.exit(1)
