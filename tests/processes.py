"""Trainings in processes of their own, which tests start, kill and start again."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def start(options, **environment):
    """Begins `tests/train_in_process.py`."""
    return subprocess.Popen(
        [sys.executable, ROOT / "tests" / "train_in_process.py", json.dumps(options, default=str)],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@contextlib.contextmanager
def two_workers(options):
    """Begins two workers on loopback; what is still running in the end is killed."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in (one, other)]
    workers = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": {"worker": addresses}, "task": task})
        workers.append(start(options | {"strategy": "multi-worker"}, TF_CONFIG=config))
    try:
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
