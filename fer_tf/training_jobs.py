"""Trains the networks that one command names: in turn on one device, or side by side on GPUs."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from fer_tf.expressions import TASKS
from fer_tf.input_pipeline import MIXED, UNCOVERED, Database
from fer_tf.networks import OCCLUSION
from fer_tf.parallel import run_on_devices
from fer_tf.runs import RunKey, is_finished


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
        deterministic: see `fer_tf.training.train_network`.
        stream: whether images stay on disk, see `Database.read`.
        note: is told what takes minutes before training begins.

    Raises:
        InputError: see `fer_tf.training.train_network`.
    """
    from fer_tf.progress import Progress
    from fer_tf.training import train_network
    from fer_tf.workers import is_chief

    if OCCLUSION in networks:
        done = not restart and is_finished(key.folder(runs_dir, OCCLUSION))
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
        InputError: if commands failed, when all have ended.
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
    from fer_tf.distillation import soft_targets

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
    from fer_tf.distillation import teacher_logits

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
    from fer_tf.occlusion_net import draw_split

    validation = draw_split(database, "validation", seed)
    if done:
        return lambda _: [validation, validation]
    note("Drawing masks, glasses, headsets and hands into the faces, some minutes")
    train = draw_split(database, "train", seed)
    return lambda _: [train, validation]
