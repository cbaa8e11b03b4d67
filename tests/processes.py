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
    """Begins two workers on loopback; what is still running in the end is killed.

    Their ports stay taken all the while, so no other program gets one before its worker has it.
    """
    with contextlib.ExitStack() as stack:
        addresses, workers = [], []
        for _ in range(2):
            place = stack.enter_context(socket.socket())
            place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            place.bind(("127.0.0.1", 0))
            addresses.append(f"127.0.0.1:{place.getsockname()[1]}")
        for index in range(2):
            task = {"type": "worker", "index": index}
            config = json.dumps({"cluster": {"worker": addresses}, "task": task})
            environment = {"TF_CONFIG": config, "TF_GRPC_REUSE_PORT": "true"}
            worker = start(options | {"strategy": "multi-worker"}, **environment)
            stack.callback(worker.communicate)
            stack.callback(worker.kill)
            workers.append(worker)
        yield workers
