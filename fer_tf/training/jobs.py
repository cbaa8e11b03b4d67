"""Trains the networks that one command names: in turn on one device, or side by side on GPUs."""

import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fer_tf.data import occluder_dataset
from fer_tf.data.database import MIXED, UNCOVERED, Database
from fer_tf.expressions import TASKS
from fer_tf.models.networks import OCCLUSION_NET
from fer_tf.occlusion.kinds import RECOGNISED
from fer_tf.records.run import is_finished
from fer_tf.training.gpu_processes import run_on_gpus, visible_gpus
from fer_tf.training.options import ALL, TrainOptions
from fer_tf.training.strategies import make_strategy

TRAIN = (sys.executable, "-m", "fer_tf.cli", "train")
"""The command that trains one network in a process of its own."""


@dataclass(frozen=True)
class TrainedNetworks:
    """What a training leaves of one database.

    Attributes:
        database: on which the networks were trained.
        run_folders: network -> the folder of its run.
        figure: the validation losses, drawn where all networks were trained; else None.
        accuracies: occlusion -> share of the validation images with this occlusion for which
            OcclusionNet recognises it; empty for the networks of expressions.
    """

    database: Database
    run_folders: dict[str, Path]
    figure: Path | None = None
    accuracies: dict[str, float] = field(default_factory=dict)


def train_networks(
    options: TrainOptions, load_tensorflow: Callable[[], None], note: Callable[[str], None] = print
) -> list[TrainedNetworks]:
    """Trains what the options name, and resumes what was interrupted.

    Args:
        options: which networks are trained, on what, and how.
        load_tensorflow: imports TensorFlow; called once the databases have been found.
        note: is given each sentence for the user.

    Returns:
        What was trained on each database; nothing for all but the first of several workers.

    Raises:
        UserError: if a database is not prepared; see also `make_strategy` and
            `fer_tf.training.train.train_network`.
    """
    databases = options.find_databases()
    load_tensorflow()
    from fer_tf.training.workers import is_chief

    gpus = visible_gpus() if options.parallel else []
    if len(gpus) > 1:
        train_side_by_side(options, databases, gpus, note)
    else:
        if options.parallel:
            note("Note: --parallel would not help on one device; one network after the other.")
        strategy = make_strategy(options.strategy)
        for database in databases:
            train_in_turn(options, database, strategy, note)
        if not is_chief(strategy):
            return []
    return [_summarise(options, database) for database in databases]


def train_in_turn(
    options: TrainOptions, database: Database, strategy, note: Callable[[str], None] = print
) -> None:
    """Trains one network after the other; the first of several workers shows their progress.

    Args:
        options: which networks are trained, and how.
        database: on which they are trained and validated.
        strategy: a `tf.distribute.Strategy`, or None.
        note: is given a sentence on what takes minutes before training begins.

    Raises:
        UserError: see `fer_tf.training.train.train_network`.
    """
    from fer_tf.training.progress import Progress
    from fer_tf.training.session import TrainingSession
    from fer_tf.training.train import train_network
    from fer_tf.training.workers import is_chief

    key = options.key(database)
    if options.is_occlusion_net:
        splits_of = _occluder_splits(options, database, note)
    else:
        splits_of = _expression_splits(options, database, note)
    title = f"{database}, recipe {key.recipe.name}"
    shown = Progress(title, options.networks) if is_chief(strategy) else contextlib.nullcontext()
    with shown as progress:
        session = TrainingSession(
            strategy, options.restart, options.deterministic, verbose=0, progress=progress
        )
        for network in options.networks:
            train_network(network, key, *splits_of(network), options.runs_dir, session=session)


