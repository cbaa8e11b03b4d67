"""Batches of images and their classes, from memory or from disk, on any backend of Keras."""

import numpy as np

from fer_tf.data.tfrecords import StoredImages

EVALUATION_BATCH = 256
"""Images per step where nothing is learnt; any size gives the same numbers."""


def training_batches(*arrays, batch_size: int, seed: int, first_epoch: int = 0):
    """Endless shuffled batches; only seed and epoch decide the order, so a run can be resumed.

    Args:
        *arrays: images uint8 [N, 48, 48, 1], in memory or on disk, classes int32 [N] and, where
            the loss is weighted, weights float32 [N].
        batch_size: images per batch at most. The batches of an epoch differ by one image at most:
            a last batch of a few images would be a rough step, and replicas could not share it.
        seed: of the shuffling.
        first_epoch: the epoch that comes first.

    Returns:
        An input of `fit`, which needs `steps_per_epoch`: a `tf.data.Dataset` on TensorFlow, else
        a generator.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return _numpy_batches(arrays, batch_size, seed, first_epoch)
    import tensorflow as tf

    count = len(arrays[0])

    def epoch_batches(epoch):
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        order = tf.random.experimental.stateless_shuffle(tf.range(count), key)
        return _even_batches(order, count, batch_size)

    return _fetch(tf.data.Dataset.counter(first_epoch).flat_map(epoch_batches), arrays)


def evaluation_batches(*arrays, batch_size: int = EVALUATION_BATCH):
    """All images once, in order: a `tf.data.Dataset` on TensorFlow, else a Keras `PyDataset`.

    Args:
        *arrays: as for `training_batches`.
        batch_size: as for `training_batches`.
    """
    import keras

    count = len(arrays[0])
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return _fetch(_even_batches(tf.range(count), count, batch_size), arrays)

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return -(-count // batch_size)

        def __getitem__(self, batch):
            first = batch * batch_size
            return tuple(array[first : first + batch_size] for array in arrays)

    return Batches()


def _numpy_batches(arrays, batch_size, seed, epoch):
    while True:
        order = np.random.default_rng((seed, epoch)).permutation(len(arrays[0]))
        for rows in np.array_split(order, -(-len(order) // batch_size)):
            yield tuple(array[rows] for array in arrays)
        epoch += 1


def _even_batches(rows, count, batch_size):
    """Rows, int32 [count], cut into the fewest batches that are not longer than batch_size."""
    import tensorflow as tf

    batches = -(-count // batch_size)
    numbers = tf.data.Dataset.range(batches)
    return numbers.map(lambda i: rows[count * i // batches : count * (i + 1) // batches])


def _fetch(batches_of_rows, arrays):
    """Replaces each batch of row numbers by these rows of each array."""
    import tensorflow as tf

    def fetcher(array):
        if not isinstance(array, StoredImages):
            values = tf.constant(array)
            return lambda rows: tf.gather(values, rows)

        def read(rows):
            images = tf.numpy_function(array.__getitem__, [rows], tf.uint8, stateful=False)
            return tf.ensure_shape(images, (None, *array.shape[1:]))

        return read

    fetchers = [fetcher(array) for array in arrays]
    dataset = batches_of_rows.map(lambda rows: tuple(fetch(rows) for fetch in fetchers))
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    # There is nothing to tune, and the thread that would tune may sleep for half a minute while
    # Keras waits for it to drop the iterator, as it does before each validation (TensorFlow 2.21).
    options.autotune.enabled = False
    return dataset.with_options(options).prefetch(2)
