"""Which faces were made from one photograph: identical copies, near-identical and mirrored ones."""

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path

import cv2
import numpy as np

# Chosen by looking at pairs of FER2013 that are 12 or fewer of 64 bits apart: of 28 drawn by lot
# with correlations from 0.94 to 0.95 all are one photograph (cropped, scaled or stamped anew),
# between 0.92 and 0.94 the first two people alike turn up. All 26 pairs of which one is mirrored
# (0.943 to 0.98) are one photograph, too.
_MAX_BITS_APART = 12
_MIN_CORRELATION = 0.94
_CORRELATED_SIZE = 24  # pixels: half the face, so that a watermark or a shift by one counts little
_HASHED_SIZE = 32
_COMPARED = 250_000  # pairs of hashes at once: 2 MB, what a core holds near


def first_copies(images: np.ndarray) -> np.ndarray:
    """Find for each image the first one that has the same pixels.

    Args:
        images: uint8 [N, 48, 48]; may be mapped from disk, it is walked image by image.

    Returns:
        int64 [N]: an index not above the image's own; its own where no earlier one is identical.
    """
    first: dict[bytes, int] = {}
    digests = (hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images)
    return np.fromiter(
        (first.setdefault(digest, index) for index, digest in enumerate(digests)),
        np.int64,
        len(images),
    )


def near_duplicates(images: np.ndarray) -> np.ndarray:
    """Find pairs of faces made from one photograph, one of the two mirrored or not.

    Candidates have similar perceptual hashes (the signs of the 64 lowest frequencies of a cosine
    transform against their median), and the two, halved in size, correlate by 0.94 or more. A face
    of one single gray correlates with none.

    Args:
        images: uint8 [N, 48, 48]; may be mapped from disk.

    Returns:
        int64 [K, 2], indices i < j of each pair, ordered.
    """
    hashes, mirrored = _perceptual_hashes(images)
    pairs = [np.zeros((0, 2), np.int64)]
    start = 0
    while start < len(hashes):
        stop = start + max(1, _COMPARED // (len(hashes) - start))
        found = [
            _correlated(images, start + _near(hashes[start:stop], others[start:]), mirror)
            for others, mirror in ((hashes, False), (mirrored, True))
        ]
        pairs.append(np.unique(np.concatenate(found), axis=0))
        start = stop
    return np.concatenate(pairs)


def cached_near_duplicates(images: np.ndarray, folder: Path) -> np.ndarray:
    """`near_duplicates`, searched once for the same images, by whichever process comes first.

    Args:
        images: uint8 [N, 48, 48]; may be mapped from disk.
        folder: where the pairs are kept, one small file for each set of images.
    """
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for image in images:
        digest.update(image)
    path = folder / f"{digest.hexdigest()[:16]}.npy"
    folder.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # The others wait; the system frees a killed one's.
        with contextlib.suppress(OSError, ValueError, EOFError):  # None there, or a damaged one.
            with path.open("rb") as file:  # TFDS' tests give np.load no path.
                return np.load(file)
        pairs = near_duplicates(images)
        beside = path.with_suffix(".writing")
        with beside.open("wb") as out:
            np.save(out, pairs)
        os.replace(beside, path)
        return pairs


def _perceptual_hashes(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One uint64 per image, and one per mirror image."""
    hashes, mirrored = np.empty((2, len(images), 8), np.uint8)
    for index, image in enumerate(images):
        small = cv2.resize(image, (_HASHED_SIZE, _HASHED_SIZE), interpolation=cv2.INTER_AREA)
        lowest = cv2.dct(small.astype(np.float32))[:8, :8]
        hashes[index] = _signs(lowest)
        lowest[:, 1::2] *= -1  # What mirroring does to a cosine transform.
        mirrored[index] = _signs(lowest)
    return hashes.view(np.uint64).ravel(), mirrored.view(np.uint64).ravel()


def _signs(frequencies: np.ndarray) -> np.ndarray:
    """Bits uint8 [8], without the mean brightness, which says nothing about the picture."""
    frequencies = frequencies.ravel()
    return np.packbits(frequencies > np.median(frequencies[1:]))


def _near(hashes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Indices int64 [K, 2] of similar hashes, of the two the second one higher."""
    apart = np.bitwise_count(hashes[:, None] ^ others[None])
    one, other = np.nonzero(apart <= _MAX_BITS_APART)
    later = other > one
    return np.stack([one[later], other[later]], axis=1)


def _correlated(images: np.ndarray, pairs: np.ndarray, mirror: bool) -> np.ndarray:
    """Those pairs whose two images, the second one mirrored or not, correlate."""
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
