"""Trains the networks that one command names: in turn on one device, or side by side on GPUs."""

import contextlib
import os
import queue
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from fer_tf.data.database import MIXED, UNCOVERED, Database
from fer_tf.data.occluder_dataset import draw_split
from fer_tf.errors import UserError
from fer_tf.expressions import TASKS
from fer_tf.models.networks import OCCLUSION_NET
from fer_tf.occlusion.kinds import RECOGNISED
from fer_tf.records.run import is_finished
from fer_tf.training.run_folder import RunKey


def train_in_turn(
    networks: Sequence[str],
    database: Database,
    key: RunKey,
    runs_dir: Path,
    strategy=None,
    restart: bool = False,
    deterministic: bool = False,
    stream: bool | None = None,
    note: Callable[[str], None] = print,
) -> None:
    """Trains one network after the other; the first of several workers shows how they come along.

    Args:
        networks: names in `TASKS`, those first that others start from; or OcclusionNet alone.
        database: what they are trained and validated on.
        key: what the runs are made of.
        runs_dir: where runs live.
        strategy: a `tf.distribute.Strategy`, or None for none.
        restart: begin anew.
        deterministic: see `fer_tf.training.train.train_network`.
        stream: whether images stay on disk, see `Database.read`.
        note: is told what takes minutes before training begins.

    Raises:
        UserError: see `fer_tf.training.train.train_network`.
    """
    from fer_tf.training.progress import Progress
    from fer_tf.training.train import train_network
    from fer_tf.training.workers import is_chief

    if OCCLUSION_NET in networks:
        done = not restart and is_finished(key.folder(runs_dir, OCCLUSION_NET))
        splits_of = _drawn(database, key.seed, done, note)
    else:
        splits_of = _splits_of(database, key, runs_dir, stream, note)
    title = f"{database}, recipe {key.recipe.name}"
    shown = Progress(title, networks) if is_chief(strategy) else contextlib.nullcontext()
    with shown as progress:
        for network in networks:
            train_network(
                network,
                key,
                *splits_of(network),
                runs_dir,
                strategy,
                restart,
                verbose=0,
                progress=progress,
                deterministic=deterministic,
            )


def train_side_by_side(
    networks: Sequence[str],
    databases: Sequence[Database],
    first: str | None,
    command: Sequence[str],
    options: dict[str, object],
    gpus: Sequence[str],
    note: Callable[[str], None] = print,
) -> None:
    """Trains one network per GPU at a time, each by a command of its own.

    Args:
        networks: names in `TASKS`.
        databases: what they are trained on.
        first: the network that the others start from and wait for; None where they need nothing
            of each other.
        command: program and arguments to which a network's name is added.
        options: option -> its value; True is a flag, and what is None or False is left out.
        gpus: as CUDA_VISIBLE_DEVICES names them.
        note: is given each line that a command prints.

    Raises:
        UserError: if commands failed, when all have ended.
    """
    shared = []
    for option, value in options.items():
        if value is not None and value is not False:
            shared += [option] if value is True else [option, str(value)]
    for part in ([n for n in networks if n == first], [n for n in networks if n != first]):
        commands = {
            f"{database} {network}": [
                *(*command, network, "--database", str(database), "--strategy", "one", *shared)
            ]
            for database in databases
            for network in part
        }
        if commands:
            run_on_devices(commands, gpus, note)


def _splits_of(database, key, runs_dir, stream, note):
    """Function of an expression network: what it is trained and validated on."""
    from fer_tf.training.distillation import soft_targets

    recipe = key.recipe
    validation = database.read("validation", stream)
    if recipe.covers_anew:
        train = database.beside(MIXED).with_eye_masks("train")
    else:
        train = database.read("train", stream)
    logits = _teachers(database, recipe, runs_dir, train, note) if recipe.distillation else None

    def splits(network):
        task = TASKS[network]
        images, classes = train.for_task(task)
        if logits is not None:
            rows = train.rows_of(task)
            temperature = recipe.distillation.temperature
            classes = soft_targets(task, classes, [each[rows] for each in logits], temperature)
        return [(images, classes), validation.for_task(task)]

    return splits


def _teachers(database, recipe, runs_dir, train, note):
    """What each teacher of a recipe says of the training faces, which it sees uncovered."""
    from fer_tf.training.distillation import teacher_logits

    uncovered = database.beside(UNCOVERED)
    faces = train.images[..., :1] if recipe.covers_anew else uncovered.read("train").images
    note("Asking the teachers what they see in the uncovered faces, about a minute each")
    parent = runs_dir / UNCOVERED / database.config
    return [
        teacher_logits(parent / name / "flat", faces, uncovered.fingerprint())
        for name in recipe.distillation.teachers
    ]


def _drawn(database, seed, done, note):
    """The same of OcclusionNet: uncovered faces, into which occluders are drawn.

    Of a run that is done no training image is looked at, so none is drawn.
    """
    from fer_tf.data.occluder_dataset import draw_split

    validation = draw_split(database, "validation", seed)
    if done:
        return lambda _: [validation, validation]
    note("Drawing masks, glasses, headsets and hands into the faces, some minutes")
    train = draw_split(database, "train", seed)
    return lambda _: [train, validation]


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
        UserError: if commands failed, when all have ended; the others are not disturbed.
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
        raise UserError(
            f"{', '.join(failed)} did not finish, see above; the same command, without --restart, "
            "goes on with what is missing."
        )


def validation_accuracies(database: Database, folder: Path, seed: int) -> dict[str, float]:
    """Kind -> share of the validation images of this kind that a trained run recognises.

    Args:
        database: the uncovered faces.
        folder: of the run.
        seed: of the drawings, the run's.
    """
    from fer_tf.data.input_pipeline import evaluation_batches
    from fer_tf.training.checkpoint import load_best

    images, classes = draw_split(database, "validation", seed)
    logits = load_best(folder).predict(evaluation_batches(images, classes), verbose=0)
    right = logits.argmax(axis=1) == classes
    return {kind: float(right[classes == number].mean()) for number, kind in enumerate(RECOGNISED)}
