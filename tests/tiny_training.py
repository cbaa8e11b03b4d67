"""Trains tiny networks in the process of the tests."""

import json

import numpy as np

from fer_tf.files import write_json
from fer_tf.training.checkpoint import load_best
from fer_tf.training.run_folder import RUN_FILE, RunKey, open_run
from fer_tf.training.train import train_network
from tests.networks import TINY_RECIPE

KEY = RunKey("concat_db", "drawn", "fingerprint", "upper", TINY_RECIPE)


def split(count, seed=0):
    """Images uint8 [count, 48, 48, 1] of two classes that brightness separates, and the classes."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 2, count).astype(np.int32)
    images = rng.integers(0, 100, (count, 48, 48, 1)) + 120 * classes[:, None, None, None]
    return images.astype(np.uint8), classes


def train(runs_dir, key=KEY, network="subnet_y", **options):
    """Train on 40 images; returns what `run.json` then contains."""
    train_network(network, key, split(40), split(10, 1), runs_dir, verbose=0, **options)
    return read_run_file(key.folder(runs_dir, network))


def begin_run(folder, key=KEY, network="subnet_y", **options):
    """Open a run's folder; returns what `run.json` then contains."""
    open_run(folder, key.as_dict(network), **options)
    return read_run_file(folder)


def finish_run(runs_dir, key, network, **changes):
    """Leave the `run.json` of a finished run, with other changes, and no network."""
    folder = key.folder(runs_dir, network)
    write_json(folder / RUN_FILE, begin_run(folder, key, network) | {"finished": True} | changes)


def read_run_file(folder):
    return json.loads((folder / RUN_FILE).read_text())


def weights(runs_dir, key=KEY, network="subnet_y"):
    return load_best(key.folder(runs_dir, network)).get_weights()
