"""Trains tiny networks in the process of the tests."""

import dataclasses

import numpy as np

from fer_tf.records.run import write_run
from fer_tf.training.checkpoint import load_best
from fer_tf.training.run_folder import RunKey, open_run
from fer_tf.training.session import TrainingSession
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
    """Train on 40 images; returns the run."""
    session = TrainingSession(verbose=0, **options)
    return train_network(network, key, split(40), split(10, 1), runs_dir, session)


def finish_run(runs_dir, key, network, **changes):
    """Leave the `run.json` of a finished run, with other changes, and no network."""
    folder = key.folder(runs_dir, network)
    run = open_run(folder, key.setup(network))
    write_run(folder, dataclasses.replace(run, **{"finished": True} | changes))


def weights(runs_dir, key=KEY, network="subnet_y"):
    return load_best(key.folder(runs_dir, network)).get_weights()
