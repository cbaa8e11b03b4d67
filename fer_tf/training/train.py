"""Trains one network on one task; an interrupted run continues after its last finished epoch."""

import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from fer_tf.errors import UserError
from fer_tf.models.networks import classes_of
from fer_tf.records.run import Run, is_finished, read_run, write_run
from fer_tf.training.compatibility import refuse_other_faces, refuse_other_origin
from fer_tf.training.network import augmentation_of, begin_from, build_network, freeze_stages
from fer_tf.training.run_folder import RunKey, locked, now, other_versions
from fer_tf.training.session import USUAL_SESSION, TrainingSession
from fer_tf.training.strategies import make_deterministic
from fer_tf.training.workers import open_for_all, worker_count


def train_network(
    network: str,
    key: RunKey,
    train: tuple,
    validation: tuple,
    runs_dir: Path,
    session: TrainingSession = USUAL_SESSION,
    start=None,
) -> Run:
    """Trains one network and writes its run folder.

    The folder contains `best.keras` (of the epoch that the recipe keeps), `state.npz` (from which
    the run continues), `history.csv`, `tensorboard/` and `run.json`. A finished run is not trained
    again. With several workers the first one writes the folder, and the others read it.

    Args:
        network: a name in `fer_tf.models.networks.NETWORKS`.
        key: database, recipe, seed and precision.
        train: images uint8 [N, 48, 48, 1] and classes int32 [N] of the training split, or targets
            float32 [N, 1 + classes] of `fer_tf.training.distillation.soft_targets`. Where the
            recipe covers faces anew, images are [N, 48, 48, 2], see `MixedDatabase.with_eye_masks`.
        validation: images uint8 [N, 48, 48, 1] and classes int32 [N] of the validation split.
        runs_dir: the directory of all runs.
        session: how the process trains.
        start: a network of the same shape, but for its classes, from whose weights the network is
            initialised; by default the recipe decides.

    Returns:
        The finished run, as `run.json` records it.

    Raises:
        UserError: if another process uses the folder; if the folder contains a run with other data,
            recipe, seed or precision, or one whose origin has been trained anew since; if the
            origin is not trained; if a split is empty or too small for the replicas; if Keras has
            another float type than float32 or images with channels first; if memory or disk space
            runs out, the loss is no longer a number, or another worker is lost.
    """
    from fer_tf.training.callbacks import explained, read_history
    from fer_tf.training.checkpoint import epochs_done, load_best
    from fer_tf.training.requirements import (
        refuse_few_images,
        refuse_float16_on_cpu,
        refuse_keras_settings,
    )
    from fer_tf.training.run_folder import checkpoint_sha256

    refuse_keras_settings()
    for name, (images, _) in (("training", train), ("validation", validation)):
        refuse_few_images(network, key, name, len(images), session.replicas)
    refuse_float16_on_cpu(key.precision)
    folder = key.folder(runs_dir, network)
    with (
        explained(network, key.recipe.schedules[network], worker_count(session.strategy)),
        locked(folder) if session.is_chief else contextlib.nullcontext(),
    ):
        run = open_for_all(folder, key.setup(network), session.restart, session.strategy)
        is_begun = run.finished or epochs_done(folder) > 0
        if is_begun:
            refuse_other_origin(run, folder)
        if not run.finished:
            if session.deterministic:
                make_deterministic()
            run = replace(run, deterministic=session.deterministic)
            if start is None and not is_begun and (origin := _origin(network, key, runs_dir)):
                start = load_best(origin)
                run = replace(run, init_sha256=checkpoint_sha256(origin))
                if session.is_chief:
                    write_run(folder, run)
            result = _fit(network, key, train, validation, folder, session, start)
            run = replace(run, **result)
            if session.is_chief:
                write_run(folder, run)
        if session.progress:
            session.progress.finish(network, run, read_history(folder))
        return run


def _origin(network, key, runs_dir):
    """The run folder of the network to initialise from; None where there is none."""
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


