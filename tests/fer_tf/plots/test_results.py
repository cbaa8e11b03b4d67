import cv2
import numpy as np
import pytest

from fer_tf.data.sources.drawn import draw_face
from fer_tf.evaluation.metrics import reliability
from fer_tf.plots.faces import LINES
from fer_tf.plots.results import (
    _RIGHT,
    _WRONG,
    Panel,
    plot_attention,
    plot_confusions,
    plot_predictions,
    plot_reliability,
)
from fer_tf.records.evaluation import ReliabilityPair


def pixels(path, colour):
    """How many pixels have a colour, "#rrggbb"."""
    bgr = [int(colour[i : i + 2], 16) for i in (5, 3, 1)]
    return int((cv2.imread(str(path)) == bgr).all(axis=2).sum())


def test_right_answers_stand_on_the_diagonal(tmp_path):
    truth = np.arange(70) % 7
    plot_confusions(truth, {"path selection": truth, "flat": truth * 0}, tmp_path / "c.png", "x")
    both = cv2.imread(str(tmp_path / "c.png"), cv2.IMREAD_GRAYSCALE)
    dark = [(half < 80).sum(axis=0) for half in np.array_split(both, 2, axis=1)]
    # Seven full cells spread over the columns against seven in one.
    assert (dark[0] > 20).mean() > 2 * (dark[1] > 20).mean()


def test_a_curve_is_drawn_before_and_after(tmp_path):
    rng = np.random.default_rng(0)
    sure, right = rng.random(500), rng.random(500) < 0.5
    curves = ReliabilityPair(
        before=reliability(sure, right), after=reliability(0.5 + 0 * sure, right)
    )
    plot_reliability({"flat": curves, "joint": curves}, tmp_path / "r.png", "x")
    before, after = (pixels(tmp_path / "r.png", colour) for colour, _ in LINES[:2])
    assert before > 300 and 20 < after < before


@pytest.mark.parametrize("predicted", [0, 6])
def test_right_answers_are_green_and_wrong_ones_red(tmp_path, predicted):
    panel = Panel(draw_face(0, 0, 0), 0, predicted, 0.5, "A")
    plot_predictions([[panel, None, panel], [panel]], tmp_path / "p.png")
    green, red = (pixels(tmp_path / "p.png", colour) for colour in (_RIGHT, _WRONG))
    assert (green > 30, red > 30) == ((True, False) if predicted == 0 else (False, True))


def test_maps_stand_below_the_faces(tmp_path):
    faces = np.stack([draw_face(i, i, 0) for i in range(3)])[..., None]
    maps = np.full((3, 48, 48), np.nan, np.float32)
    maps[:, 24:] = 1.0
    plot_attention(faces, {"BeginNet": maps}, tmp_path / "a.png")
    picture = cv2.imread(str(tmp_path / "a.png")).astype(int)
    coloured = np.abs(picture - picture.mean(axis=2, keepdims=True)).max(axis=2) > 20
    upper, lower = np.array_split(coloured[:, : 3 * picture.shape[1] // 4], 2)
    assert upper.mean() < 0.01 and lower.mean() > 0.1
