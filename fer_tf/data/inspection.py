"""What a database is made of: counts against Table 1, copies, conflicting labels, blank images."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fer_tf.data.cleaning import blank_images, conflicting_labels
from fer_tf.data.face_groups import connected_groups
from fer_tf.data.face_set import FaceSet
from fer_tf.data.near_duplicates import first_copies
from fer_tf.data.splits import SPLITS
from fer_tf.expressions import EXPRESSIONS
from fer_tf.paper import TABLE_1

FORMAT = 1
"""Version of an inspection; another version cannot be read."""

_TRAIN = SPLITS.index("train")


@dataclass(frozen=True)
class SourceSummary:
    """The faces of one source.

    Attributes:
        images: how many.
        share: of all images, 0 to 1.
        counts: images of each expression, in label order.
        paper: the same in the paper's Table 1; None where it lacks the source.
        difference: `counts` minus `paper`; None where Table 1 lacks the source.
        eyes_found: number of eyes found, 0, 1 or 2 -> images.
        persons: how many known persons.
        images_of_persons: images of known persons.
    """

    images: int
    share: float
    counts: list[int]
    paper: list[int] | None
    difference: list[int] | None
    eyes_found: dict[int, int]
    persons: int
    images_of_persons: int


@dataclass(frozen=True)
class SplitSummary:
    """The faces of one split: all images, and images of each expression in label order."""

    images: int
    counts: list[int]


@dataclass(frozen=True)
class Leaks:
    """How many groups of faces are divided between splits.

    Attributes:
        groups_on_two_sides: groups with images in more than one split.
        seen_in_training: "validation" and "test" -> images in whose group another image is in the
            training split.
    """

    groups_on_two_sides: int
    seen_in_training: dict[str, int]


@dataclass(frozen=True)
class Copies(Leaks):
    """Groups of identical images.

    Attributes:
        images: images that repeat an earlier one of their group.
        groups: ids of each group, largest group first.
    """

    images: int
    groups: list[list[str]]


@dataclass(frozen=True)
class NearDuplicates(Copies):
    """Groups of images that are identical, nearly so or mirrored.

    Attributes:
        pairs: ids of two images that are not identical; one pair for all copies of the two.
    """

    pairs: list[list[str]]


@dataclass(frozen=True)
class LabelledId:
    """A face's id and the name of its expression."""

    id: str
    label: str


