import numpy as np
import pytest

from fer_tf.data.near_duplicates import near_duplicates
from fer_tf.data.splits import SPLITS, assign_splits, find_groups
from tests.scenes import scenes, stamped

TRAIN, VALIDATION, TEST = (SPLITS.index(name) for name in ("train", "validation", "test"))


def names(count: int) -> list[str]:
    return [f"drawn/{number}" for number in range(count)]


def group(images, subjects):
    return find_groups(images, subjects, near_duplicates(images))


def share_out(images, labels, subjects=None, leak_free=True, seed=0, ids=None):
    groups = group(images, subjects or [""] * len(labels)) if leak_free else None
    return assign_splits(labels, ids or names(len(labels)), groups, seed)


def per_label(splits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Int [3, 7], how many of each label are in each split."""
    return np.stack([np.bincount(labels[splits == code], minlength=7) for code in range(3)])


@pytest.mark.parametrize("leak_free", [False, True])
def test_a_tenth_of_each_label(leak_free):
    labels = np.repeat(np.arange(7), [3, 10, 14, 26, 55, 104, 200])
    splits = share_out(scenes(len(labels)), labels, leak_free=leak_free)
    train, validation, test = per_label(splits, labels)
    np.testing.assert_array_equal(validation, [0, 1, 1, 3, 6, 10, 20])
    np.testing.assert_array_equal(test, validation)
    np.testing.assert_array_equal(train + validation + test, np.bincount(labels))


@pytest.mark.parametrize("leak_free", [False, True])
def test_same_assignment_in_any_order_another_with_another_seed(leak_free):
    random = np.random.default_rng(1)
    images, labels = scenes(210), random.integers(0, 7, 210)
    images[5::7] = [stamped(image) for image in images[4::7]]
    subjects = [f"drawn/p{number % 5}" if number < 60 else "" for number in range(210)]
    splits = share_out(images, labels, subjects, leak_free)
    order = random.permutation(210)
    shuffled = share_out(
        images[order],
        labels[order],
        [subjects[index] for index in order],
        leak_free,
        ids=[names(210)[index] for index in order],
    )
    np.testing.assert_array_equal(shuffled, splits[order])
    assert (share_out(images, labels, subjects, leak_free, seed=1) != splits).any()


def test_no_person_and_no_photograph_on_two_sides():
    random = np.random.default_rng(2)
    images, labels = scenes(900), random.integers(0, 7, 900)
    subjects = [f"kdef/{number // 14}" if number < 420 else "" for number in range(900)]
    images[500:560] = images[560:620]
    images[620:680] = [stamped(image) for image in images[680:740]]
    images[740:800] = images[800:860, :, ::-1]
    splits = share_out(images, labels, subjects)
    for person in range(30):
        assert len(set(splits[14 * person : 14 * person + 14])) == 1
    np.testing.assert_array_equal(splits[500:560], splits[560:620])
    np.testing.assert_array_equal(splits[620:680], splits[680:740])
    np.testing.assert_array_equal(splits[740:800], splits[800:860])
    for code in (VALIDATION, TEST):
        held = (splits == code).nonzero()[0]
        assert (held < 420).any() and (held >= 420).any()
    counts = per_label(splits, labels)
    tenth = np.round(np.bincount(labels) / 10)
    assert np.abs(counts[VALIDATION] - tenth).max() <= 1
    assert np.abs(counts[TEST] - tenth).max() <= 1
    plain = share_out(images, labels, subjects, leak_free=False)
    assert (plain[500:560] != plain[560:620]).any()


def test_persons_alone_are_shared_out_evenly():
    labels = np.tile(np.arange(7), 40)
    subjects = [f"drawn/p{number // 7}" for number in range(280)]
    counts = per_label(share_out(scenes(280), labels, subjects), labels)
    np.testing.assert_array_equal(counts, np.array([[32] * 7, [4] * 7, [4] * 7]))


def test_groups():
    images = scenes(9)
    images[1] = images[0]
    images[3] = stamped(images[2])
    images[5] = images[6] = 0
    subjects = ["", "", "", "a", "a", "", "", "", "b"]
    groups = group(images, subjects)
    expected = [0, 0, 1, 1, 1, 2, 2, 3, 4]
    np.testing.assert_array_equal(groups[:, None] == groups, np.equal.outer(expected, expected))
    assert sorted(set(groups)) == list(range(5))


def test_two_known_persons_may_look_alike_but_share_no_photograph():
    images = scenes(2)
    images[1] = stamped(images[0])
    assert len(set(group(images, ["a", "b"]))) == 2
    assert len(set(group(images, ["a", ""]))) == 1
    images[1] = images[0]
    assert len(set(group(images, ["a", "b"]))) == 1


@pytest.mark.parametrize("leak_free", [False, True])
def test_no_faces(leak_free):
    none = np.zeros((0, 48, 48), np.uint8)
    assert share_out(none, np.zeros(0, int), leak_free=leak_free).shape == (0,)
