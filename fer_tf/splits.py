"""Which faces train, validate and test, decided from the uncovered faces.

Hence the same in the three databases, and independent of the order in which files are read.
"""

import hashlib
from collections.abc import Sequence

import cv2
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SPLITS = ("train", "validation", "test")
"""Names in the order of the codes that `assign_splits` returns."""

_TRAIN, _VALIDATION, _TEST = range(3)

# Chosen by looking at pairs of FER2013 that are 12 or fewer of 64 bits apart: of 28 drawn by lot
# with correlations from 0.94 to 0.95 all are one photograph (cropped, scaled or stamped anew),
# between 0.92 and 0.94 the first two people alike turn up.
_MAX_BITS_APART = 12
_MIN_CORRELATION = 0.94
_CORRELATED_SIZE = 24  # pixels: half the face, so that a watermark or a shift by one counts little
_HASHED_SIZE = 32
_BLOCK = 128  # rows compared at once: 60 MB against 52,419 images


def assign_splits(
    images: np.ndarray,
    labels: np.ndarray,
    ids: Sequence[str],
    subjects: Sequence[str],
    leak_free: bool,
    seed: int = 0,
) -> np.ndarray:
    """Share N faces out: of each label round(n / 10) validate and test, the others train.

    Args:
        images: uint8 [N, 48, 48], uncovered.
        labels: int [N], 0 to 6.
        ids: N different names.
        subjects: N names of persons, "" where unknown.
        leak_free: False splits image by image, as the paper does. True keeps `find_groups`
            together; shares then hold within 0.5 % of a label or one group.
        seed: another one gives another, equally good assignment.

    Returns:
        int64 [N], indices into `SPLITS`; the same for a face wherever in the input it stands.
    """
    labels = np.asarray(labels)
    keys = _keys(ids, seed)
    if leak_free:
        return _split_groups(labels, find_groups(images, subjects), keys)
    return _split_images(labels, keys)


def find_groups(images: np.ndarray, subjects: Sequence[str]) -> np.ndarray:
    """Number the sets of faces that may not stand on two sides.

    Two faces belong together when they show one known person, or are identical, or nearly so
    unless they are known to show two persons, or when both belong with a third.

    Args:
        images: uint8 [N, 48, 48].
        subjects: N names of persons, "" where unknown.

    Returns:
        int [N], 0 to (number of groups - 1).
    """
    count = len(images)
    if not count:
        return np.zeros(0, np.int64)
    flat = images.reshape(count, -1)
    rows = np.ascontiguousarray(flat).view(np.dtype((np.void, flat.shape[1]))).ravel()
    _, first, copy_of = np.unique(rows, return_index=True, return_inverse=True)
    names, person = np.unique(np.asarray(subjects, dtype=object).astype(str), return_inverse=True)
    known = np.flatnonzero(names[person] != "")

    # An edge leads from a face to its first identical copy, to the node of its person (these
    # stand behind the faces) and between two nearly identical ones.
    # Photographs of two persons taken in one studio can be as alike as two crops of one.
    similar = first[near_duplicates(images[first])]
    similar = similar[~np.isin(similar, known).all(axis=1)]
    starts = np.concatenate([np.arange(count), known, similar[:, 0]])
    ends = np.concatenate([first[copy_of], count + person[known], similar[:, 1]])
    nodes = count + len(names)
    edges = coo_array((np.ones(len(starts), bool), (starts, ends)), shape=(nodes, nodes))
    _, group = connected_components(edges, directed=False)
    return np.unique(group[:count], return_inverse=True)[1]


def near_duplicates(images: np.ndarray) -> np.ndarray:
    """Find pairs of faces made from one photograph.

    Candidates have similar perceptual hashes (the signs of the 64 lowest frequencies of a cosine
    transform against their median), and the two, halved in size, correlate by 0.94 or more.
    52,419 faces take seconds and less than 500 MB. A face of one single gray correlates with none.

    Args:
        images: uint8 [N, 48, 48].

    Returns:
        int64 [K, 2], indices i < j of each pair.
    """
    hashes = _perceptual_hashes(images)
    small = _standardised(images)
    pairs = [np.zeros((0, 2), np.int64)]
    for start in range(0, len(hashes), _BLOCK):
        block = hashes[start : start + _BLOCK, None]
        apart = np.bitwise_count(block ^ hashes[None, start:])
        one, other = np.nonzero(apart <= _MAX_BITS_APART)
        later = other > one
        one, other = one[later] + start, other[later] + start
        alike = np.einsum("ij,ij->i", small[one], small[other]) >= _MIN_CORRELATION
        pairs.append(np.stack([one[alike], other[alike]], axis=1))
    return np.concatenate(pairs)


def _perceptual_hashes(images: np.ndarray) -> np.ndarray:
    hashes = np.empty((len(images), 8), np.uint8)
    for index, image in enumerate(images):
        small = cv2.resize(image, (_HASHED_SIZE, _HASHED_SIZE), interpolation=cv2.INTER_AREA)
        lowest = cv2.dct(small.astype(np.float32))[:8, :8].ravel()
        # Without the mean brightness, which says nothing about the picture.
        hashes[index] = np.packbits(lowest > np.median(lowest[1:]))
    return hashes.view(np.uint64).ravel()


def _standardised(images: np.ndarray) -> np.ndarray:
    """Small images float32 [N, 576] of mean 0 and length 1: products are correlations."""
    size = (_CORRELATED_SIZE, _CORRELATED_SIZE)
    small = np.empty((len(images), _CORRELATED_SIZE**2), np.float32)
    for index, image in enumerate(images):
        small[index] = cv2.resize(image, size, interpolation=cv2.INTER_AREA).ravel()
    small -= small.mean(axis=1, keepdims=True)
    length = np.linalg.norm(small, axis=1, keepdims=True)
    small /= np.where(length == 0, 1, length)
    return small


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
    """Deal groups out, largest first, each to the split that lacks its labels most.

    What a split lacks is measured against its share of the groups dealt so far, so that every
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