@dataclass(frozen=True)
class Conflicts:
    """Identical images with different labels: how many, and each group of them."""

    images: int
    groups: list[list[LabelledId]]


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a database is made of, and what is unusual about it.

    Attributes:
        format: see `FORMAT`.
        images: how many.
        labels: the expressions in label order.
        dropped: reason -> ids of faces that were left out of the database.
        sources: source -> its faces.
        splits: split -> its faces.
        copies: identical images.
        near_duplicates: images made from one photograph, identical ones too.
        persons: known persons that are divided between splits.
        conflicts: identical images with different labels.
        blank: ids of images that show nothing.
    """

    format: int = FORMAT
    images: int
    labels: list[str]
    dropped: dict[str, list[str]]
    sources: dict[str, SourceSummary]
    splits: dict[str, SplitSummary]
    copies: Copies
    near_duplicates: NearDuplicates
    persons: Leaks
    conflicts: Conflicts
    blank: list[str]


def inspect_faces(
    faces: FaceSet, splits: np.ndarray, pairs: np.ndarray, dropped: Mapping[str, list[str]]
) -> Inspection:
    """Count what a database is made of and list what is unusual about it.

    Args:
        faces: all of its faces.
        splits: int64 [N], indices into `SPLITS`.
        pairs: int64 [K, 2] of `fer_tf.data.near_duplicates.near_duplicates`.
        dropped: reason -> ids of faces that were left out before.
    """
    ids = np.array(faces.ids, dtype=object)
    labels = np.asarray(faces.labels)
    first = first_copies(faces.images)
    subjects, person = np.unique(np.array(faces.subjects, dtype=object), return_inverse=True)
    person = np.where(subjects[person] != "", person, -1)
    known = np.flatnonzero(person >= 0)
    pairs = _pairs_of_pictures(pairs, first, person)
    to_first_copy = np.stack([np.arange(len(ids)), first], axis=1)
    alike = connected_groups(len(ids), np.concatenate([to_first_copy, pairs]))
    conflicting = np.flatnonzero(conflicting_labels(first, labels))
    conflicts = [
        [LabelledId(ids[index], EXPRESSIONS[labels[index]]) for index in conflicting[members]]
        for members in _members(first[conflicting])
    ]
    return Inspection(
        images=len(ids),
        labels=list(EXPRESSIONS),
        dropped=dict(dropped),
        sources=_summarise_sources(faces),
        splits={
            name: SplitSummary(int((splits == code).sum()), _counts(labels[splits == code]))
            for code, name in enumerate(SPLITS)
        },
        copies=Copies(**_groups(first, ids), **_leaks(first, splits)),
        near_duplicates=NearDuplicates(
            pairs=ids[pairs].tolist(), **_groups(alike, ids), **_leaks(alike, splits)
        ),
        persons=Leaks(**_leaks(person[known], splits[known])),
        conflicts=Conflicts(len(conflicting), conflicts),
        blank=ids[blank_images(faces.images)].tolist(),
    )


def _summarise_sources(faces: FaceSet) -> dict[str, SourceSummary]:
    sources = np.array(faces.sources, dtype=object)
    subjects = np.array(faces.subjects, dtype=object)
    summaries = {}
    for name in np.unique(sources):
        rows = np.flatnonzero(sources == name)
        counts = _counts(faces.labels[rows])
        paper = list(TABLE_1[name]) if name in TABLE_1 else None
        difference = None
        if paper is not None:
            difference = [built - quoted for built, quoted in zip(counts, paper, strict=True)]
        none, one, two = np.bincount(faces.eyes_found[rows], minlength=3).tolist()
        persons = [subject for subject in subjects[rows] if subject]
        summaries[name] = SourceSummary(
            images=len(rows),
            share=len(rows) / len(faces),
            counts=counts,
            paper=paper,
            difference=difference,
            eyes_found={2: two, 1: one, 0: none},
            persons=len(set(persons)),
            images_of_persons=len(persons),
        )
    return summaries


def _counts(labels: np.ndarray) -> list[int]:
    return np.bincount(labels, minlength=len(EXPRESSIONS)).tolist()


def _pairs_of_pictures(pairs: np.ndarray, first: np.ndarray, person: np.ndarray) -> np.ndarray:
    """One pair of first copies for each two pictures; person is -1 where unknown.

    Photographs of two persons taken in one studio can be as similar as two crops of one.
    """
    one, other = person[pairs].T
    pairs = np.sort(first[pairs[(one == other) | (one < 0) | (other < 0)]], axis=1)
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)


def _members(groups: np.ndarray) -> list[np.ndarray]:
    """Indices of each group of two or more, the largest group first."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    members = [part for part in np.split(order, starts[1:]) if len(part) > 1]
    return sorted(members, key=len, reverse=True)


def _groups(groups: np.ndarray, ids: np.ndarray) -> dict:
    """The fields of `Copies` that `Leaks` lacks."""
    members = _members(groups)
    return {
        "images": sum(len(part) - 1 for part in members),
        "groups": [ids[part].tolist() for part in members],
    }


def _leaks(groups: np.ndarray, splits: np.ndarray) -> dict:
    """The fields of `Leaks`."""
    on_side = np.zeros((groups.max(initial=-1) + 1, len(SPLITS)), bool)
    on_side[groups, splits] = True
    trains = on_side[groups, _TRAIN]
    return {
        "groups_on_two_sides": int((on_side.sum(axis=1) > 1).sum()),
        "seen_in_training": {
            name: int((trains & (splits == code)).sum())
            for code, name in enumerate(SPLITS)
            if code != _TRAIN
        },
    }
