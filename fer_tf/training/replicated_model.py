"""A model whose `fit` trains alike on one device, on several devices and on several machines.

Keras 3.15 fails under `MultiWorkerMirroredStrategy` in two places (keras#20585): before the first
step `fit` converts a batch to a tensor, which fails for a batch of several workers; after each step
it averages scalars over an axis that they do not have. It also averages the mean losses of the
replicas, so in a batch that cannot be divided evenly some images have more weight than others.
"""

import keras


class ReplicatedModel(keras.Sequential):
    """A stack of layers whose `fit` works alike under every strategy, on TensorFlow only.

    Every image of a global batch has the same weight in loss, gradient and metrics on every
    replica; logs are computed over all replicas. Call `compile` and `fit` in the strategy's scope:
    `fit` with batches from `share`, and `compile` with metric objects, because Keras would build
    named metrics only in the first step. Create the model outside the scope: only a model without a
    strategy skips the conversion that fails.
    """

    def make_train_function(self, force=False):
        """Creates the function that `fit` calls with the iterator for each step."""
        if force or self.train_function is None:
            self.train_function = self._on_all_replicas(self.train_step)

    def make_test_function(self, force=False):
        """Creates the function that `evaluate` calls with the iterator for each step."""
        if force or self.test_function is None:
            self.test_function = self._on_all_replicas(self.test_step)

    def train_step(self, data):
        """Trains one replica on its part of a batch."""
        import tensorflow as tf

        with tf.GradientTape() as tape:
            outputs, loss, share = self._forward(data, training=True)
            scaled = self.optimizer.scale_loss(loss * share)
        weights = self.trainable_weights
        # The optimizer sums the gradients over the replicas.
        self.optimizer.apply_gradients(zip(tape.gradient(scaled, weights), weights, strict=True))
        self._update_metrics(data, outputs, loss)

    def test_step(self, data):
        """Evaluates one replica on its part of a batch."""
        outputs, loss, _ = self._forward(data, training=False)
        self._update_metrics(data, outputs, loss)

    def _forward(self, data, training):
        """Returns outputs, the mean loss of the replica's images, and their share of the batch."""
        import tensorflow as tf

        images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        outputs = self(images, training=training)
        context = tf.distribute.get_replica_context()
        # compute_loss divides the mean by the number of replicas.
        loss = self.compute_loss(images, labels, outputs, weights, training=training)
        loss *= context.num_replicas_in_sync
        count = tf.cast(tf.shape(images)[0], tf.float32)
        total = context.all_reduce(tf.distribute.ReduceOp.SUM, count) if training else count
        return outputs, loss, count / total

    def _update_metrics(self, data, outputs, loss):
        images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        # The first metric is Keras' own mean of the loss.
        self.metrics[0].update_state(loss, sample_weight=keras.ops.shape(images)[0])
        self.compute_metrics(images, labels, outputs, sample_weight=weights)

    def _on_all_replicas(self, step):
        import tensorflow as tf

        strategy = tf.distribute.get_strategy()

        @tf.function
        def run(iterator):
            strategy.run(step, (next(iterator),))
            return self.get_metrics_result()  # Over all replicas.

        return run


def share(batches, strategy):
    """Divides each batch among the replicas, so that each has some images in every step.

    Args:
        batches: an endless `tf.data.Dataset` of tuples of tensors [B, ...], the same on each
            worker, with B at least the number of replicas.
        strategy: the strategy of this process.

    Returns:
        The batches for `ReplicatedModel.fit`: replica r of R gets rows r B // R to (r + 1) B // R.
    """
    import tensorflow as tf

    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return batches

    def parts(context):
        local = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * local

        def part(batch, replica):
            count = tf.shape(batch[0])[0]
            rows = slice(count * replica // replicas, count * (replica + 1) // replicas)
            return tuple(values[rows] for values in batch)

        def split(*batch):
            numbers = tf.data.Dataset.range(first, first + local, output_type=tf.int32)
            return numbers.map(lambda replica: part(batch, replica))

        return batches.flat_map(split).prefetch(2 * local)

    return strategy.distribute_datasets_from_function(parts)
