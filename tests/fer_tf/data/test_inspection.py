import json

import numpy as np
import pytest

from fer_tf.data.face_cache import FaceSet
from fer_tf.data.inspection import blank_images, conflicting_labels, inspect_faces
from fer_tf.data.near_duplicates import near_duplicates
from fer_tf.data.splits import SPLITS, assign_splits, find_groups
from fer_tf.expressions import EXPRESSIONS
from fer_tf.occlusion.eyes import USUAL_EYES

TRAIN, VALIDATION, TEST = range(len(SPLITS))
NO_PAIRS = np.zeros((0, 2), np.int64)


def noise(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 48, 48), np.uint8)


def face_set(images, labels, sources=None, subjects=None, eyes_found=None):
    count = len(images)
    return FaceSet(
        ids=[f"face/{i}" for i in range(count)],
        images=images,
        labels=np.array(labels, np.int64),
        sources=sources or ["drawn"] * count,
        subjects=subjects or [""] * count,
        eye_boxes=np.tile(np.array(USUAL_EYES), (count, 1, 1)),
        eyes_found=np.array([2] * count if eyes_found is None else eyes_found, np.int64),
    )


def test_blank_images_are_found_beside_dark_faces_and_in_the_last_chunk():
    images = noise(1100)
    images[[3, 1099]] = 0
    images[7] = 255
    images[8] = 127 + images[8] % 4  # As FER2013's row 2171.
    images[9] = images[9] // 8  # A dark face.
    assert np.flatnonzero(blank_images(images)).tolist() == [3, 7, 8, 1099]


def test_all_copies_are_in_conflict_where_one_has_another_label():
    images = noise(3)[[0, 1, 0, 2, 1, 0]]
    conflicting = conflicting_labels(images, np.array([4, 1, 4, 2, 1, 5]))
    assert conflicting.tolist() == [True, False, True, False, False, True]


def test_counts_are_compared_with_table_1_source_by_source():
    sources = ["kdef", "kdef", "drawn", "kdef"]
    faces = face_set(noise(4), [0, 5, 0, 5], sources, ["kdef/F01", "", "", ""], [2, 0, 1, 2])
    splits = np.array([TRAIN, TRAIN, VALIDATION, TEST])
    report = inspect_faces(faces, splits, NO_PAIRS, {"blank": ["fer2013/9"]})
    assert report["images"] == 4 and report["dropped"] == {"blank": ["fer2013/9"]}
    kdef, drawn = report["sources"]["kdef"], report["sources"]["drawn"]
    assert kdef["counts"] == [1, 0, 0, 0, 0, 2, 0]
    assert kdef["paper"] == [140] * 7
    assert kdef["difference"] == [-139, -140, -140, -140, -140, -138, -140]
    assert kdef["eyes_found"] == {"2": 2, "1": 0, "0": 1}
    assert (kdef["share"], kdef["persons"], kdef["images_of_persons"]) == (0.75, 1, 1)
    assert drawn["paper"] is None and drawn["difference"] is None
    assert report["splits"]["train"] == {"images": 2, "counts": [1, 0, 0, 0, 0, 1, 0]}
    assert report["splits"]["test"] == {"images": 1, "counts": [0, 0, 0, 0, 0, 1, 0]}


@pytest.mark.parametrize("pairs", [[[0, 4], [2, 4], [3, 4]], [[0, 4]]], ids=["all", "first"])
def test_copies_and_near_duplicates_are_grouped_and_their_leaks_counted(pairs):
    """0, 2, 3 are one image and 4 looks like it; 1 and 5 are another, in conflict; 6 is alone."""
    images = noise(4)[[0, 1, 0, 0, 2, 1, 3]]
    splits = np.array([TRAIN, VALIDATION, TRAIN, VALIDATION, TEST, TEST, TEST])
    faces = face_set(images, [2, 3, 2, 2, 2, 6, 0])
    report = inspect_faces(faces, splits, np.array(pairs), {})
    assert json.loads(json.dumps(report)) == report
    assert report["copies"] == {
        "images": 3,
        "groups": [["face/0", "face/2", "face/3"], ["face/1", "face/5"]],
        "groups_on_two_sides": 2,
        "seen_in_training": {"validation": 1, "test": 0},
    }
    assert report["near_duplicates"] == {
        "pairs": [["face/0", "face/4"]],
        "images": 4,
        "groups": [["face/0", "face/2", "face/3", "face/4"], ["face/1", "face/5"]],
        "groups_on_two_sides": 2,
        "seen_in_training": {"validation": 1, "test": 1},
    }
    assert report["conflicts"] == {
        "images": 2,
        "groups": [
            [{"id": "face/1", "label": EXPRESSIONS[3]}, {"id": "face/5", "label": EXPRESSIONS[6]}]
        ],
    }
    assert report["blank"] == []


def test_two_known_persons_are_no_near_duplicates_and_one_person_on_two_sides_is_a_leak():
    faces = face_set(noise(4), [0, 0, 1, 1], subjects=["anna", "bert", "anna", ""])
    splits = np.array([TRAIN, TEST, TEST, TRAIN])
    report = inspect_faces(faces, splits, np.array([[0, 1], [1, 3]]), {})
    assert report["near_duplicates"]["pairs"] == [["face/1", "face/3"]]
    assert report["persons"] == {
        "groups_on_two_sides": 1,
        "seen_in_training": {"validation": 0, "test": 1},
    }


def test_a_leak_free_split_leaks_nothing_and_a_plain_one_does():
    rng = np.random.default_rng(1)
    originals = np.repeat(np.repeat(rng.integers(0, 256, (60, 6, 6), np.uint8), 8, 1), 8, 2)
    images = np.concatenate([originals, originals, (originals // 8 * 7 + 9).astype(np.uint8)])
    subjects = [f"person {i // 2}" if i < 20 else "" for i in range(len(images))]
    faces = face_set(images, np.arange(len(images)) % 7, subjects=subjects)
    pairs = near_duplicates(images)
    groups = find_groups(images, subjects, pairs)
    leaks = {}
    for name, kept_together in {"plain": None, "leak-free": groups}.items():
        splits = assign_splits(faces.labels, faces.ids, kept_together)
        report = inspect_faces(faces, splits, pairs, {})
        keys = ("copies", "near_duplicates", "persons")
        leaks[name] = [report[key]["groups_on_two_sides"] for key in keys]
    assert min(leaks["plain"]) > 0
    assert leaks["leak-free"] == [0, 0, 0]
