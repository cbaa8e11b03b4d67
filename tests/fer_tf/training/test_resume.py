"""A run that is killed and started again ends as one that was left alone, bit by bit."""

import random
import time
from pathlib import Path

import numpy as np
import pytest

from fer_tf.training.callbacks import HISTORY
from fer_tf.training.checkpoint import STATE, load_best
from fer_tf.training.run_folder import BEST
from tests.processes import start

EPOCHS = 4
PATIENCE = 600
"""Seconds after which a process hangs, on a machine that does other work too."""


def options(folder, **more):
    """With shuffling, flips and dropout: all that is random."""
    return {"runs_dir": folder, "epochs": EPOCHS, "augmented": True, "deterministic": True} | more


def assert_same(folder, other):
    one, two = [next(Path(each).glob(f"**/{STATE}")).parent for each in (folder, other)]
    with np.load(one / STATE) as ours, np.load(two / STATE) as theirs:
        assert set(ours) == set(theirs)
        for name in set(ours) - {"meta"}:
            np.testing.assert_array_equal(ours[name], theirs[name])
    assert (one / HISTORY).read_text() == (two / HISTORY).read_text()
    assert len((one / HISTORY).read_text().splitlines()) == 1 + EPOCHS
    for ours, theirs in zip(
        load_best(one).get_weights(), load_best(two).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    for leftover in ("writing-" + BEST, "writing-" + STATE):
        assert not (two / leftover).exists()


def test_killed_inside_a_checkpoint_a_run_goes_on_and_ends_bitwise_equal(tmp_path):
    killed = start(options(tmp_path / "killed", die_in_write=3))
    assert "epochs done: 2\n" in killed.communicate(timeout=PATIENCE)[0]
    assert killed.returncode == -9
    again = start(options(tmp_path / "killed", also=tmp_path / "whole"))
    lines = again.communicate(timeout=PATIENCE)[0].splitlines()
    assert lines[:2] == ["epochs done: 3", "epochs done: 4"]  # The third was not finished.
    assert again.returncode == 0
    assert_same(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.slow
def test_killed_at_random_moments_a_run_ends_bitwise_equal(tmp_path):
    start(options(tmp_path / "whole")).communicate(timeout=PATIENCE)
    moments = random.Random(0)
    kills = 0
    for _ in range(20):
        process = start(options(tmp_path / "killed"))
        if kills < 5:
            process.stdout.readline()  # The first epoch of this sitting, then any moment.
            time.sleep(moments.uniform(0, 0.4))
            process.kill()
            kills += 1
        process.communicate(timeout=PATIENCE)
        if process.returncode == 0:
            break
    assert process.returncode == 0
    assert_same(tmp_path / "whole", tmp_path / "killed")
