import numpy as np
import pytest

from fer_tf.occlusion.eyes import USUAL_EYES
from fer_tf.occlusion.kinds import RECOGNISED
from fer_tf.occlusion.occlude import occlude
from fer_tf.occlusion.occluders import draw as occluders
from fer_tf.occlusion.occluders.draw import BLACK, OCCLUDERS, draw_occluder

BOXES = np.array(USUAL_EYES)
MOUTH = np.s_[34:42, 17:31]
EYES = np.s_[15:22, 11:20], np.s_[15:22, 28:37]
ALL = [(kind, name) for kind in RECOGNISED for name in OCCLUDERS[kind]]


@pytest.fixture
def steady(monkeypatch):
    """The light stays as it is."""
    monkeypatch.setattr(occluders, "_photographed", lambda picture, random: picture)


@pytest.fixture
def face():
    """Such that hardly a pixel stays as it was where something else lies over it."""
    return np.random.default_rng(0).integers(60, 200, (48, 48)).astype(np.uint8)


def covered(face, kind, name, boxes=BOXES, times=25):
    """Shares of the mouth and of both eyes that are changed, medians over several drawings."""
    shares = []
    for seed in range(times):
        picture = draw_occluder(face, boxes, kind, np.random.default_rng(seed), name)
        changed = picture != face
        shares.append((changed[MOUTH].mean(), np.mean([changed[eye] for eye in EYES])))
    return np.median(shares, axis=0)


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_what_is_drawn_covers_what_its_kind_says(steady, face, kind, name):
    mouth, eyes = covered(face, kind, name)
    assert mouth > 0.9 if kind == "lower" else mouth < 0.2
    limit = 0.7 if "glasses" in name or name == "dark lids" else 0.2  # Near the eyes are rims.
    assert eyes > 0.9 if kind in ("upper", "eyes") else eyes < limit


@pytest.mark.parametrize("name", [name for name in OCCLUDERS["upper"] if name != "hand"])
def test_what_covers_the_upper_half_covers_the_brows_which_glasses_do_not(steady, face, name):
    def brows(kind, name):
        pictures = (
            draw_occluder(face, BOXES, kind, np.random.default_rng(seed), name)
            for seed in range(25)
        )
        return np.median([(picture != face)[10:13, 10:38].mean() for picture in pictures])

    assert brows("upper", name) > 0.8 > 0.5 > brows("eyes", "sunglasses")


@pytest.mark.parametrize("kind", ["upper", "lower", "eyes"])
def test_black_is_what_the_databases_hold(face, kind):
    boxes = BOXES + [1, 2, 0, 0]
    expected = occlude(face, kind, boxes) == 0
    for seed in range(30):  # In any light black is black.
        picture = draw_occluder(face, boxes, kind, np.random.default_rng(seed), "black")
        assert not picture[expected].any()
    assert set(BLACK) <= set(OCCLUDERS["eyes"])


def test_sunglasses_follow_tilted_eyes(steady, face):
    tilted = np.array([(5, 10, 15, 11), (25, 22, 15, 11)])
    pictures = [
        draw_occluder(face, tilted, "eyes", np.random.default_rng(seed), "sunglasses")
        for seed in range(25)
    ]
    for x, y, width, height in tilted:
        middle = np.s_[y + height // 2 - 1 : y + height // 2 + 2, x + 6 : x + width - 6]
        assert np.mean([(picture != face)[middle].mean() for picture in pictures]) > 0.95


@pytest.mark.parametrize("kind", RECOGNISED)
def test_equal_seeds_draw_equal_pictures_and_other_seeds_others(face, kind):
    before = face.copy()
    first, again = (
        [draw_occluder(face, BOXES, kind, random) for _ in range(30)]
        for random in (np.random.default_rng(3), np.random.default_rng(3))
    )
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(face, before)
    assert len({picture.tobytes() for picture in first}) > 10
    assert {(picture.dtype, picture.shape) for picture in first} == {(np.dtype("uint8"), (48, 48))}


def test_eyes_anywhere_can_be_drawn_at():
    """`find_eyes` may be wrong, and then occluders leave the picture."""
    face = np.full((48, 48), 128, np.uint8)
    places = ([(0, 0, 14, 10), (34, 38, 14, 10)], [(20, 20, 14, 10)] * 2, [(34, 0, 14, 10)] * 2)
    for boxes in map(np.array, places):
        for kind, name in ALL:
            for seed in range(3):
                draw_occluder(face, boxes, kind, np.random.default_rng(seed), name)


@pytest.mark.parametrize("kind", ["upper", "lower"])
def test_a_flat_half_reaches_its_own_edge_of_the_face_and_not_the_other(kind, face, steady):
    for seed in range(60):
        picture = draw_occluder(face, BOXES, kind, np.random.default_rng(seed), "flat")
        rows = (picture != face).mean(axis=1)
        own, other = (rows[:5], rows[-5:]) if kind == "upper" else (rows[-5:], rows[:5])
        assert own.min() > 0.7 and other.max() == 0
