import sys
from pathlib import Path

from fer_tf.data.database import Database
from fer_tf.training import jobs as training_jobs
from fer_tf.training.jobs import train_side_by_side
from fer_tf.training.options import TrainOptions

DATABASES = [Database(name, "drawn", Path("data")) for name in ("concat_db", "eye_cdb")]


def started(monkeypatch, options):
    """What is started at a time: name -> command."""
    parts = []
    monkeypatch.setattr(training_jobs, "run_on_gpus", lambda part, *_: parts.append(part))
    train_side_by_side(options, DATABASES, ["0", "1"])
    return parts


def test_each_network_of_each_database_gets_the_options_that_are_set(monkeypatch):
    options = TrainOptions("all", recipe_name="demo", restart=True, stream=False, parallel=True)
    (part,) = started(monkeypatch, options)
    assert part["eye_cdb/drawn subnet_x"] == [
        *(sys.executable, "-m", "fer_tf.cli", "train", "subnet_x", "--restart", "--no-stream"),
        *("--database", "eye_cdb/drawn", "--strategy", "one", "--recipe", "demo", "--seed", "0"),
        *("--data-dir", "data/tfds", "--runs-dir", "runs"),
    ]
    networks = ("begin", "subnet_x", "subnet_y", "subnet_z")
    assert list(part) == [f"{db} {network}" for db in DATABASES for network in networks]


def test_what_others_init_from_comes_first_and_alone(monkeypatch):
    parts = started(monkeypatch, TrainOptions("all"))
    assert [{name.split()[1] for name in part} for part in parts] == [
        {"flat"},
        {"begin", "subnet_x", "subnet_y", "subnet_z"},
    ]
