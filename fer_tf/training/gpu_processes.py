"""Commands that run side by side, each on a GPU of its own."""

import os
import queue
import subprocess
import threading
from collections.abc import Callable, Sequence

from fer_tf.errors import UserError


def visible_gpus() -> list[str]:
    """The GPUs of this process, as CUDA_VISIBLE_DEVICES names them."""
    import tensorflow as tf

    count = len(tf.config.list_physical_devices("GPU"))
    names = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return (names or [str(number) for number in range(count)])[:count]


def run_on_gpus(
    commands: dict[str, list[str]], gpus: Sequence[str], note: Callable[[str], None] = print
) -> None:
    """Runs commands side by side, each seeing one GPU; the next begins where one has ended.

    Args:
        commands: name -> program and arguments, in the order in which they begin.
        gpus: as CUDA_VISIBLE_DEVICES names them; as many commands run at a time.
        note: is given each line that a command prints, with the command's name before it.

    Raises:
        UserError: if commands failed, when all have ended; the others are not disturbed.
    """
    free = queue.SimpleQueue()
    for gpu in gpus:
        free.put(gpu)
    failed, threads = [], []

    def run(name, gpu):
        process = subprocess.Popen(
            commands[name],
            env=os.environ | {"CUDA_VISIBLE_DEVICES": gpu},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for line in process.stdout:
            note(f"[{name}] {line.rstrip()}")
        if process.wait():
            failed.append(name)
        free.put(gpu)

    try:
        for name in commands:
            thread = threading.Thread(target=run, args=(name, free.get()))
            thread.start()
            threads.append(thread)
    finally:  # Ctrl-C reaches the processes too: they end by themselves.
        for thread in threads:
            thread.join()
    if failed:
        raise UserError(
            f"{', '.join(failed)} did not finish, see above; the same command, without --restart, "
            "goes on with what is missing."
        )
