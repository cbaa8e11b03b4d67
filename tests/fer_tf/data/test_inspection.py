import numpy as np
import pytest

from fer_tf.data.face_set import FaceSet
from fer_tf.data.inspection import (
    Conflicts,
    Copies,
    LabelledId,
    Leaks,
    NearDuplicates,
    SplitSummary,
    inspect_faces,
)
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


def test_counts_are_compared_with_table_1_source_by_source():
    sources = ["kdef", "kdef", "drawn", "kdef"]
    faces = face_set(noise(4), [0, 5, 0, 5], sources, ["kdef/F01", "", "", ""], [2, 0, 1, 2])
    splits = np.array([TRAIN, TRAIN, VALIDATION, TEST])
    report = inspect_faces(faces, splits, NO_PAIRS, {"blank": ["fer2013/9"]})
    assert report.images == 4 and report.dropped == {"blank": ["fer2013/9"]}
    kdef, drawn = report.sources["kdef"], report.sources["drawn"]
    assert kdef.counts == [1, 0, 0, 0, 0, 2, 0]
    assert kdef.paper == [140] * 7
    assert kdef.difference == [-139, -140, -140, -140, -140, -138, -140]
    assert kdef.eyes_found == {2: 2, 1: 0, 0: 1}
    assert (kdef.share, kdef.persons, kdef.images_of_persons) == (0.75, 1, 1)
    assert drawn.paper is None and drawn.difference is None
    assert report.splits["train"] == SplitSummary(2, [1, 0, 0, 0, 0, 1, 0])
    assert report.splits["test"] == SplitSummary(1, [0, 0, 0, 0, 0, 1, 0])


@pytest.mark.parametrize("pairs", [[[0, 4], [2, 4], [3, 4]], [[0, 4]]], ids=["all", "first"])
def test_copies_and_near_duplicates_are_grouped_and_their_leaks_counted(pairs):
    """0, 2, 3 are one image and 4 looks like it; 1 and 5 are another, in conflict; 6 is alone."""
    images = noise(4)[[0, 1, 0, 0, 2, 1, 3]]
    splits = np.array([TRAIN, VALIDATION, TRAIN, VALIDATION, TEST, TEST, TEST])
    faces = face_set(images, [2, 3, 2, 2, 2, 6, 0])
    report = inspect_faces(faces, splits, np.array(pairs), {})
    assert report.copies == Copies(
        images=3,
        groups=[["face/0", "face/2", "face/3"], ["face/1", "face/5"]],
        groups_on_two_sides=2,
        seen_in_training={"validation": 1, "test": 0},
    )
    assert report.near_duplicates == NearDuplicates(
        pairs=[["face/0", "face/4"]],
        images=4,
        groups=[["face/0", "face/2", "face/3", "face/4"], ["face/1", "face/5"]],
        groups_on_two_sides=2,
        seen_in_training={"validation": 1, "test": 1},
    )
    conflict = [LabelledId("face/1", EXPRESSIONS[3]), LabelledId("face/5", EXPRESSIONS[6])]
    assert report.conflicts == Conflicts(images=2, groups=[conflict])
    assert report.blank == []


def test_two_known_persons_are_no_near_duplicates_and_one_person_on_two_sides_is_a_leak():
    faces = face_set(noise(4), [0, 0, 1, 1], subjects=["anna", "bert", "anna", ""])
    splits = np.array([TRAIN, TEST, TEST, TRAIN])
    report = inspect_faces(faces, splits, np.array([[0, 1], [1, 3]]), {})
    assert report.near_duplicates.pairs == [["face/1", "face/3"]]
    assert report.persons == Leaks(
        groups_on_two_sides=1, seen_in_training={"validation": 0, "test": 1}
    )


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
        parts = (report.copies, report.near_duplicates, report.persons)
        leaks[name] = [part.groups_on_two_sides for part in parts]
    assert min(leaks["plain"]) > 0
    assert leaks["leak-free"] == [0, 0, 0]
