"""Faces followed through the frames of a video, with predictions smoothed over time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from fer_tf.expressions import EXPRESSIONS, PATHS
from fer_tf.faces.face import Square
from fer_tf.faces.pictures import Picture
from fer_tf.inference.prediction import Prediction

LEAST_OVERLAP = 0.3
"""Intersection over union of two squares in successive frames that are one face: a face that moved
by half of its side reaches 0.33."""

MOST_MISSED = 5
"""Successive frames in which a face may be missing and keep its identity, for example while a hand
passes before it."""

SMOOTHED_SECONDS = 1.0
"""The predictions of a face within this time are averaged. An expression lasts 0.5 to 4 seconds
(Matsumoto and Hwang 2011, Motivation and Emotion 35), so a longer time would mix two of them."""


def track(
    answered: Iterable[tuple[Picture, list[Prediction]]],
) -> Iterator[tuple[Picture, list[Prediction]]]:
    """Give each face of a video or camera an identity and smooth its predictions.

    Args:
        answered: pictures with their predictions, the frames of a video in their order.

    Yields:
        Photographs as they are; frames with the predictions of `FaceTracker.follow`. Identities
        are counted from 1 within each video.
    """
    video, tracker = None, None
    for picture, predictions in answered:
        if picture.frame is None:
            yield picture, predictions
            continue
        if picture.photo != video:
            video, tracker = picture.photo, FaceTracker()
        yield picture, tracker.follow(predictions)


@dataclass(eq=False)
class _Track:
    """A face that is followed.

    Attributes:
        identity: its number.
        recent: its predictions of the last `SMOOTHED_SECONDS`, the newest last, as they were made.
        missed: successive frames without it, up to now.
    """

    identity: int
    recent: list[Prediction]
    missed: int = 0


class FaceTracker:
    """Follows the faces of one video by the overlap of their squares."""

    def __init__(self):
        self._tracks: list[_Track] = []
        self._count = 0

    def follow(self, predictions: Sequence[Prediction]) -> list[Prediction]:
        """Assign the faces of the next frame to those of the frames before.

        The pair of a face and a track that overlaps most is joined first. A face without a track
        gets a new identity.

        Args:
            predictions: those of the frame's faces, each with a square and a frame.

        Returns:
            The predictions in the same order, with identities. Probabilities are the means over
            the last `SMOOTHED_SECONDS`; `label`, `class_id`, `path` and `occlusion` follow from
            the means.
        """
        pairs = sorted(
            (
                (overlap(track.recent[-1].square, prediction.square), -number, -row)
                for number, track in enumerate(self._tracks)
                for row, prediction in enumerate(predictions)
            ),
            reverse=True,
        )
        track_of: dict[int, _Track] = {}
        for share, number, row in pairs:
            track = self._tracks[-number]
            if share >= LEAST_OVERLAP and -row not in track_of and track not in track_of.values():
                track_of[-row] = track
        for track in self._tracks:
            track.missed += 1
        smoothed = []
        for row, prediction in enumerate(predictions):
            track = track_of.get(row) or self._begin()
            track.missed = 0
            since = prediction.frame.seconds - SMOOTHED_SECONDS
            recent = [each for each in track.recent if each.frame.seconds > since]
            track.recent = [*recent, prediction]
            smoothed.append(replace(_mean_of(track.recent), identity=track.identity))
        self._tracks = [track for track in self._tracks if track.missed <= MOST_MISSED]
        return smoothed

    def _begin(self):
        self._count += 1
        self._tracks.append(_Track(self._count, []))
        return self._tracks[-1]


def overlap(one: Square, other: Square) -> float:
    """Intersection over union of two squares, 0 to 1."""
    across = min(one.x + one.side, other.x + other.side) - max(one.x, other.x)
    down = min(one.y + one.side, other.y + other.side) - max(one.y, other.y)
    common = max(0, across) * max(0, down)
    return common / (one.side**2 + other.side**2 - common)


def _mean_of(recent: list[Prediction]) -> Prediction:
    """The newest prediction with the mean probabilities of all."""
    probabilities = _mean([each.probabilities for each in recent])
    label = max(probabilities, key=probabilities.get)
    newest = replace(
        recent[-1],
        label=label,
        class_id=EXPRESSIONS.index(label),
        probability=probabilities[label],
        path=next(path for path, labels in PATHS.items() if label in labels),
        path_probabilities=_mean([each.path_probabilities for each in recent]),
        probabilities=probabilities,
    )
    if newest.occlusion is None:
        return newest
    kinds = _mean([each.occlusion_probabilities for each in recent])
    return replace(newest, occlusion=max(kinds, key=kinds.get), occlusion_probabilities=kinds)


def _mean(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
