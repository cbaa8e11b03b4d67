from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import pytest

from fer_tf.data import near_duplicates as duplicates
from fer_tf.data.near_duplicates import cached_near_duplicates, first_copies, near_duplicates
from tests.scenes import scenes, stamped


def test_first_copies():
    images = scenes(6)
    images[3] = images[1]
    images[5] = images[1]
    images[4] = stamped(images[0])
    assert first_copies(images).tolist() == [0, 1, 2, 1, 4, 1]
    assert first_copies(images[:0]).tolist() == []


def test_near_duplicates():
    images = scenes(300)
    images[7], images[299] = stamped(images[250]), images[3]
    assert near_duplicates(images).tolist() == [[3, 299], [7, 250]]


def test_mirrored_copies():
    """Training mirrors images, so one that is mirrored already is a copy too."""
    images = scenes(300)
    images[8], images[20] = images[260, :, ::-1], stamped(images[270])[:, ::-1]
    images[40] = stamped(images[280])
    images[50] = images[50, :, ::-1] // 2 + images[50] // 2  # Like its mirror image: no pair.
    assert near_duplicates(images).tolist() == [[8, 260], [20, 270], [40, 280]]
    images[[0, 299]] = images[50]  # Alike both ways: one pair.
    assert [0, 50] in near_duplicates(images).tolist()
    assert len(near_duplicates(images)) == 6


def test_the_same_images_are_searched_once_and_others_anew(tmp_path):
    images = scenes(6)
    images[5] = stamped(images[2])
    folder = tmp_path / "faces"
    assert cached_near_duplicates(images, folder).tolist() == [[2, 5]]
    with mock.patch.object(duplicates, "near_duplicates", side_effect=AssertionError):
        assert cached_near_duplicates(images.copy(), folder).tolist() == [[2, 5]]
    images[4] = images[0]
    assert cached_near_duplicates(images, folder).tolist() == [[0, 4], [2, 5]]


def test_another_search_does_not_take_what_the_former_found(tmp_path, monkeypatch):
    images = scenes(2)
    images[1] = images[0]
    with mock.patch.object(duplicates, "near_duplicates", lambda _: np.zeros((0, 2), np.int64)):
        assert cached_near_duplicates(images, tmp_path).tolist() == []
    changed = tmp_path / "duplicates.py"
    changed.write_bytes(Path(duplicates.__file__).read_bytes() + b"# changed")
    monkeypatch.setattr(duplicates, "__file__", str(changed))
    assert cached_near_duplicates(images, tmp_path).tolist() == [[0, 1]]


def test_damaged_findings_are_searched_again(tmp_path):
    images = scenes(2)
    images[1] = images[0]
    cached_near_duplicates(images, tmp_path)
    (path,) = tmp_path.glob("*.npy")
    for data in (b"", path.read_bytes()[:40], path.read_bytes()[:-3]):
        path.write_bytes(data)
        assert cached_near_duplicates(images, tmp_path).tolist() == [[0, 1]]


def test_a_search_that_was_killed_is_done_again(tmp_path):
    images = scenes(3)
    with mock.patch.object(duplicates, "near_duplicates", side_effect=KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            cached_near_duplicates(images, tmp_path)
    assert cached_near_duplicates(images, tmp_path).tolist() == []


def test_pairs_across_blocks_and_faces_of_one_gray():
    images = np.full((400, 48, 48), 90, np.uint8)
    with np.errstate(all="raise"), mock.patch.object(duplicates, "_COMPARED", 1000):
        assert near_duplicates(images).shape == (0, 2)
        images[[0, 399]] = scenes(1)
        assert near_duplicates(images).tolist() == [[0, 399]]


def test_equal_signs_of_frequencies_are_not_enough():
    """Two pictures with one perceptual hash: many frequencies alike, and one that drowns them."""
    signs = np.random.default_rng(4).permutation(np.repeat([-1, 1], 32)).reshape(8, 8)
    even, loud = np.full((8, 8), 60.0), np.full((8, 8), 60.0)
    loud[2, 1] = 2000
    images = []
    for strength in (even, loud):
        frequencies = np.zeros((48, 48))
        frequencies[:8, :8] = signs * strength
        frequencies[0, 0] = 128 * 48
        images.append(np.clip(cv2.idct(frequencies), 0, 255).astype(np.uint8))
    assert near_duplicates(np.stack(images)).shape == (0, 2)