def train_side_by_side(
    options: TrainOptions,
    databases: Sequence[Database],
    gpus: Sequence[str],
    note: Callable[[str], None] = print,
) -> None:
    """Trains one network per GPU at a time, each by a command of its own.

    The network that the others are initialised from is trained before them.

    Args:
        options: which networks are trained, and how.
        databases: on which each of them is trained.
        gpus: as CUDA_VISIBLE_DEVICES names them.
        note: is given each line that a command prints.

    Raises:
        UserError: if commands failed, when all have ended.
    """
    first = [network for network in options.networks if network == options.recipe.init_from]
    others = [network for network in options.networks if network not in first]
    for networks in filter(None, (first, others)):
        commands = {
            f"{database} {network}": [*TRAIN, *options.arguments(database, network)]
            for database in databases
            for network in networks
        }
        run_on_gpus(commands, gpus, note)


def _summarise(options, database):
    """Draws or measures what a user wants to see of a training that has ended."""
    folders = options.run_folders(database)
    if options.is_occlusion_net:
        accuracies = _validation_accuracies(database, folders[OCCLUSION_NET], options.seed)
        return TrainedNetworks(database, folders, accuracies=accuracies)
    if options.network != ALL:
        return TrainedNetworks(database, folders)
    from fer_tf.plots.faces import plot_losses
    from fer_tf.training.callbacks import validation_losses

    figure = options.runs_dir / database.name / database.config / options.run_name / "losses.png"
    plot_losses(validation_losses(folders), figure, f"{database}, recipe {options.run_name}")
    return TrainedNetworks(database, folders, figure)


def _validation_accuracies(database, folder, seed):
    """Occlusion -> share of its validation images for which OcclusionNet recognises it."""
    from fer_tf.data.input_pipeline import evaluation_batches
    from fer_tf.training.checkpoint import load_best

    images, classes = occluder_dataset.draw_split(database, "validation", seed)
    logits = load_best(folder).predict(evaluation_batches(images, classes), verbose=0)
    is_right = logits.argmax(axis=1) == classes
    return {
        kind: float(is_right[classes == number].mean()) for number, kind in enumerate(RECOGNISED)
    }


def _expression_splits(options, database, note):
    """Returns a function: network -> the splits on which it is trained and validated."""
    from fer_tf.training.distillation import soft_targets

    recipe = options.key(database).recipe
    validation = database.read("validation", options.stream)
    if recipe.covers_anew:
        train = database.beside(MIXED).with_eye_masks("train")
    else:
        train = database.read("train", options.stream)
    logits = _teacher_logits(options, database, train, note) if recipe.distillation else None

    def splits(network):
        task = TASKS[network]
        images, classes = train.for_task(task)
        if logits is not None:
            rows = train.rows_of(task)
            temperature = recipe.distillation.temperature
            classes = soft_targets(task, classes, [each[rows] for each in logits], temperature)
        return [(images, classes), validation.for_task(task)]

    return splits


def _teacher_logits(options, database, train, note):
    """The logits of each of the recipe's teachers for the training faces, uncovered."""
    from fer_tf.training.distillation import teacher_logits

    recipe, uncovered = options.recipe, database.beside(UNCOVERED)
    faces = train.images[..., :1] if recipe.covers_anew else uncovered.read("train").images
    note("The teachers classify the uncovered faces, about a minute each")
    parent = options.runs_dir / UNCOVERED / database.config
    return [
        teacher_logits(parent / name / "flat", faces, uncovered.fingerprint())
        for name in recipe.distillation.teachers
    ]


def _occluder_splits(options, database, note):
    """Returns the same function for OcclusionNet: faces into which occluders are drawn.

    A finished run looks at no training image, so none is drawn for it.
    """
    validation = occluder_dataset.draw_split(database, "validation", options.seed)
    folder = options.run_folders(database)[OCCLUSION_NET]
    if not options.restart and is_finished(folder):
        return lambda _: [validation, validation]
    note("Drawing masks, glasses, headsets and hands into the faces, some minutes")
    train = occluder_dataset.draw_split(database, "train", options.seed)
    return lambda _: [train, validation]
