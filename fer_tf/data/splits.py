"""The assignment of faces to training, validation and test, decided from the uncovered faces.

It is therefore the same in the three databases, and independent of the order of the files.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from fer_tf.data.face_groups import connected_groups
from fer_tf.data.near_duplicates import first_copies

SPLITS = ("train", "validation", "test")
"""Names in the order of the codes that `assign_splits` returns."""

_TRAIN, _VALIDATION, _TEST = range(3)


def assign_splits(
    labels: np.ndarray, ids: Sequence[str], groups: np.ndarray | None = None, seed: int = 0
) -> np.ndarray:
    """Assign N faces to splits: a tenth of each label to validation and to test, the rest to train.

    Args:
        labels: int [N], 0 to 6.
        ids: N different names.
        groups: None splits image by image, as the paper does, with round(n / 10) images in each
            tenth. With int [N], the result of `find_groups`, the faces of a group get the same
            split, and the tenths are exact within 0.5 % of a label
            or one group.
        seed: another seed gives another, equally good assignment.

    Returns:
        int64 [N], indices into `SPLITS`, which do not depend on the order of the faces.
    """
    labels = np.asarray(labels)
    keys = _keys(ids, seed)
    return _split_images(labels, keys) if groups is None else _split_groups(labels, groups, keys)


def find_groups(images: np.ndarray, subjects: Sequence[str], similar: np.ndarray) -> np.ndarray:
    """Number the groups of faces that must be in the same split.

    Two faces belong together when they show one known person; when they are identical; when they
    are nearly identical or mirrored, unless they are known to show two persons; or when both
    belong with a third face.

    Args:
        images: uint8 [N, 48, 48].
        subjects: N names of persons, "" where unknown.
        similar: int [K, 2], pairs of `fer_tf.data.near_duplicates.near_duplicates`.

    Returns:
        int [N], 0 to (number of groups - 1).
    """
    count = len(images)
    names, person = np.unique(np.asarray(subjects, dtype=object).astype(str), return_inverse=True)
    known = np.flatnonzero(names[person] != "")

    # Photographs of two persons taken in one studio can be as similar as two crops of one.
    similar = similar[~np.isin(similar, known).all(axis=1)]
    to_first_copy = np.stack([np.arange(count), first_copies(images)], axis=1)
    to_person = np.stack([known, count + person[known]], axis=1)
    return connected_groups(count, np.concatenate([to_first_copy, to_person, similar]))


def _keys(ids: Sequence[str], seed: int) -> np.ndarray:
    """A random-looking uint64 for each name, the same in every run and on every machine."""
    digests = (hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest() for name in ids)
    return np.frombuffer(b"".join(digests), np.uint64)


def _split_images(labels: np.ndarray, keys: np.ndarray) -> np.ndarray:
    splits = np.full(len(labels), _TRAIN, np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        members = members[np.argsort(keys[members])]
        share = round(len(members) / 10)
        splits[members[:share]] = _TEST
        splits[members[share : 2 * share]] = _VALIDATION
    return splits


def _split_groups(labels: np.ndarray, groups: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Assign groups, largest first, each to the split that lacks its labels most.

    What a split lacks is measured against its share of the groups assigned so far, so that every
    split receives large groups, and the many single images at the end even out the rest.
    """
    counts = np.zeros((groups.max(initial=-1) + 1, labels.max(initial=-1) + 1))
    np.add.at(counts, (groups, labels), 1)
    first_keys = np.full(len(counts), np.iinfo(np.uint64).max)
    np.minimum.at(first_keys, groups, keys)
    totals = counts.sum(axis=0)
    tenth = np.round(totals / 10)
    shares = np.stack([totals - 2 * tenth, tenth, tenth]) / np.maximum(totals, 1)

    lacking = np.zeros_like(shares)
    split_of = np.empty(len(counts), np.int64)
    for group in np.lexsort([first_keys, -counts.sum(axis=1)]):
        lacking += shares * counts[group]
        weights = counts[group] / np.maximum(totals, 1)
        split = int(np.argmax(lacking @ weights))
        lacking[split] -= counts[group]
        split_of[group] = split
    return split_of[groups]
