"""Which of several processes writes, and what all of them must agree on, without any network."""

import dataclasses
from types import SimpleNamespace

import pytest
import tensorflow as tf

from fer_tf.errors import UserError
from fer_tf.records.run import RUN_FILE
from fer_tf.training import workers
from fer_tf.training.workers import chiefs_value, is_chief, open_for_all, worker_count
from tests.tiny_training import KEY

TWO_WORKERS = {"worker": ["a:1", "b:1"]}
WITH_CHIEF = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}


def process(cluster, task, index):
    """What `is_chief` and its like need of the strategy of one of several processes."""
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster), task_type=task, task_id=index
    )
    return SimpleNamespace(cluster_resolver=resolver)


@pytest.mark.parametrize(
    ("cluster", "task", "index", "chief"),
    [
        (TWO_WORKERS, "worker", 0, True),
        (TWO_WORKERS, "worker", 1, False),
        (WITH_CHIEF, "chief", 0, True),
        (WITH_CHIEF, "worker", 0, False),
    ],
)
def test_the_chief_or_else_the_first_worker_writes(cluster, task, index, chief):
    assert is_chief(process(cluster, task, index)) == chief


def test_every_process_of_a_cluster_counts():
    assert worker_count(process(TWO_WORKERS, "worker", 1)) == 2
    assert worker_count(process(WITH_CHIEF, "worker", 1)) == 3


@pytest.mark.parametrize("make", [lambda: None, tf.distribute.get_strategy])
def test_a_process_alone_writes(make):
    assert is_chief(make()) and worker_count(make()) == 1


def test_the_value_of_a_chief_reaches_each_replica():
    assert chiefs_value(tf.distribute.OneDeviceStrategy("CPU:0"), -2) == -2


@pytest.fixture
def shared(monkeypatch):
    """Stands in for the network: the value that the chief shares is what the next worker gets."""
    values = []

    def share(strategy, value):
        if is_chief(strategy):
            values.append(value)
        return values[-1]

    monkeypatch.setattr(workers, "chiefs_value", share)


def opened(folder, index, key=KEY, restart=False):
    strategy = process(TWO_WORKERS, "worker", index)
    return open_for_all(folder, key.setup("subnet_y"), restart, strategy)


def test_the_chief_begins_a_run_and_the_others_read_it(shared, tmp_path):
    begun = opened(tmp_path, 0)
    written = (tmp_path / RUN_FILE).read_bytes()
    assert opened(tmp_path, 1) == begun
    assert (tmp_path / RUN_FILE).read_bytes() == written


def test_what_the_chief_refuses_no_worker_trains(shared, tmp_path):
    opened(tmp_path, 0)
    other = dataclasses.replace(KEY, fingerprint="other faces")
    with pytest.raises(UserError, match="data_fingerprint fingerprint, now it is other faces"):
        opened(tmp_path, 0, other)
    with pytest.raises(UserError, match="The first worker refused to train"):
        opened(tmp_path, 1, other)


def test_a_worker_that_sees_another_folder_than_the_chief_is_refused(shared, finished, tmp_path):
    opened(KEY.folder(finished, "subnet_y"), 0)
    with pytest.raises(UserError, match="--runs-dir must be a folder that all workers share"):
        opened(tmp_path / "elsewhere", 1)
