"""Training under tf.distribute, each process of its own; GPUs are stood in for by CPU devices."""

import numpy as np
import pytest

from fer_tf.errors import UserError
from fer_tf.training.strategies import make_strategy
from tests.processes import start, two_workers


def histories(folder):
    paths = sorted(folder.glob("**/history.csv"))
    return [np.loadtxt(path, delimiter=",", skiprows=1) for path in paths]


@pytest.mark.slow
def test_losses_are_those_of_one_device_under_every_strategy(tmp_path):
    """41 images cannot be shared evenly by two; a balanced loss weighs them too."""
    options = {"count": 41, "networks": ["subnet_y", "subnet_z"], "balanced": True}
    for name, cpus in (("one", 1), ("mirrored", 2)):
        folder = tmp_path / name
        process = start(options | {"runs_dir": folder, "strategy": name, "cpus": cpus})
        out = process.communicate(timeout=300)[0]
        assert process.returncode == 0, out
    with two_workers(options | {"runs_dir": tmp_path / "workers"}) as workers:
        outs = [worker.communicate(timeout=300)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], outs
    assert "epochs done" in outs[0] and "epochs done" not in outs[1]  # Only the first writes.
    one, mirrored, workers = [histories(tmp_path / n) for n in ("one", "mirrored", "workers")]
    assert len(one) == 2
    # Measured: the worst differs by 5e-6.
    np.testing.assert_allclose(mirrored, one, rtol=1e-4)
    np.testing.assert_allclose(workers, one, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_worker_ends_the_job_and_the_next_start_goes_on(tmp_path, lost):
    options = {"runs_dir": tmp_path, "epochs": 60, "augmented": True}
    with two_workers(options) as workers:
        for line in workers[0].stdout:
            if line == "epochs done: 2\n":
                break
        workers[lost].kill()
        out = workers[1 - lost].communicate(timeout=120)[0]
        assert workers[1 - lost].returncode == 1
    assert "Another of the 2 workers no longer answers" in out
    with two_workers(options) as workers:
        first = next(line for line in workers[0].stdout if line.startswith("epochs done"))
        assert int(first.split()[-1]) >= 3
    (history,) = tmp_path.glob("**/history.csv")
    epochs = [int(line.split(",")[0]) for line in history.read_text().splitlines()[1:]]
    assert epochs == list(range(len(epochs)))


@pytest.mark.slow
def test_too_few_images_for_the_replicas_are_refused(tmp_path):
    options = {"runs_dir": tmp_path, "strategy": "mirrored", "cpus": 2, "count": 1}
    process = start(options)
    assert "1 training images in batches of 16: too few for 2" in process.communicate()[0]
    assert process.returncode == 1


def test_an_unknown_strategy_is_refused():
    with pytest.raises(UserError, match="'horovod'.*auto, one, mirrored, multi-worker"):
        make_strategy("horovod")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "needs TF_CONFIG"),
        ("{", "expected JSON"),
        ('{"cluster": {"worker": ["a:1", "b:2"]}}', "expected JSON"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"index": 0}}', "needs TF_CONFIG"),
    ],
)
def test_workers_that_are_not_described_are_refused(monkeypatch, config, message):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config:
        monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(UserError, match=message):
        make_strategy("multi-worker")
