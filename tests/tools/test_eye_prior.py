import subprocess
import sys

import cv2
import numpy as np
import pytest

from fer_tf.data.sources.drawn import draw_face
from fer_tf.occlusion.eye_regressor import (
    PRIOR,
    EyePrior,
    align,
    alignment,
    invert,
    load_prior,
    move_eyes,
    transform,
)
from tests.helpers import draw_fer2013
from tools import eye_prior
from tools.eye_prior import _fit_linear, choose_faces, fit_prior
from tools.eye_teachers import merge_teachers, search_slowly
from tools.eye_views import motion, random_view

EYES = np.array([[14.0, 18.0], [33.0, 18.0]])


@pytest.fixture(scope="module")
def cascade():
    return cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_eye.xml")


@pytest.fixture(scope="module")
def taught(cascade):
    """Drawn faces whose eyes the slow search finds, and these eyes."""
    faces = [draw_face(subject, 1, take) for subject in range(20) for take in range(2)]
    eyes = [search_slowly(face, cascade) for face in faces]
    pairs = [(face, pair) for face, pair in zip(faces, eyes, strict=True) if pair is not None]
    assert len(pairs) >= 20
    return tuple(np.array(column) for column in zip(*pairs, strict=True))


def test_the_shipped_prior_is_small_and_finds_drawn_eyes(taught):
    assert PRIOR.stat().st_size < 400_000
    prior = load_prior()
    errors = [
        np.abs(prior.estimate(face)[0] - eyes).max() for face, eyes in zip(*taught, strict=True)
    ]
    assert np.median(errors) < 2


def test_noise_is_more_uncertain_than_a_face():
    prior = load_prior()
    _, uncertainty = prior.estimate(draw_face(0, 1, 0))
    _, noise = prior.estimate(np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8))
    assert uncertainty < 0.3 < noise


def test_the_slow_search_is_right_or_silent(cascade):
    assert search_slowly(np.full((48, 48), 90, np.uint8), cascade) is None
    face = draw_face(0, 1, 0)
    left, right = search_slowly(face, cascade)
    assert 8 < left[0] < 20 and 28 < right[0] < 40
    half = face.copy()
    half[:, :24] = int(face[30, 24])
    assert search_slowly(half, cascade) is None


def test_a_fit_learns_and_comes_back_from_its_file(taught, tmp_path):
    faces, eyes = taught
    prior = fit_prior(faces, eyes, views=6, seed=0)
    again = fit_prior(faces, eyes, views=6, seed=0)
    np.testing.assert_allclose(prior.steps[-1], again.steps[-1], atol=1e-6)
    # Moved faces, which it has not seen; whoever always answers the mean is 3.5 pixels off.
    errors = []
    for face, pair in zip(faces, eyes, strict=True):
        matrix = motion(0, (1, 1), np.array([4, -3]), mirrored=False)
        errors.append(prior.estimate(align(face, matrix))[0] - transform(matrix, pair))
    assert np.abs(errors).mean() < 1.75

    prior.save(tmp_path / "prior.npz")
    read = load_prior(tmp_path / "prior.npz")
    assert isinstance(read, EyePrior)
    np.testing.assert_array_equal(read.uncertainty, prior.uncertainty)
    assert read.estimate(faces[0])[1] == prior.estimate(faces[0])[1]


def test_marked_faces_and_their_near_duplicates_are_left_out():
    images = np.stack([draw_face(subject, 0, 0) for subject in range(12)])
    images[5] = images[2]
    images[6] = np.clip(images[2] + 3.0, 0, 255).astype(np.uint8)
    images[9] = images[8]
    chosen = choose_faces(images, 12, kept_out=np.array([2]))
    assert not {2, 5, 6} & set(chosen)
    assert len({8, 9} & set(chosen)) == 1
    assert len(chosen) == 8
    assert len(choose_faces(images, 3, kept_out=np.array([2]))) == 3


def test_few_and_many_rows_give_the_same_regression():
    rng = np.random.default_rng(0)
    rows, targets = rng.normal(size=(30, 40)), rng.normal(size=(30, 2))
    few = _fit_linear(list(rows), targets, 0.1)
    # Each row twice is the same problem, as the ridge is a share of the sum of squares.
    many = _fit_linear(list(np.repeat(rows, 2, axis=0)), np.repeat(targets, 2, axis=0), 0.1)
    np.testing.assert_allclose(few, many, atol=1e-4)


def test_teachers_that_differ():
    near, far = EYES + 1, EYES + 8
    np.testing.assert_array_equal(merge_teachers(EYES, near, 2.0), EYES + 0.5)
    assert merge_teachers(EYES, far, 2.0) is None
    np.testing.assert_array_equal(merge_teachers(EYES, far, 0.1), far)
    np.testing.assert_array_equal(merge_teachers(None, far, 0.9), far)
    assert merge_teachers(None, far, 1.1) is None


def test_the_command_makes_a_file(tmp_path, monkeypatch, capsys):
    draw_fer2013(tmp_path, count_per_expression=4)
    monkeypatch.setattr(eye_prior, "TRAINING_ROWS", 28)
    monkeypatch.setattr(eye_prior, "_KEPT_OUT", (slice(0, 2),))
    monkeypatch.setattr(sys, "argv", ["eye_prior", str(tmp_path), str(tmp_path / "prior.npz")])
    monkeypatch.setattr(cv2, "setNumThreads", lambda number: None)  # It would stay so.
    eye_prior.main()
    printed = capsys.readouterr().out
    assert "faces 26" in printed and "prior.npz" in printed
    eyes, _ = load_prior(tmp_path / "prior.npz").estimate(draw_face(0, 1, 0))
    assert eyes.shape == (2, 2)


def test_aligned_eyes_come_to_their_places():
    eyes = np.array([[10.0, 25.0], [26.0, 14.0]])
    matrix = alignment(eyes)
    np.testing.assert_allclose(transform(matrix, eyes), [[14.5, 17.5], [32.5, 17.5]])
    np.testing.assert_allclose(transform(invert(matrix), transform(matrix, eyes)), eyes)
    same = alignment(np.array([[20.0, 20.0], [20.0, 20.0]]))
    assert np.isfinite(same).all()


def test_moving_eyes():
    np.testing.assert_allclose(move_eyes(EYES, (1, 2), 0, 1), EYES + [1, 2])
    turned = move_eyes(EYES, (0, 0), np.pi / 2, 2)
    np.testing.assert_allclose(turned, [[23.5, -1], [23.5, 37]], atol=1e-9)


def test_eyes_move_with_the_face():
    face = np.zeros((48, 48), np.uint8)
    for x, y in EYES.astype(int):
        face[y - 1 : y + 2, x - 1 : x + 2] = 255
    matrix = motion(20, (1.1, 0.9), np.array([2.0, -1.0]), mirrored=True)
    view = cv2.warpAffine(face, matrix, (48, 48))
    for x, y in transform(matrix, EYES):
        assert view[round(y), round(x)] > 100


def test_a_view_is_a_picture_and_decided_by_chance():
    face = draw_face(0, 1, 0)
    views = [random_view(face, EYES, np.random.default_rng(seed)) for seed in range(40)]
    for view, eyes in views:
        assert view.shape == (48, 48) and view.dtype == np.uint8
        assert eyes[0, 0] < eyes[1, 0]
    again, _ = random_view(face, EYES, np.random.default_rng(0))
    np.testing.assert_array_equal(views[0][0], again)
    assert len({view.tobytes() for view, _ in views}) == len(views)


def test_importing_needs_no_tensorflow():
    code = (
        "import sys, fer_tf.occlusion.eyes, tools.eye_prior; sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
