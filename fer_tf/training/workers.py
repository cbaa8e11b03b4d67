"""Several processes that train one network together: which of them writes, and what they share."""

from pathlib import Path

from fer_tf.errors import UserError
from fer_tf.records.run import Run, RunSetup, read_run
from fer_tf.training.run_folder import open_run


def is_chief(strategy) -> bool:
    """Whether this process is the one that writes run folders.

    Args:
        strategy: the strategy of this process, or None.
    """
    resolver = strategy and strategy.cluster_resolver
    if not resolver or resolver.task_type is None:
        return True
    if "chief" in resolver.cluster_spec().as_dict():
        return resolver.task_type == "chief"
    return resolver.task_type == "worker" and resolver.task_id == 0


def worker_count(strategy) -> int:
    """The number of processes that train together, this one included."""
    resolver = strategy and strategy.cluster_resolver
    if not resolver or resolver.task_type is None:
        return 1
    return sum(len(tasks) for tasks in resolver.cluster_spec().as_dict().values())


def chiefs_value(strategy, value: int) -> int:
    """Send an integer of the chief to all workers, and wait until all of them have called this.

    Args:
        strategy: the strategy of this process.
        value: the integer; that of any other worker than the chief is ignored.
    """
    import tensorflow as tf

    def share():
        context = tf.distribute.get_replica_context()
        # Each of the chief's replicas has the value; the other replicas have less.
        shared = value if is_chief(strategy) else -(2**31)
        gathered = context.all_gather(tf.constant([shared], tf.int32), axis=0)
        return tf.reduce_max(gathered)

    return int(strategy.experimental_local_results(strategy.run(tf.function(share)))[0])


def open_for_all(folder: Path, setup: RunSetup, restart: bool, strategy) -> Run:
    """Open a run in the chief; check that the other workers read the same from its folder.

    Args:
        folder: the run's folder.
        setup: what the run is made of.
        restart: whether the folder is emptied first.
        strategy: the strategy of this process, or None.

    Raises:
        UserError: if the folder has a run that is made of something else, or if the workers
            do not see the same folder.
    """
    from fer_tf.training.checkpoint import epochs_done

    if worker_count(strategy) == 1:
        return open_run(folder, setup, restart)
    refused, finished = -1, -2
    run, error, state = None, None, 0
    if is_chief(strategy):
        try:
            run = open_run(folder, setup, restart)
            state = finished if run.finished else epochs_done(folder)
        except UserError as refusal:
            error, state = refusal, refused
    state = chiefs_value(strategy, state)
    if error:
        raise error
    if state == refused:
        raise UserError("The first worker refused to train; its message has the reason.")
    if is_chief(strategy):
        return run
    run = read_run(folder) or Run(**vars(setup))
    if state != (finished if run.finished else epochs_done(folder)):
        raise UserError(
            f"{folder} is not the folder that the first worker reads; --runs-dir must be a folder "
            "that all workers share."
        )
    return run
