import os

import numpy as np
import pytest

from fer_tf.data.input_pipeline import _numpy_batches, evaluation_batches, training_batches
from fer_tf.data.tfrecords import Split, StoredImages, fits_memory, index_records
from fer_tf.errors import UserError
from fer_tf.expressions import TASKS
from tests.record_files import write_records

COUNT = 50


@pytest.fixture(scope="module")
def faces():
    """Noise, the first pixel of which is the image's number, and its label."""
    images = np.random.default_rng(0).integers(0, 256, (COUNT, 48, 48, 1)).astype(np.uint8)
    images[:, 0, 0, 0] = np.arange(COUNT)
    return images, (np.arange(COUNT) % 7).astype(np.int32)


@pytest.fixture(scope="module")
def paths(faces, tmp_path_factory):
    """The faces in three record files as TFDS writes them, the second one empty."""
    folder = tmp_path_factory.mktemp("records")
    paths = [folder / f"concat_db-train.tfrecord-0000{i}-of-00003" for i in range(3)]
    for path, first, end in zip(paths, (0, 30, 30), (30, 30, COUNT), strict=True):
        write_records(path, faces[0][first:end], faces[1][first:end], first)
    return paths


@pytest.fixture
def stored(paths):
    return index_records(paths)


@pytest.fixture
def read(monkeypatch):
    """Counts the bytes that are read at places in files."""
    sizes, pread = [], os.pread

    def count(file, size, start):
        sizes.append(size)
        return pread(file, size, start)

    monkeypatch.setattr(os, "pread", count)
    return sizes


def test_images_are_fetched_by_number_in_any_order(stored, faces):
    assert stored.ids == [f"drawn/{i}" for i in range(COUNT)]
    assert stored.subjects[6:8] == ["drawn/person 0", "drawn/person 1"]
    np.testing.assert_array_equal(stored.labels, faces[1])
    rows = [49, 0, 30, 29, 30]
    np.testing.assert_array_equal(stored.images[np.array(rows)], faces[0][rows])
    np.testing.assert_array_equal(stored.images[:], faces[0])
    assert stored.images.shape == faces[0].shape


def test_a_batch_reads_its_own_images_alone(stored, paths, read):
    total = sum(os.path.getsize(path) for path in paths)
    images, classes = stored.for_task(TASKS["subnet_y"])
    assert isinstance(images, StoredImages) and len(images) == len(classes) == 14
    assert not read
    assert images[np.array([0, 1])].shape == (2, 48, 48, 1)
    assert len(read) == 2 and sum(read) < 3 * total / COUNT


def test_prefetching_does_not_gather_the_images_in_memory(stored, read):
    """An epoch's first batch must not wait for, nor hold, the images of the last."""
    images, classes = stored.for_task(TASKS["flat"])
    next(iter(training_batches(images, classes, batch_size=1, seed=0)))
    assert 1 <= len(read) < COUNT


def epochs(images, classes, first_epoch):
    weights = np.linspace(0, 1, len(classes), dtype=np.float32)
    batches = training_batches(
        images, classes, weights, batch_size=8, seed=3, first_epoch=first_epoch
    )
    steps = -(-len(classes) // 8)
    return [[part.numpy() for part in batch] for batch in batches.take(2 * steps)]


@pytest.mark.parametrize("task", ["begin", "subnet_x"])
@pytest.mark.parametrize("first_epoch", [0, 5])
def test_batches_from_disk_are_those_from_memory(stored, faces, task, first_epoch):
    cached = Split(*faces, stored.ids, stored.subjects).for_task(TASKS[task])
    on_disk = stored.for_task(TASKS[task])
    theirs = epochs(*cached, first_epoch)
    for ours, their in zip(epochs(*on_disk, first_epoch), theirs, strict=True):
        for our, part in zip(ours, their, strict=True):
            np.testing.assert_array_equal(our, part)
    assert training_batches(*on_disk, batch_size=8, seed=0).element_spec == (
        training_batches(*cached, batch_size=8, seed=0).element_spec
    )


def test_evaluation_and_other_backends_read_from_disk_too(stored, faces):
    (batch,) = evaluation_batches(stored.images, stored.labels)
    np.testing.assert_array_equal(batch[0], faces[0])
    ours = _numpy_batches((stored.images, stored.labels), 8, 0, 0)
    theirs = _numpy_batches(faces, 8, 0, 0)
    for _ in range(8):
        np.testing.assert_array_equal(next(ours)[0], next(theirs)[0])


def test_a_database_that_is_replaced_meanwhile_changes_nothing(faces, paths, tmp_path):
    copy = tmp_path / "copy.tfrecord"
    copy.write_bytes(paths[0].read_bytes())
    split = index_records([copy])
    copy.unlink()
    np.testing.assert_array_equal(split.images[:], faces[0][:30])


def test_a_damaged_file_is_named(paths, tmp_path):
    damaged = tmp_path / "damaged.tfrecord"
    damaged.write_bytes(paths[0].read_bytes()[:-5])
    with pytest.raises(UserError, match="damaged.tfrecord is damaged.*build-datasets"):
        index_records([damaged])


def test_a_split_without_files_is_empty():
    split = index_records([])
    assert split.images[:].shape == (0, 48, 48, 1)
    assert len(split.labels) == len(split.ids) == len(split.subjects) == 0


def test_what_fills_much_of_the_memory_stays_on_disk(stored, monkeypatch):
    assert fits_memory(stored.images)
    pages = {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 7 * 48 * 48 * COUNT}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    assert not fits_memory(stored.images)


def test_a_task_sees_its_own_images_alone():
    images = np.zeros((7, 48, 48, 1), np.uint8)
    images[:, 0, 0, 0] = range(7)
    labels = np.arange(7, dtype=np.int32)
    split = Split(images, labels, [str(i) for i in labels], [])
    own_images, classes = split.for_task(TASKS["subnet_y"])
    assert own_images[:, 0, 0, 0].tolist() == [3, 4] and classes.tolist() == [0, 1]
    own_images, classes = split.for_task(TASKS["begin"])
    assert len(own_images) == 7 and classes.tolist() == [0, 0, 0, 1, 1, 2, 2]
