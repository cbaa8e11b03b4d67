"""What a network is trained with: optimizer, loss, precision."""

import contextlib

import keras

from fer_tf.distillation import DistillationLoss
from fer_tf.recipes import Recipe, Schedule
from fer_tf.runs import RunKey
from fer_tf.sgd import SGD


@contextlib.contextmanager
def computing_in(precision: str):
    """Layers made meanwhile compute in one of `fer_tf.runs.PRECISIONS`, with weights in float32."""
    before = keras.config.dtype_policy()
    if precision != "float32":
        keras.config.set_dtype_policy(f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def make_optimizer(key: RunKey, schedule: Schedule, steps: int):
    """The recipe's optimizer.

    Args:
        key: the recipe and the precision.
        schedule: of the network.
        steps: per epoch.
    """
    recipe = key.recipe
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
    weight_decay = recipe.weight_decay or None
    if recipe.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(rate, weight_decay=weight_decay)
    else:
        optimizer = SGD(
            rate,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            weight_decay=weight_decay,
        )
    # In float16 small gradients would become zero.
    half = key.precision == "float16"
    return keras.optimizers.LossScaleOptimizer(optimizer) if half else optimizer


def make_loss(recipe: Recipe, classes: int):
    """Cross-entropy of classes int32 [B] and logits float32 [B, classes].

    Where the recipe has teachers it takes the targets of `fer_tf.distillation.soft_targets` too.
    """
    if recipe.distillation:
        return DistillationLoss(recipe.distillation.weight, recipe.distillation.temperature)
    if not recipe.label_smoothing:
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def smoothed_cross_entropy(labels, logits):
        one_hot = keras.ops.one_hot(keras.ops.reshape(labels, (-1,)), classes)
        return keras.losses.categorical_crossentropy(
            one_hot, logits, from_logits=True, label_smoothing=recipe.label_smoothing
        )

    return smoothed_cross_entropy
