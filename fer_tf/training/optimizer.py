"""Optimizer, loss and precision of a network's training."""

import contextlib

import keras

from fer_tf.training.distillation import DistillationLoss
from fer_tf.training.recipe import Recipe, Schedule
from fer_tf.training.run_folder import RunKey


@contextlib.contextmanager
def computing_in(precision: str):
    """Context in which new layers compute in one of `TRAINING_PRECISIONS`, with float32 weights."""
    before = keras.config.dtype_policy()
    if precision != "float32":
        keras.config.set_dtype_policy(f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def make_optimizer(key: RunKey, schedule: Schedule, steps: int):
    """Returns the recipe's optimizer.

    Args:
        key: the recipe and the precision.
        schedule: the network's schedule.
        steps: steps per epoch.
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
    if key.precision == "float16":  # Without a scale, small gradients would become zero.
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def make_loss(recipe: Recipe) -> keras.losses.Loss:
    """Returns the cross-entropy of classes int32 [B] and logits float32 [B, classes].

    With a recipe that has teachers, the loss also takes `distillation.soft_targets`.
    """
    if recipe.distillation:
        return DistillationLoss(recipe.distillation.weight, recipe.distillation.temperature)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@keras.saving.register_keras_serializable(package="fer_tf")
class SGD(keras.optimizers.SGD):
    """`keras.optimizers.SGD` with the momentum step as one operation on TensorFlow.

    Keras uses several operations that each pass over a weight's memory: they take 94 ms for 21
    million weights on two cores, this operation 16 ms. With small batches that was half of a step.
    Arguments, variables and results equal those of Keras' optimizer, to rounding. Without momentum,
    on other backends and for sparse gradients this class calls Keras' computation.
    """

    def update_step(self, gradient, variable, learning_rate):
        """Changes a weight and its momentum by a gradient."""
        if keras.backend.backend() != "tensorflow" or not self.momentum:
            return super().update_step(gradient, variable, learning_rate)
        import tensorflow as tf

        if isinstance(gradient, tf.IndexedSlices):
            return super().update_step(gradient, variable, learning_rate)
        accumulator = self.momentums[self._get_variable_index(variable)].value
        target = variable.value if isinstance(variable, keras.Variable) else variable
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=target.handle,
            accum=accumulator.handle,
            lr=tf.cast(learning_rate, target.dtype),
            grad=tf.cast(gradient, target.dtype),
            momentum=tf.cast(self.momentum, target.dtype),
            use_nesterov=self.nesterov,
        )
