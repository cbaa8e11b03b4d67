"""What a database is made of: counts against Table 1, copies, conflicting labels, blank images.

`fer_tf.data.inspection_report` writes it beside the database and shows it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fer_tf.data.face_cache import FaceSet
from fer_tf.data.near_duplicates import first_copies
from fer_tf.data.splits import SPLITS
from fer_tf.expressions import EXPRESSIONS
from fer_tf.paper import TABLE_1

FORMAT = 1
"""Version of the report; another one cannot be shown."""

_TRAIN = SPLITS.index("train")
_CHUNK = 1024  # images looked at at once: 2 MB

# In gray levels between the darkest and the brightest pixel. Of FER2013's 32,298 first rows, 12
# images are of one gray, one spans 3 levels and shows as little; the next, a dark face, spans 48.
_BLANK_SPAN = 8


def blank_images(images: np.ndarray) -> np.ndarray:
    """Find the images that show nothing: their gray levels lie within a span of 8.

    Pictures of something else than a face, such as a notice that a photograph is gone, are not
    found.

    Args:
        images: uint8 [N, 48, 48], uncovered; may be mapped from disk.

    Returns:
        bool [N].
    """
    blank = np.zeros(len(images), bool)
    for start in range(0, len(images), _CHUNK):
        chunk = images[start : start + _CHUNK]
        blank[start : start + _CHUNK] = np.ptp(chunk, axis=(1, 2)) < _BLANK_SPAN
    return blank


def conflicting_labels(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Find the images of which an identical copy has another label.

    Args:
        images: uint8 [N, 48, 48], uncovered; may be mapped from disk.
        labels: int [N].

    Returns:
        bool [N], true for every copy: nothing tells which label is right.
    """
    return _conflicting(first_copies(images), labels)


def inspect_faces(
    faces: FaceSet, splits: np.ndarray, pairs: np.ndarray, dropped: Mapping[str, list[str]]
) -> dict:
    """Count what a database is made of and list what is odd about it.

    Args:
        faces: all of its faces.
        splits: int64 [N], indices into `SPLITS`.
        pairs: int64 [K, 2], what `fer_tf.data.near_duplicates.near_duplicates` finds among the
            faces, or among the first of each set of identical ones.
        dropped: reason -> ids of faces that were left out for it before.

    Returns:
        Plain values, lists complete and lists of counts in label order:
        "images", "labels" (the expressions), "dropped" (reason -> ids);
        "sources": source -> "images", "share" (of all, 0 to 1), "counts", "paper" and
        "difference" (null where Table 1 lacks the source), "eyes_found" ("2", "1", "0" -> images),
        "persons" (known ones) and "images_of_persons";
        "splits": split -> "images", "counts";
        "copies" (identical images): "images" (those with an earlier copy), "groups" (lists of ids,
        largest first) and the leaks;
        "near_duplicates" (identical, nearly so or mirrored): "pairs" (ids of those that are not
        identical, one pair for all copies), "images" and "groups" as above, and the leaks;
        "persons": the leaks alone;
        "conflicts": "images", "groups" (lists of {"id", "label"} of identical images);
        "blank": ids.
        The leaks are "groups_on_two_sides", and "seen_in_training": "validation" and "test" ->
        images of which an image of the same group trains.
    """
    ids = np.array(faces.ids, dtype=object)
    labels = np.asarray(faces.labels)
    first = first_copies(faces.images)
    persons, person = np.unique(np.array(faces.subjects, dtype=object), return_inverse=True)
    known = np.flatnonzero(np.asarray(persons[person] != "", bool))
    pairs = _pairs_of_pictures(pairs, first, np.where(persons[person] != "", person, -1))
    alike = _components(np.concatenate([np.stack([np.arange(len(ids)), first], 1), pairs]))
    conflicting = np.flatnonzero(_conflicting(first, labels))
    return {
        "format": FORMAT,
        "images": len(ids),
        "labels": list(EXPRESSIONS),
        "dropped": dict(dropped),
        "sources": _sources(faces),
        "splits": {
            name: {"images": int((splits == code).sum()), "counts": _counts(labels[splits == code])}
            for code, name in enumerate(SPLITS)
        },
        "copies": _groups(first, ids) | _leaks(first, splits),
        "near_duplicates": {"pairs": ids[pairs].tolist()}
        | _groups(alike, ids)
        | _leaks(alike, splits),
        "persons": _leaks(person[known], splits[known]),
        "conflicts": {
            "images": len(conflicting),
            "groups": [
                [{"id": ids[i], "label": EXPRESSIONS[labels[i]]} for i in conflicting[members]]
                for members in _members(first[conflicting])
            ],
        },
        "blank": ids[blank_images(faces.images)].tolist(),
    }


def _sources(faces: FaceSet) -> dict[str, dict]:
    names, source = np.unique(np.array(faces.sources, dtype=object), return_inverse=True)
    subjects = np.array(faces.subjects, dtype=object)
    found = {}
    for code, name in enumerate(names):
        own = np.flatnonzero(source == code)
        counts, paper = _counts(faces.labels[own]), TABLE_1.get(name)
        persons = [subject for subject in subjects[own] if subject]
        eyes = np.bincount(faces.eyes_found[own], minlength=3).tolist()
        found[name] = {
            "images": len(own),
            "share": len(own) / len(faces),
            "counts": counts,
            "paper": paper and list(paper),
            "difference": paper and [have - want for have, want in zip(counts, paper, strict=True)],
            "eyes_found": {"2": eyes[2], "1": eyes[1], "0": eyes[0]},
            "persons": len(set(persons)),
            "images_of_persons": len(persons),
        }
    return found


def _counts(labels: np.ndarray) -> list[int]:
    return np.bincount(labels, minlength=len(EXPRESSIONS)).tolist()


def _conflicting(first: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.isin(first, first[labels != labels[first]])


def _pairs_of_pictures(pairs: np.ndarray, first: np.ndarray, person: np.ndarray) -> np.ndarray:
    """One pair of first copies for each two pictures; person is -1 where unknown.

    Photographs of two persons taken in one studio can be as alike as two crops of one.
    """
    one, other = person[pairs].T
    pairs = np.sort(first[pairs[(one == other) | (one < 0) | (other < 0)]], axis=1)
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)


def _components(edges: np.ndarray) -> np.ndarray:
    """Number the connected nodes, int [N], of int [K, 2] edges in which each node stands."""
    nodes = edges.max(initial=-1) + 1
    graph = coo_array((np.ones(len(edges), bool), edges.T), shape=(nodes, nodes))
    return connected_components(graph, directed=False)[1]


def _members(groups: np.ndarray) -> list[np.ndarray]:
    """Indices of each group of two or more, the largest group first."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    members = [part for part in np.split(order, starts[1:]) if len(part) > 1]
    return sorted(members, key=len, reverse=True)


def _groups(groups: np.ndarray, ids: Sequence[str]) -> dict:
    members = _members(groups)
    return {
        "images": sum(len(part) - 1 for part in members),
        "groups": [ids[part].tolist() for part in members],
    }


def _leaks(groups: np.ndarray, splits: np.ndarray) -> dict:
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
