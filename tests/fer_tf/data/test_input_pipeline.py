import numpy as np
import pytest

from fer_tf.data.input_pipeline import _numpy_batches, evaluation_batches, training_batches


def numbered(count):
    images = np.zeros((count, 48, 48, 1), np.uint8)
    images[:, 0, 0, 0] = np.arange(count)
    return images, np.arange(count, dtype=np.int32)


def tensorflow_batches(seed, first_epoch):
    return training_batches(*numbered(10), batch_size=4, seed=seed, first_epoch=first_epoch)


def numpy_batches(seed, first_epoch):
    return _numpy_batches(numbered(10), 4, seed, first_epoch)


def epochs(batches, count, size):
    """The labels of the first epochs, batch by batch."""
    steps = -(-10 // size)
    iterator = iter(batches)
    return [[next(iterator) for _ in range(steps)] for _ in range(count)]


@pytest.mark.parametrize("make", [tensorflow_batches, numpy_batches])
def test_an_epoch_holds_each_image_once_with_its_class(make):
    first, second = epochs(make(0, 0), 2, 4)
    orders = []
    for epoch in (first, second):
        assert sorted(len(batch[1]) for batch in epoch) == [3, 3, 4]
        for batch_images, batch_classes in epoch:
            np.testing.assert_array_equal(np.array(batch_images)[:, 0, 0, 0], batch_classes)
        orders.append(np.concatenate([batch[1] for batch in epoch]).tolist())
        assert sorted(orders[-1]) == list(range(10))
    assert orders[0] != orders[1]


@pytest.mark.parametrize("make", [tensorflow_batches, numpy_batches])
def test_a_run_that_goes_on_sees_the_order_it_would_have_seen(make):
    _, second = epochs(make(7, 0), 2, 4)
    (resumed,) = epochs(make(7, 1), 1, 4)
    for ours, theirs in zip(resumed, second, strict=True):
        np.testing.assert_array_equal(ours[1], theirs[1])


@pytest.mark.parametrize(
    "make", [lambda *a, **k: training_batches(*a, seed=0, **k), evaluation_batches]
)
def test_no_thread_tunes_batches_that_keras_would_wait_for(make):
    assert make(*numbered(10), batch_size=4).options().autotune.enabled is False


def test_evaluation_keeps_the_order():
    images, classes = numbered(10)
    (batch,) = evaluation_batches(images, classes)
    np.testing.assert_array_equal(batch[1], classes)
