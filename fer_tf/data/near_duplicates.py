"""Faces made from one photograph: identical copies, near-identical and mirrored images."""

import contextlib
import hashlib
import os
from pathlib import Path

import cv2
import numpy as np

from fer_tf.files import exclusive

# Chosen on pairs of FER2013 whose hashes differ in 12 or fewer of 64 bits. All 28 random pairs with
# correlations from 0.94 to 0.95 are one photograph (cropped, scaled or watermarked); from 0.92 to
# 0.94 the first pairs of two similar persons occur. All 26 pairs with a mirrored image (0.943 to
# 0.98) are one photograph, too.
_MAX_BITS_APART = 12
_MIN_CORRELATION = 0.94
_CORRELATED_SIZE = 24  # pixels: half the face, so that a watermark or a shift by one counts little
_HASHED_SIZE = 32
_COMPARED = 250_000  # pairs of hashes at once: 2 MB, which fits a core's cache


def first_copies(images: np.ndarray) -> np.ndarray:
    """Find for each image the first one that has the same pixels.

    Args:
        images: uint8 [N, 48, 48]; may be mapped from disk, and is read image by image.

    Returns:
        int64 [N]: for each image the index of the first identical one, which may be itself.
    """
    first: dict[bytes, int] = {}
    digests = (hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images)
    return np.fromiter(
        (first.setdefault(digest, index) for index, digest in enumerate(digests)),
        np.int64,
        len(images),
    )


def near_duplicates(images: np.ndarray) -> np.ndarray:
    """Find pairs of faces made from one photograph, including pairs with a mirrored image.

    The two have similar perceptual hashes (the 64 lowest frequencies of a cosine transform, each
    above or below their median), and their correlation at half the size is at least 0.94. A face
    with a single gray level is in no pair.

    Args:
        images: uint8 [N, 48, 48]; may be mapped from disk.

    Returns:
        int64 [K, 2], indices i < j of each pair, sorted.
    """
    hashes, mirrored = _perceptual_hashes(images)
    pairs = [np.zeros((0, 2), np.int64)]
    start = 0
    while start < len(hashes):
        stop = start + max(1, _COMPARED // (len(hashes) - start))
        upright = start + _near(hashes[start:stop], hashes[start:])
        turned = start + _near(hashes[start:stop], mirrored[start:])
        both = [_correlated(images, upright, False), _correlated(images, turned, True)]
        pairs.append(np.unique(np.concatenate(both), axis=0))
        start = stop
    return np.concatenate(pairs)


def cached_near_duplicates(images: np.ndarray, folder: Path) -> np.ndarray:
    """`near_duplicates`, computed once for the same images, by the first process that needs them.

    Args:
        images: uint8 [N, 48, 48]; may be mapped from disk.
        folder: contains the pairs, one small file for each set of images.
    """
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for image in images:
        digest.update(image)
    path = folder / f"{digest.hexdigest()[:16]}.npy"
    folder.mkdir(parents=True, exist_ok=True)
    lock = path.with_suffix(".lock")
    lock.touch()
    with exclusive(lock):
        with contextlib.suppress(OSError, ValueError, EOFError):  # A missing or damaged file.
            with path.open("rb") as file:  # TFDS' tests replace np.load, which then needs a file.
                return np.load(file)
        pairs = near_duplicates(images)
        unfinished = path.with_suffix(".writing")
        with unfinished.open("wb") as out:
            np.save(out, pairs)
        os.replace(unfinished, path)
        return pairs


def _perceptual_hashes(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One uint64 per image, and one per mirror image."""
    hashes, mirrored = np.empty((2, len(images), 8), np.uint8)
    for index, image in enumerate(images):
        small = cv2.resize(image, (_HASHED_SIZE, _HASHED_SIZE), interpolation=cv2.INTER_AREA)
        lowest = cv2.dct(small.astype(np.float32))[:8, :8]
        hashes[index] = _signs(lowest)
        lowest[:, 1::2] *= -1  # The effect of mirroring on a cosine transform.
        mirrored[index] = _signs(lowest)
    return hashes.view(np.uint64).ravel(), mirrored.view(np.uint64).ravel()


def _signs(frequencies: np.ndarray) -> np.ndarray:
    """Bits uint8 [8]; the median leaves out the first frequency, the mean brightness."""
    frequencies = frequencies.ravel()
    return np.packbits(frequencies > np.median(frequencies[1:]))


def _near(hashes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Indices int64 [K, 2] of similar hashes, the second index higher than the first."""
    bits_apart = np.bitwise_count(hashes[:, None] ^ others[None])
    one, other = np.nonzero(bits_apart <= _MAX_BITS_APART)
    later = other > one
    return np.stack([one[later], other[later]], axis=1)


def _correlated(images: np.ndarray, pairs: np.ndarray, mirror: bool) -> np.ndarray:
    """The pairs whose images correlate, the second image mirrored if `mirror`."""
    used, places = np.unique(pairs, return_inverse=True)
    small = _standardised(images, used)
    places = places.reshape(pairs.shape)
    others = small
    if mirror:
        square = small.reshape(-1, _CORRELATED_SIZE, _CORRELATED_SIZE)
        others = square[..., ::-1].reshape(small.shape)
    correlations = np.einsum("ij,ij->i", small[places[:, 0]], others[places[:, 1]])
    return pairs[correlations >= _MIN_CORRELATION]


def _standardised(images: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Small images float32 [K, 576] of mean 0 and length 1: products are correlations."""
    size = (_CORRELATED_SIZE, _CORRELATED_SIZE)
    small = np.empty((len(indices), _CORRELATED_SIZE**2), np.float32)
    for row, index in enumerate(indices):
        small[row] = cv2.resize(images[index], size, interpolation=cv2.INTER_AREA).ravel()
    small -= small.mean(axis=1, keepdims=True)
    length = np.linalg.norm(small, axis=1, keepdims=True)
    small /= np.where(length == 0, 1, length)
    return small
