from pathlib import Path

from fer_tf.data.database import Database
from fer_tf.training import jobs as training_jobs
from fer_tf.training.jobs import train_side_by_side

DATABASES = [Database(name, "drawn", Path("data")) for name in ("concat_db", "eye_cdb")]


def started(monkeypatch, networks, first, options):
    """What is started at a time: name -> command."""
    parts = []
    monkeypatch.setattr(training_jobs, "run_on_devices", lambda part, *_: parts.append(part))
    train_side_by_side(networks, DATABASES, first, ("python", "cli.py"), options, ["0", "1"])
    return parts


def test_each_network_of_each_database_gets_the_options_that_are_set(monkeypatch):
    options = {"--seed": 0, "--restart": True, "--stream": False, "--batch-size": None}
    (part,) = started(monkeypatch, ["begin", "flat"], None, options)
    assert part["eye_cdb/drawn flat"] == [
        *("python", "cli.py", "flat", "--database", "eye_cdb/drawn", "--strategy", "one"),
        *("--seed", "0", "--restart"),
    ]
    assert list(part) == [f"{db} {network}" for db in DATABASES for network in ("begin", "flat")]


def test_what_others_init_from_comes_first_and_alone(monkeypatch):
    parts = started(monkeypatch, ["begin", "flat", "subnet_x"], "flat", {})
    assert [{name.split()[1] for name in part} for part in parts] == [
        {"flat"},
        {"begin", "subnet_x"},
    ]
