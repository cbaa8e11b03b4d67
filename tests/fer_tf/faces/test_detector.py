import hashlib
from threading import Thread

import cv2
import numpy as np
import pytest

from fer_tf.data.sources.drawn import draw_portrait
from fer_tf.faces import detector as face_detector
from fer_tf.faces.detector import detect_faces
from fer_tf.faces.face import find_faces


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return draw_portrait(1, 0, 0, size=256)


@pytest.fixture(scope="module")
def square(portrait):
    """Where the cascade that training faces are cropped with sees the face."""
    (face,) = find_faces(portrait)
    return face


def overlap(one, other):
    """Intersection over union of two squares."""
    begin = np.maximum(one[:2], other[:2])
    end = np.minimum(np.add(one[:2], one[2]), np.add(other[:2], other[2]))
    common = np.prod(np.maximum(end - begin, 0))
    return common / (one.side**2 + other.side**2 - common)


@pytest.mark.parametrize("subject", range(4))
def test_the_square_is_the_one_that_training_faces_are_cropped_to(subject):
    portrait = draw_portrait(subject, subject, 0, size=256)

    (face,) = detect_faces(portrait)

    assert overlap(face, find_faces(portrait)[0]) > 0.7


@pytest.mark.parametrize("rows", [(0.22, 0.52), (0.6, 1.05)], ids=["headset", "mask"])
def test_a_covered_face_that_the_cascade_misses_is_found(portrait, square, rows):
    covered = portrait.copy()
    top, bottom = (int(square.y + share * square.side) for share in rows)
    left, right = (int(square.x + share * square.side) for share in (0.1, 0.9))
    cv2.rectangle(covered, (left, top), (right, bottom), (60, 60, 60), cv2.FILLED)

    assert find_faces(covered) == []
    (face,) = detect_faces(covered)
    assert overlap(face, square) > 0.6


def test_a_small_face_in_a_wide_picture_is_found_where_it_is():
    picture = np.full((800, 1300, 3), 128, np.uint8)
    picture[600:680, 1100:1180] = draw_portrait(1, 1, 0, size=80)

    (face,) = detect_faces(picture, smallest=1 / 30)

    assert 1100 < face.x and face.x + face.side < 1180
    assert 600 < face.y + face.side / 2 < 680
    assert detect_faces(picture, smallest=1 / 4) == []


def test_faces_come_largest_first_and_gray_gives_the_same():
    picture = np.full((360, 600, 3), 128, np.uint8)
    picture[80:300, 20:240] = draw_portrait(1, 1, 0, size=220)
    picture[30:330, 280:580] = draw_portrait(0, 0, 0, size=300)
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)

    large, small = detect_faces(picture)

    assert large.x > 280 > small.x and large.side > small.side
    for face, expected in zip(detect_faces(gray), (large, small), strict=True):
        assert overlap(face, expected) > 0.8


@pytest.mark.parametrize("shape", [(200, 300, 3), (5, 5), (1, 400), (400, 1, 3)])
def test_no_face_in_a_blank_picture(shape):
    assert detect_faces(np.full(shape, 90, np.uint8)) == []


def test_a_find_that_larger_views_do_not_confirm_is_no_face(portrait, monkeypatch):
    search = face_detector._search
    sides = []

    def search_once(image, view):
        sides.append(view[2])
        return search(image, view) if view[2] in (256, 512) else []

    monkeypatch.setattr(face_detector, "_search", search_once)

    assert detect_faces(portrait) == []
    assert len(sides) == 4


def test_every_thread_loads_a_network_of_its_own_once(portrait, monkeypatch):
    loaded, faces = [], []
    load = cv2.dnn.readNetFromTFLite
    monkeypatch.setattr(cv2.dnn, "readNetFromTFLite", lambda p: loaded.append(p) or load(p))

    def find_twice():
        faces.extend([detect_faces(portrait), detect_faces(portrait)])

    threads = [Thread(target=find_twice), Thread(target=find_twice)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(loaded) == 2
    assert faces == [detect_faces(portrait)] * 4


def test_the_weights_are_the_published_ones():
    """Other weights find other faces, and the figures in docs/faces.md would not hold."""
    digest = hashlib.sha256(face_detector._WEIGHTS.read_bytes()).hexdigest()
    assert digest in (face_detector._WEIGHTS.with_name("README.md")).read_text()
    assert digest.startswith("e376cf6b168d5ece")


@pytest.mark.parametrize("shape", [(800, 1300), (600, 600), (2000, 500)])
def test_every_place_is_seen_in_a_view_in_which_the_smallest_face_is_large_enough(shape):
    side = min(shape) / 16
    views = list(face_detector._views(shape, smallest=1 / 16))

    for x, y in np.random.default_rng(0).random((200, 2)) * (np.array(shape[::-1]) - side):
        assert any(
            left <= x and top <= y and x + side <= left + wide and y + side <= top + wide
            for (left, top, wide), largest in views
            if side >= 0.99 * wide / 12 and side <= largest
        )
