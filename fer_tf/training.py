"""Trains one network on one task; interrupted, it goes on from the last finished epoch."""

import contextlib
import json
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import monotonic

import numpy as np

import fer_tf
from fer_tf.errors import InputError
from fer_tf.expressions import EXPRESSIONS, TASKS
from fer_tf.occlusion import visible_rows
from fer_tf.recipes import Recipe

RUN_FILE = "run.json"
PACKAGES = ("tensorflow", "keras", "jax", "numpy", "opencv-python-headless", "tensorflow-datasets")


@dataclass(frozen=True)
class RunKey:
    """What a run was made of; networks are combined only when all of it agrees.

    Attributes:
        database: "concat_db", "bconcat_db" or "eye_cdb".
        config: of the database, e.g. "fer2013-leakfree".
        fingerprint: hash of the database's faces, labels and splits.
        occlusion: "upper", "lower" or "eyes".
        recipe: the recipe.
        seed: of everything random.
    """

    database: str
    config: str
    fingerprint: str
    occlusion: str
    recipe: Recipe
    seed: int = 0

    def folder(self, runs_dir: Path, network: str) -> Path:
        """Where the run of one network lives under the runs directory."""
        return runs_dir / self.database / self.config / self.recipe.name / network

    def as_dict(self, network: str) -> dict:
        """Plain values that go into `run.json` and must not change while a run goes on."""
        values = {
            "database": self.database,
            "config": self.config,
            "data_fingerprint": self.fingerprint,
            "occlusion": self.occlusion,
            "recipe": self.recipe.as_dict(network),
            "seed": self.seed,
            "network": network,
            "classes": list(TASKS[network].classes),
            "labels": list(EXPRESSIONS),
        }
        return json.loads(json.dumps(values))  # Tuples become lists, as they are read back.


def make_strategy(name: str):
    """The one distribution strategy of this process.

    Args:
        name: "one"; "mirrored", all local GPUs; "auto", mirrored with two or more GPUs, else one.

    Returns:
        A `tf.distribute.Strategy`. GPUs give memory as it is needed rather than all at once.

    Raises:
        InputError: for another name.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if name == "auto":
        name = "mirrored" if len(gpus) > 1 else "one"
    if name == "mirrored":
        # Without GPUs: the logical CPU devices, of which tests make two.
        kind = "GPU" if gpus else "CPU"
        count = len(tf.config.list_logical_devices(kind))
        return tf.distribute.MirroredStrategy([f"{kind}:{i}" for i in range(count)])
    if name == "one":
        return tf.distribute.get_strategy()
    raise InputError(f"No strategy is named {name!r}; choose auto, one or mirrored.")


def build_network(network: str, recipe: Recipe, occlusion: str):
    """A fresh network for a task: uint8 [B, 48, 48, 1] in, logits [B, classes] out."""
    from fer_tf.models.expression_net import expression_net
    from fer_tf.models.resnext import ResNeXt

    return expression_net(
        classes=len(TASKS[network].classes),
        image_size=recipe.image_size,
        backbone=ResNeXt(**vars(recipe.backbone)),
        attention=recipe.attention,
        rows=visible_rows(occlusion if recipe.visible_rows else "eyes"),
        dropout=recipe.dropout,
        name=network,
    )


def train_network(
    network: str,
    key: RunKey,
    train: tuple,
    validation: tuple,
    runs_dir: Path,
    strategy=None,
    restart: bool = False,
    verbose: int | str = "auto",
    progress=None,
) -> dict:
    """Trains one network and leaves its run folder.

    The folder holds `best.keras` (lowest validation loss), `state.npz` (to go on from),
    `history.csv`, `tensorboard/` and `run.json`. A finished run is not trained again, an
    unfinished one goes on.

    Args:
        network: a name in `TASKS`.
        key: database, recipe and seed.
        train: images uint8 [N, 48, 48, 1] and classes int32 [N] of the training split.
        validation: the same of the validation split.
        runs_dir: where runs live.
        strategy: a `tf.distribute.Strategy`, or None for none (always on JAX).
        restart: throw away what the folder holds and begin anew.
        verbose: as in `keras.Model.fit`; 0 where there is a progress.
        progress: a `fer_tf.progress.Progress` to tell how it goes, or None.

    Returns:
        What `run.json` holds.

    Raises:
        InputError: if the folder holds a run with other data, recipe or seed, or a split is empty.
    """
    import keras

    from fer_tf.checkpoint import Checkpoint
    from fer_tf.input_pipeline import evaluation_batches, training_batches
    from fer_tf.reports import Watch, read_history, reports

    for name, (images, _) in (("training", train), ("validation", validation)):
        if not len(images):
            raise InputError(
                f"{network} has no {name} image in {key.database}/{key.config}; build the database "
                "from sources that have its expressions."
            )
    folder = key.folder(runs_dir, network)
    run = _open_run(folder, key.as_dict(network), restart)
    if run["finished"]:
        if progress:
            progress.finish(network, run, read_history(folder))
        return run

    keras.utils.set_random_seed(key.seed)
    schedule = key.recipe.schedules[network]
    steps = -(-len(train[0]) // schedule.batch_size)
    if schedule.balanced:
        count = np.bincount(train[1], minlength=len(TASKS[network].classes))
        weights = (len(train[1]) / (len(count) * np.maximum(count, 1))).astype(np.float32)
        train, validation = [(*split, weights[split[1]]) for split in (train, validation)]
    with strategy.scope() if strategy else contextlib.nullcontext():
        net = build_network(network, key.recipe, key.occlusion)
        model = keras.Sequential([net.input, *key.recipe.augmentation(), net])
        model.compile(
            optimizer=_optimizer(key.recipe, schedule, steps),
            loss=_loss(key.recipe, len(TASKS[network].classes)),
            metrics=["accuracy"],
            # "auto" is XLA, which on CPUs is slow for these networks and with several replicas
            # may hang (keras#20763).
            jit_compile=keras.backend.backend() == "jax",
        )
        model.optimizer.build(model.trainable_variables)
        checkpoint = Checkpoint(net, folder)
        checkpoint.restore(model)
        first_epoch = checkpoint.epochs_done
        callbacks = [*reports(folder, first_epoch), checkpoint]
        if progress:
            size = len(train[0]), schedule.batch_size
            callbacks.append(Watch(progress, network, checkpoint, *size, schedule.epochs))
        started = monotonic()
        model.fit(
            training_batches(
                *train, batch_size=schedule.batch_size, seed=key.seed, first_epoch=first_epoch
            ),
            steps_per_epoch=steps,
            initial_epoch=first_epoch,
            epochs=schedule.epochs,
            validation_data=evaluation_batches(*validation),
            callbacks=callbacks,
            shuffle=False,  # The batches come shuffled.
            verbose=verbose,
        )
    seconds = monotonic() - started
    run |= {
        "finished": True,
        "epochs_done": checkpoint.epochs_done,
        "best_epoch": checkpoint.best_epoch,
        "best_validation_loss": checkpoint.best,
        "weights": net.count_params(),
        "training_images": len(train[0]),
        "seconds": round(seconds, 1),
        "images_per_second": round((schedule.epochs - first_epoch) * len(train[0]) / seconds, 1),
        "ended": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    write_json(folder / RUN_FILE, run)
    if progress:
        progress.finish(network, run, read_history(folder))
    return run


def read_run(folder: Path) -> dict | None:
    """What `run.json` in a run's folder holds, or None where no run was begun."""
    path = folder / RUN_FILE
    return json.loads(path.read_text()) if path.is_file() else None


