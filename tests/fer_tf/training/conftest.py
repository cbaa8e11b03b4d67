"""Runs that several tests start from: each is trained once, and each test gets a copy."""

import shutil

import pytest

from fer_tf.training.checkpoint import Checkpoint
from tests.tiny_training import train


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """A runs directory with a finished run of `KEY`, which no test may change."""
    runs_dir = tmp_path_factory.mktemp("finished")
    train(runs_dir)
    return runs_dir


@pytest.fixture
def finished(finished_run, tmp_path):
    """A runs directory whose run is finished."""
    return shutil.copytree(finished_run, tmp_path / "finished")


@pytest.fixture(scope="session")
def interrupted_run(tmp_path_factory):
    """A runs directory with an interrupted run of `KEY`, which no test may change."""
    runs_dir = tmp_path_factory.mktemp("interrupted")
    save = Checkpoint._save

    def interrupt(self):
        save(self)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "_save", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(runs_dir)
    return runs_dir


@pytest.fixture
def interrupted(interrupted_run, tmp_path):
    """A runs directory whose run has finished one epoch of two."""
    return shutil.copytree(interrupted_run, tmp_path / "interrupted")
