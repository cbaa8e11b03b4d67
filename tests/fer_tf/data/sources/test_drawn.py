import subprocess
import sys

import cv2
import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fer_tf.data.sources import drawn
from fer_tf.data.sources.drawing.people import make_person
from fer_tf.data.sources.drawn import draw_face, draw_portrait, read
from fer_tf.expressions import EXPRESSIONS


def _cascade(name):
    return cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_{name}.xml")


@pytest.fixture(scope="module")
def faces():
    return list(read(persons=40, takes=2))


def test_equal_arguments_draw_equal_pictures():
    np.testing.assert_array_equal(draw_face(3, 1, 2), draw_face(3, 1, 2))
    np.testing.assert_array_equal(draw_portrait(3, 1, 2, 96), draw_portrait(3, 1, 2, 96))


@pytest.mark.parametrize("other", [(4, 1, 2), (3, 0, 2), (3, 1, 0)])
def test_every_argument_changes_the_picture(other):
    difference = draw_face(3, 1, 2).astype(int) - draw_face(*other)

    assert np.abs(difference).mean() > 5


def test_a_number_always_stands_for_the_same_person():
    first = make_person(0)
    make_person.cache_clear()

    assert make_person(0) == first
    assert make_person(1) != first


@pytest.mark.parametrize("size", [48, 100])
def test_sizes_and_colours(size):
    gray, colour = draw_face(1, 0, 0, size), draw_face(1, 0, 0, size, colour=True)
    portrait = draw_portrait(1, 0, 0, size)

    assert gray.shape == (size, size)
    assert colour.shape == portrait.shape == (size, size, 3)
    assert {image.dtype for image in (gray, colour, portrait)} == {np.dtype(np.uint8)}
    assert np.abs(cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY).astype(int) - gray).mean() < 6


def test_read_draws_each_person_with_each_expression():
    faces = list(read(persons=2, takes=3))

    assert len({face.id for face in faces}) == len(faces) == 2 * len(EXPRESSIONS) * 3
    last = faces[-1]
    assert last.id == "drawn/p001-surprise-2"
    assert (last.source, last.subject) == ("drawn", "drawn/p001")
    assert EXPRESSIONS[last.expression] == "Surprise"
    np.testing.assert_array_equal(last.image, draw_face(1, last.expression, 2))


def test_the_default_set_is_120_persons_5_times(monkeypatch):
    monkeypatch.setattr(drawn, "draw_face", lambda *_: None)
    faces = list(read())

    assert len(faces) == 120 * len(EXPRESSIONS) * 5
    assert len({face.subject for face in faces}) == 120


def test_a_face_detector_finds_most_portraits():
    detector = _cascade("frontalface_default")
    found = []
    for subject in range(5):
        for expression in range(len(EXPRESSIONS)):
            gray = cv2.cvtColor(draw_portrait(subject, expression, 0), cv2.COLOR_BGR2GRAY)
            found.append(len(detector.detectMultiScale(gray, 1.1, 3, minSize=(60, 60))) > 0)

    assert np.mean(found) > 0.85


def test_an_eye_detector_finds_both_eyes_in_most_faces(faces):
    detector, side = _cascade("eye"), 192
    smallest, largest = (int(0.16 * side),) * 2, (int(0.38 * side),) * 2
    found = []
    for face in faces[:140]:
        if make_person(int(face.subject[-3:])).glasses == "dark":
            continue
        enlarged = cv2.resize(face.image, (side, side), interpolation=cv2.INTER_CUBIC)
        band = enlarged[int(0.12 * side) : int(0.62 * side)]
        boxes = detector.detectMultiScale(band, 1.05, 2, minSize=smallest, maxSize=largest)
        found.append(len({x + width / 2 > side / 2 for x, _, width, _ in boxes}) == 2)

    assert np.mean(found) > 0.6


@pytest.mark.parametrize("rows", [slice(0, 48), slice(24, 48), slice(0, 24)])
def test_pixels_tell_the_expression_but_not_easily(faces, rows):
    images = np.array([face.image[rows].ravel() for face in faces], float)
    labels = np.array([face.expression for face in faces])
    unseen = np.array([face.subject >= "drawn/p030" for face in faces])
    model = make_pipeline(StandardScaler(), RidgeClassifier(alpha=1000))

    accuracy = model.fit(images[~unseen], labels[~unseen]).score(images[unseen], labels[unseen])

    # Chance is 14 %. Were a linear model enough, a network trained on these faces would show
    # nothing; neither half may be empty of expression, as the networks see one half alone.
    assert 0.2 < accuracy < 0.7


def test_drawing_does_not_import_tensorflow():
    program = "import sys, fer_tf.data.sources.drawn; sys.exit('tensorflow' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
