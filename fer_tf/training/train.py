"""Trains one network on one task; interrupted, it goes on from the last finished epoch."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from fer_tf.errors import UserError
from fer_tf.expressions import MULTI_NETWORK, TASKS
from fer_tf.models.networks import classes_of
from fer_tf.occlusion.kinds import RECOGNISED, visible_rows
from fer_tf.records.run import Run, is_finished, read_run, write_run
from fer_tf.training.compatibility import refuse_other_faces, refuse_other_origin
from fer_tf.training.recipe import Recipe
from fer_tf.training.run_folder import RunKey, locked, now, other_versions
from fer_tf.training.strategies import make_deterministic
from fer_tf.training.workers import is_chief, open_for_all, worker_count


def build_network(network: str, recipe: Recipe, occlusion: str):
    """A fresh network for a task: uint8 [B, 48, 48, 1] in, logits [B, classes] out."""
    from fer_tf.models.expression_net import expression_net

    return expression_net(
        classes=len(classes_of(network)),
        image_size=recipe.image_size,
        backbone=recipe.backbone,
        attention=recipe.attention,
        rows=visible_rows(occlusion if recipe.visible_rows else "eyes"),
        dropout=recipe.dropout,
        name=network,
        expressions=TASKS[network].expressions if _reads_expressions(network, recipe) else None,
    )


def _reads_expressions(network, recipe):
    return recipe.expression_logits and network in MULTI_NETWORK


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
    deterministic: bool = False,
    note: Callable[[str], None] | None = None,
    start=None,
) -> Run:
    """Trains one network and leaves its run folder.

    The folder holds `best.keras` (of the epoch that the recipe keeps), `state.npz` (to go on from),
    `history.csv`, `tensorboard/` and `run.json`. A finished run is not trained again, an
    unfinished one goes on. Of several workers the first writes it; the others read it too.

    Args:
        network: a name in `fer_tf.models.networks.NETWORKS`.
        key: database, recipe, seed and precision.
        train: images uint8 [N, 48, 48, 1] and classes int32 [N] of the training split, or targets
            float32 [N, 1 + classes] of `fer_tf.training.distillation.soft_targets`. Where the
            recipe covers faces anew images are [N, 48, 48, 2], see `MixedDatabase.with_eye_masks`.
        validation: images uint8 [N, 48, 48, 1] and classes int32 [N] of the validation split.
        runs_dir: where runs live.
        strategy: a `tf.distribute.Strategy`, or None for none (always on JAX).
        restart: throw away what the folder holds and begin anew.
        verbose: as in `keras.Model.fit`; 0 where there is a progress.
        progress: a `fer_tf.training.progress.Progress` to tell how it goes, or None.
        deterministic: take only operations that give the same bits each time, which is slower;
            holds for the process from then on. On JAX nothing is changed.
        note: is told, in a sentence, what a user should know; the progress or `print` when None.
        start: a network of the same shape, but for its classes, from whose weights to begin; by
            default what the recipe says.

    Returns:
        The finished run, as `run.json` records it.

    Raises:
        UserError: if the folder holds a run with other data, recipe, seed or precision, or one
            that started from a network which has been trained anew since, or is in use; if the
            network that it starts from is not trained; if a split is empty or too small for the
            replicas; if Keras is set to another float type than float32 or to images with their
            channels first; if memory runs out, the loss stops being a number, or another worker is
            lost.
    """
    from fer_tf.training.callbacks import explained, read_history
    from fer_tf.training.checkpoint import epochs_done, load_best
    from fer_tf.training.run_folder import checkpoint_sha256

    _refuse_settings()
    schedule = key.recipe.schedules[network]
    for name, (images, _) in (("training", train), ("validation", validation)):
        _refuse_few(network, key, name, len(images), strategy)
    if key.precision == "float16":
        _refuse_cpu()
    folder = key.folder(runs_dir, network)
    with (
        explained(network, schedule, worker_count(strategy)),
        locked(folder) if is_chief(strategy) else contextlib.nullcontext(),
    ):
        run = open_for_all(folder, key.setup(network), restart, strategy)
        begun = run.finished or epochs_done(folder) > 0
        if begun:
            refuse_other_origin(run, folder)
        if run.finished:
            if progress:
                progress.finish(network, run, read_history(folder))
            return run
        if deterministic:
            make_deterministic()
        run = replace(run, deterministic=deterministic)
        if start is None and not begun and (origin := _starting_point(network, key, runs_dir)):
            start = load_best(origin)
            run = replace(run, init_sha256=checkpoint_sha256(origin))
            if is_chief(strategy):
                write_run(folder, run)
        result = _fit(
            network, key, train, validation, folder, start, strategy, verbose, progress, note
        )
        run = replace(run, **result)
        if is_chief(strategy):
            write_run(folder, run)
        if progress:
            progress.finish(network, run, read_history(folder))
        return run


def _starting_point(network, key, runs_dir):
    """The run of the network from whose weights this one begins, None where from nothing."""
    origin = key.recipe.origin(key.database, network)
    if origin is None:
        return None
    database, parent = origin
    folder = replace(key, database=database).folder(runs_dir, parent)
    if not is_finished(folder):
        raise UserError(
            f"With recipe {key.recipe.name} {network} starts from {parent}, which is not trained "
            f"in {folder}; give `python cli.py train {parent} --database {database}/{key.config} "
            f"--recipe {key.recipe.name}` first."
        )
    expected = key.fingerprint if database == key.database else key.origin_fingerprint
    refuse_other_faces(read_run(folder), folder, f"{database}/{key.config}", expected)
    return folder


def begin_from(net, start) -> None:
    """Gives a network another's weights, but not those of a last layer with other classes."""
    from fer_tf.models.expression_net import LOGITS

    same = net.get_layer(LOGITS).output.shape == start.get_layer(LOGITS).output.shape
    for layer in net.layers:
        if layer.weights and (layer.name != LOGITS or same):
            layer.set_weights(start.get_layer(layer.name).get_weights())


