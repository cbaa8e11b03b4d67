import numpy as np
import pytest

from fer_tf.expressions import EXPRESSIONS, PATHS
from fer_tf.faces.face import Square
from fer_tf.faces.pictures import Frame, Picture
from fer_tf.inference.prediction import Prediction
from fer_tf.inference.tracking import (
    LEAST_OVERLAP,
    MOST_MISSED,
    SMOOTHED_SECONDS,
    FaceTracker,
    overlap,
    track,
)
from fer_tf.occlusion.kinds import RECOGNISED


def face(x, seconds=0.0, occlusion=None, **probabilities):
    """What is predicted of a face at a place; Happiness where nothing is named."""
    probabilities = dict.fromkeys(EXPRESSIONS, 0.0) | (probabilities or {"Happiness": 1.0})
    label = max(probabilities, key=probabilities.get)
    path = next(path for path, labels in PATHS.items() if label in labels)
    return Prediction(
        photo="clip.avi",
        square=Square(x, 0, 100),
        label=label,
        class_id=EXPRESSIONS.index(label),
        probability=probabilities[label],
        path=path,
        path_probabilities={each: float(each == path) for each in PATHS},
        probabilities=probabilities,
        frame=Frame(round(10 * seconds), seconds),
        occlusion=occlusion,
        occlusion_probabilities=occlusion
        and {kind: float(kind == occlusion) for kind in RECOGNISED},
    )


def identities(tracker, *places):
    return [each.identity for each in tracker.follow([face(x) for x in places])]


def test_overlap_is_intersection_over_union():
    assert overlap(Square(0, 0, 10), Square(0, 0, 10)) == 1
    assert overlap(Square(0, 0, 10), Square(5, 0, 10)) == pytest.approx(1 / 3)
    assert overlap(Square(0, 0, 10), Square(2, 3, 4)) == pytest.approx(0.16)
    assert overlap(Square(0, 0, 10), Square(20, 0, 10)) == 0
    assert overlap(Square(0, 0, 10), Square(20, 20, 10)) == 0


def test_faces_keep_their_identity_while_they_move_and_in_any_order():
    tracker = FaceTracker()

    assert identities(tracker, 0, 300) == [1, 2]
    assert identities(tracker, 270, 30) == [2, 1]
    assert identities(tracker, 60, 240, 900) == [1, 2, 3]


def test_the_pair_that_overlaps_most_is_joined_first():
    tracker = FaceTracker()
    identities(tracker, 0, 60)

    assert identities(tracker, 50, 10) == [2, 1]
    assert identities(tracker, 90, 50, 10) == [3, 2, 1]  # 90 overlaps 50, which is nearer itself.


def test_a_face_that_jumps_is_another_one():
    tracker = FaceTracker()

    assert identities(tracker, 0) + identities(tracker, 60) == [1, 2]
    assert overlap(Square(0, 0, 100), Square(60, 0, 100)) < LEAST_OVERLAP


def test_a_face_that_is_missing_for_a_while_returns_as_itself():
    tracker = FaceTracker()
    identities(tracker, 0)
    for _ in range(MOST_MISSED):
        identities(tracker)
    assert identities(tracker, 0) == [1]
    for _ in range(MOST_MISSED + 1):
        identities(tracker)
    assert identities(tracker, 0) == [2]


def test_one_prediction_that_differs_does_not_change_the_answer():
    tracker = FaceTracker()
    happy = {"Happiness": 0.9, "Normal": 0.1}
    for seconds in (0.0, 0.2):
        (first,) = tracker.follow([face(0, seconds, "none", **happy)])
    assert first.label == "Happiness" and first.probability == pytest.approx(0.9)

    (smoothed,) = tracker.follow([face(0, 0.4, "lower", Surprise=0.6)])

    assert (smoothed.label, smoothed.class_id, smoothed.path) == ("Happiness", 0, "A")
    assert smoothed.probability == pytest.approx(0.6) == smoothed.probabilities["Happiness"]
    assert smoothed.probabilities["Surprise"] == pytest.approx(0.2)
    assert smoothed.path_probabilities["A"] == pytest.approx(2 / 3)
    assert smoothed.occlusion == "none"
    assert smoothed.occlusion_probabilities["lower"] == pytest.approx(1 / 3)
    assert smoothed.frame.seconds == 0.4  # Where and when are those of the newest.


def test_older_predictions_are_forgotten():
    tracker = FaceTracker()
    tracker.follow([face(0, 0.0)])

    (later,) = tracker.follow([face(0, SMOOTHED_SECONDS, Fear=1.0)])

    assert (later.label, later.probability, later.identity) == ("Fear", 1.0, 1)


def test_each_video_counts_its_faces_and_photographs_pass():
    image = np.zeros((4, 4, 3), np.uint8)
    photo = face(0)
    answered = [
        (Picture("a.avi", image, Frame(0, 0.0)), [face(0), face(300)]),
        (Picture("a.avi", image, Frame(1, 0.1)), []),
        (Picture("a.avi", image, Frame(2, 0.2)), [face(300)]),
        (Picture("b.jpg", image), [photo]),
        (Picture("c.avi", image, Frame(0, 0.0)), [face(300)]),
    ]

    tracked = list(track(answered))

    assert [picture for picture, _ in tracked] == [picture for picture, _ in answered]
    numbers = [[each.identity for each in predictions] for _, predictions in tracked]
    assert numbers == [[1, 2], [], [2], [None], [1]]
