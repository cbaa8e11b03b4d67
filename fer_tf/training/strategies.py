"""The one `tf.distribute.Strategy` of a process: training spread over devices and machines."""

import json
import os
import sys

from fer_tf.errors import UserError

STRATEGIES = ("auto", "one", "mirrored", "multi-worker")


def make_strategy(name: str):
    """Make the one distribution strategy of this process, before anything else of TensorFlow.

    No strategy has been run on GPUs so far. "multi-worker" blocks until all workers have started.

    Args:
        name: "one"; "mirrored", all local GPUs (without any, the logical CPU devices);
            "multi-worker", all devices of all machines that the environment variable TF_CONFIG
            lists; "auto", multi-worker where TF_CONFIG lists several workers, mirrored with two or
            more GPUs, else one.

    Returns:
        A `tf.distribute.Strategy`; memory of GPUs is allocated as it is needed.

    Raises:
        UserError: for another name, or for "multi-worker" without a TF_CONFIG of several workers.
    """
    import tensorflow as tf

    if name not in STRATEGIES:
        raise UserError(f"No strategy is named {name!r}; choose {', '.join(STRATEGIES)}.")
    gpus = grow_memory()
    if name == "auto":
        name = "multi-worker" if listed_workers() else "mirrored" if gpus > 1 else "one"
    if name == "multi-worker":
        return _multi_worker()
    if name == "mirrored":
        kind = "GPU" if gpus else "CPU"
        count = len(tf.config.list_logical_devices(kind))
        return tf.distribute.MirroredStrategy([f"{kind}:{i}" for i in range(count)])
    return tf.distribute.get_strategy()


def grow_memory() -> int:
    """Have the memory of GPUs allocated as it is needed, not all at once; return their number."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    return len(gpus)


def make_deterministic() -> None:
    """Restrict TensorFlow, for the rest of the process, to operations that give the same bits.

    JAX is left as it is.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def _multi_worker():
    import tensorflow as tf

    workers = listed_workers()
    if not workers:
        raise UserError(
            "--strategy multi-worker needs TF_CONFIG in the environment of each worker, e.g. "
            'TF_CONFIG=\'{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": '
            '{"type": "worker", "index": 0}}\', the index being the worker\'s own.'
        )
    print(f"Waiting until all {len(workers)} workers have started", file=sys.stderr, flush=True)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (tf.errors.OpError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"The workers of TF_CONFIG did not come together: {reason}. Its addresses must be "
            "free, the same for each worker and within reach of all; start all within minutes."
        ) from error


def listed_workers() -> list[str]:
    """The addresses of the workers in TF_CONFIG, empty if it has fewer than two.

    Raises:
        UserError: if TF_CONFIG is not what TensorFlow expects.
    """
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text or "{}")
        cluster = config.get("cluster", {})
        addresses = [a for kind in ("chief", "worker") for a in cluster.get(kind, [])]
        if addresses:
            int(config["task"]["index"])
    except (ValueError, AttributeError, KeyError, TypeError):
        raise UserError(
            f'TF_CONFIG is {text!r}; expected JSON with "cluster" and "task", the latter with '
            '"type" and "index".'
        ) from None
    return addresses if len(addresses) > 1 else []