def keep_stages(net, count: int) -> None:
    """Leaves the first stages of a network's backbone, and what is before them, as they are."""
    if count:
        for layer in net.layers:
            if layer.name.startswith((f"stage_{count + 1}_", "pool")):
                return
            layer.trainable = False


def augmentation_of(key: RunKey) -> list:
    """The Keras layers that stand before a network while it is trained."""
    from fer_tf.models.layers.random_occlusion import RandomOcclusion
    from fer_tf.models.layers.random_usual_eyes import RandomUsualEyes

    layers = key.recipe.augmentation()
    if key.recipe.covers_anew:
        kinds = RECOGNISED if key.occlusion == "mixed" else (key.occlusion,)
        return [*layers, RandomOcclusion(kinds, key.recipe.usual_eyes)]
    if key.occlusion == "eyes" and key.recipe.usual_eyes:
        # First, so that what moves the face moves the boxes with it.
        layers.insert(0, RandomUsualEyes(key.recipe.usual_eyes))
    return layers


def _fit(network, key, train, validation, folder, start, strategy, verbose, progress, note):
    """Trains from the last finished epoch on; returns what `run.json` is to say about it."""
    import keras

    from fer_tf.training.callbacks import StopOnBadLoss, Watch, reports
    from fer_tf.training.checkpoint import Checkpoint
    from fer_tf.training.distillation import ClassAccuracy
    from fer_tf.training.optimizer import computing_in, make_loss, make_optimizer

    keras.utils.set_random_seed(key.seed)
    schedule = key.recipe.schedules[network]
    steps = -(-len(train[0]) // schedule.batch_size)
    with strategy.scope() if strategy else contextlib.nullcontext():
        with computing_in(key.precision):
            net = build_network(network, key.recipe, key.occlusion)
        if start:
            begin_from(net, start)
            if network != key.recipe.init_from:
                keep_stages(net, key.recipe.shared_stages)
        augmentation = augmentation_of(key)
    replicas = strategy.num_replicas_in_sync if strategy else 1
    plain = replicas == 1 and key.precision == "float32"
    checkpoint = Checkpoint(
        net,
        folder,
        keeps=key.recipe.keeps,
        saved_as=None if plain else build_network(network, key.recipe, key.occlusion),
        writes=is_chief(strategy),
    )
    # Made outside the scope: see ReplicatedModel.
    shape = train[0].shape[1:]
    images = net.input if shape == net.input_shape[1:] else keras.Input(shape, dtype="uint8")
    model = _model_class()([images, *augmentation, net])
    with strategy.scope() if strategy else contextlib.nullcontext():
        model.compile(
            optimizer=make_optimizer(key, schedule, steps),
            loss=make_loss(key.recipe, len(classes_of(network))),
            metrics=[ClassAccuracy(name="accuracy")],
            # "auto" is XLA, which on CPUs is slow for these networks and with several replicas
            # may hang (keras#20763).
            jit_compile=keras.backend.backend() == "jax",
        )
        model.optimizer.build(model.trainable_variables)
        checkpoint.restore(model)
        callbacks = [StopOnBadLoss(folder, schedule, key.precision)]
        if checkpoint.writes:
            callbacks += reports(folder, checkpoint.epochs_done)
            if checkpoint.epochs_done and (sentence := other_versions(read_run(folder))):
                (note or (progress.note if progress else print))(sentence)
        callbacks.append(checkpoint)
        if progress:
            size = len(train[0]), schedule.batch_size
            callbacks.append(Watch(progress, network, checkpoint, *size, schedule.epochs))
        model.fit(
            **_batches(network, train, validation, key, checkpoint.epochs_done, strategy),
            steps_per_epoch=steps,
            initial_epoch=checkpoint.epochs_done,
            epochs=schedule.epochs,
            callbacks=callbacks,
            shuffle=False,  # The batches come shuffled.
            verbose=verbose if checkpoint.writes else 0,
        )
    seconds = max(checkpoint.seconds, 0.1)
    return {
        "finished": True,
        "epochs_done": checkpoint.epochs_done,
        "best_epoch": checkpoint.best_epoch,
        "best_validation_loss": checkpoint.best,
        "weights": net.count_params(),
        "training_images": len(train[0]),
        "replicas": replicas,
        "seconds": round(seconds, 1),
        "images_per_second": round(schedule.epochs * len(train[0]) / seconds, 1),
        "ended": now(),
    }


def _refuse_few(network, key, name, count, strategy):
    """Refuses a split without images, or with too few to give each replica one in each step."""
    if not count:
        raise UserError(
            f"{network} has no {name} image in {key.database}/{key.config}; build the database "
            "from sources that have its expressions."
        )
    replicas = strategy.num_replicas_in_sync if strategy else 1
    size = key.recipe.schedules[network].batch_size
    smallest = count // -(-count // size)
    if smallest < replicas:
        raise UserError(
            f"{network} has {count} {name} images in batches of {size}: too few for {replicas} "
            "replicas, of which each needs an image in each step; take --strategy one or a larger "
            "--batch-size."
        )


def _refuse_settings():
    """Refuses what a keras.json may say and these networks are not made for."""
    import keras

    settings = {
        "floatx": (keras.config.floatx(), "float32"),
        "image_data_format": (keras.config.image_data_format(), "channels_last"),
    }
    for name, (value, expected) in settings.items():
        if value != expected:
            raise UserError(
                f"Keras is set to {name} {value}, {expected} is expected: change it in keras.json, "
                f"or call keras.config.set_{name} before."
            )


def _refuse_cpu():
    """Refuses float16, in which TensorFlow's grouped convolution has no gradient on CPUs."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if not tf.config.list_physical_devices("GPU"):
            raise UserError(
                "--mixed-precision float16 needs a GPU, and none is found; take bfloat16 or none."
            )


def _batches(network, train, validation, key, first_epoch, strategy):
    """Both splits as arguments of `fit`, weighted where the loss is balanced."""
    import keras

    from fer_tf.data.input_pipeline import EVALUATION_BATCH, evaluation_batches, training_batches

    schedule, seed = key.recipe.schedules[network], key.seed
    if schedule.balanced:
        classes = [
            split[1] if split[1].ndim == 1 else split[1][:, 0].astype(np.int32)
            for split in (train, validation)
        ]
        count = np.bincount(classes[0], minlength=len(classes_of(network)))
        weights = (len(train[1]) / (len(count) * np.maximum(count, 1))).astype(np.float32)
        train, validation = (*train, weights[classes[0]]), (*validation, weights[classes[1]])
    size = schedule.batch_size
    shuffled = training_batches(*train, batch_size=size, seed=seed, first_epoch=first_epoch)
    # Who had to take small batches cannot have large ones here.
    all_once = evaluation_batches(*validation, batch_size=min(EVALUATION_BATCH, 4 * size))
    if keras.backend.backend() != "tensorflow":
        return {"x": shuffled, "validation_data": all_once}
    import tensorflow as tf

    from fer_tf.training.replicated_model import share

    strategy = strategy or tf.distribute.get_strategy()
    return {
        "x": share(shuffled, strategy),
        "validation_data": share(all_once.repeat(), strategy),
        "validation_steps": int(all_once.cardinality()),
    }


def _model_class():
    import keras

    if keras.backend.backend() != "tensorflow":
        return keras.Sequential
    from fer_tf.training.replicated_model import ReplicatedModel

    return ReplicatedModel
