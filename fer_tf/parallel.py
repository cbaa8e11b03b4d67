"""Networks trained side by side, one per GPU, each in a process of its own.

Networks that do not start from one another need nothing of each other, so this scales better than
sharing one network's batches among GPUs. Not run on GPUs so far; the tests run the processes on a
CPU.
"""

import os
import queue
import subprocess
import threading
from collections.abc import Callable, Sequence

from fer_tf.errors import InputError


def visible_gpus() -> list[str]:
    """The GPUs of this process, as CUDA_VISIBLE_DEVICES names them."""
    import tensorflow as tf

    count = len(tf.config.list_physical_devices("GPU"))
    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return (named or [str(number) for number in range(count)])[:count]


def run_on_devices(
    commands: dict[str, list[str]], devices: Sequence[str], echo: Callable[[str], None] = print
) -> None:
    """Runs commands side by side, each seeing one GPU; the next begins where one has ended.

    Args:
        commands: name -> program and arguments, in the order in which they begin.
        devices: GPUs as CUDA_VISIBLE_DEVICES names them; as many commands run at a time.
        echo: is given each line that a command prints, with its name before it.

    Raises:
        InputError: if commands failed, when all have ended; the others are not disturbed.
    """
    free = queue.SimpleQueue()
    for device in devices:
        free.put(device)
    failed, threads = [], []

    def run(name, device):
        process = subprocess.Popen(
            commands[name],
            env=os.environ | {"CUDA_VISIBLE_DEVICES": device},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for line in process.stdout:
            echo(f"[{name}] {line.rstrip()}")
        if process.wait():
            failed.append(name)
        free.put(device)

    try:
        for name in commands:
            thread = threading.Thread(target=run, args=(name, free.get()))
            thread.start()
            threads.append(thread)
    finally:  # Ctrl-C reaches the processes too: they end by themselves.
        for thread in threads:
            thread.join()
    if failed:
        raise InputError(
            f"{', '.join(failed)} did not finish, see above; the same command, without --restart, "
            "goes on with what is missing."
        )