def write_json(path: Path, value) -> None:
    """Writes a JSON file beside and renames it, so that no half-written one is ever read."""
    beside = path.with_name(f"writing-{path.name}")
    beside.write_text(json.dumps(value, indent=1) + "\n")
    os.replace(beside, path)


def _open_run(folder, key, restart):
    """Reads the run in a folder or begins it; refuses one that was begun with another key."""
    if restart and folder.exists():
        shutil.rmtree(folder)
    run = read_run(folder)
    if run is None:
        folder.mkdir(parents=True, exist_ok=True)
        run = key | {
            "finished": False,
            "begun": datetime.now().astimezone().isoformat(timespec="seconds"),
            "fer_tf": fer_tf.__version__,
            "python": platform.python_version(),
            "packages": _package_versions(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
            "command": " ".join(sys.argv),
        }
        write_json(folder / RUN_FILE, run)
        return run
    for name, value in key.items():
        if run[name] != value:
            raise InputError(
                f"{folder} holds a run with {name} {_short(run[name])}, now it is {_short(value)}; "
                "train again with --restart, or into another --runs-dir."
            )
    return run


def _short(value):
    text = str(value)
    return text if len(text) < 60 else "other than now"


def _optimizer(recipe, schedule, steps):
    import keras

    from fer_tf.sgd import SGD

    rate = schedule.learning_rate
    warmup = round(recipe.warmup_epochs * steps)
    total = schedule.epochs * steps
    if recipe.cosine_decay:
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else rate,
            decay_steps=max(total - warmup, 1),
            warmup_target=rate if warmup else None,
            warmup_steps=warmup,
        )
    return SGD(
        rate,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay or None,
    )


def _loss(recipe, classes):
    import keras

    if not recipe.label_smoothing:
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def smoothed_cross_entropy(labels, logits):
        one_hot = keras.ops.one_hot(keras.ops.reshape(labels, (-1,)), classes)
        return keras.losses.categorical_crossentropy(
            one_hot, logits, from_logits=True, label_smoothing=recipe.label_smoothing
        )

    return smoothed_cross_entropy


def _package_versions():
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