def _fit(network, key, train, validation, folder, session, start):
    """Trains from the last finished epoch on; returns the fields of `Run` that follow from it."""
    import keras

    from fer_tf.training.callbacks import StopOnBadLoss, Watch, reports
    from fer_tf.training.checkpoint import Checkpoint
    from fer_tf.training.distillation import ClassAccuracy
    from fer_tf.training.optimizer import computing_in, make_loss, make_optimizer

    keras.utils.set_random_seed(key.seed)
    schedule = key.recipe.schedules[network]
    steps = -(-len(train[0]) // schedule.batch_size)
    with session.scope():
        with computing_in(key.precision):
            net = build_network(network, key.recipe, key.occlusion)
        if start:
            begin_from(net, start)
            if network != key.recipe.init_from:
                freeze_stages(net, key.recipe.shared_stages)
        augmentation = augmentation_of(key)
    plain = session.replicas == 1 and key.precision == "float32"
    checkpoint = Checkpoint(
        net,
        folder,
        keeps=key.recipe.keeps,
        saved_as=None if plain else build_network(network, key.recipe, key.occlusion),
        writes=session.is_chief,
    )
    # Created outside the scope: see ReplicatedModel.
    shape = train[0].shape[1:]
    images = net.input if shape == net.input_shape[1:] else keras.Input(shape, dtype="uint8")
    model = _model_class()([images, *augmentation, net])
    with session.scope():
        model.compile(
            optimizer=make_optimizer(key, schedule, steps),
            loss=make_loss(key.recipe),
            metrics=[ClassAccuracy(name="accuracy")],
            # "auto" is XLA, which on CPUs is slow for these networks and with several replicas
            # may hang (keras#20763).
            jit_compile=keras.backend.backend() == "jax",
        )
        model.optimizer.build(model.trainable_variables)
        checkpoint.restore(model)
        callbacks = [StopOnBadLoss(folder, schedule, key.precision)]
        if session.is_chief:
            callbacks += reports(folder, checkpoint.epochs_done)
            if checkpoint.epochs_done and (sentence := other_versions(read_run(folder))):
                session.show(sentence)
        callbacks.append(checkpoint)
        if session.progress:
            callbacks.append(Watch(session.progress, network, checkpoint, len(train[0]), schedule))
        model.fit(
            **_batches(network, train, validation, key, checkpoint.epochs_done, session.strategy),
            steps_per_epoch=steps,
            initial_epoch=checkpoint.epochs_done,
            epochs=schedule.epochs,
            callbacks=callbacks,
            shuffle=False,  # The batches come shuffled.
            verbose=session.verbose if session.is_chief else 0,
        )
    seconds = max(checkpoint.seconds, 0.1)
    return {
        "finished": True,
        "epochs_done": checkpoint.epochs_done,
        "best_epoch": checkpoint.best_epoch,
        "best_validation_loss": checkpoint.best,
        "weights": net.count_params(),
        "training_images": len(train[0]),
        "replicas": session.replicas,
        "seconds": round(seconds, 1),
        "images_per_second": round(schedule.epochs * len(train[0]) / seconds, 1),
        "ended": now(),
    }


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
    # A machine that needs small batches for training also needs them for validation.
    ordered = evaluation_batches(*validation, batch_size=min(EVALUATION_BATCH, 4 * size))
    if keras.backend.backend() != "tensorflow":
        return {"x": shuffled, "validation_data": ordered}
    import tensorflow as tf

    from fer_tf.training.replicated_model import share

    strategy = strategy or tf.distribute.get_strategy()
    return {
        "x": share(shuffled, strategy),
        "validation_data": share(ordered.repeat(), strategy),
        "validation_steps": int(ordered.cardinality()),
    }


def _model_class():
    import keras

    if keras.backend.backend() != "tensorflow":
        return keras.Sequential
    from fer_tf.training.replicated_model import ReplicatedModel

    return ReplicatedModel
