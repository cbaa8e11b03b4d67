import cv2
import numpy as np
import pytest

from fer_tf.data.sources.drawn import draw_face
from fer_tf.evaluation.metrics import reliability
from fer_tf.expressions import EXPRESSIONS
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


def test_right_answers_stand_on_the_diagonal(tmp_path, figures):
    truth = np.arange(70) % 7
    plot_confusions(truth, {"path selection": truth, "flat": truth * 0}, tmp_path / "c.png", "x")
    (figure,) = figures
    right, flat = figure.axes
    np.testing.assert_array_equal(right.images[0].get_array(), np.eye(7))
    np.testing.assert_array_equal(flat.images[0].get_array(), np.eye(7)[np.zeros(7, int)])
    assert right.get_title() == "path selection: 100.0 % right"
    assert flat.get_title() == "flat: 14.3 % right"
    assert cv2.imread(str(tmp_path / "c.png")) is not None


def test_a_curve_is_drawn_before_and_after(tmp_path, figures):
    rng = np.random.default_rng(0)
    sure, right = rng.random(500), rng.random(500) < 0.5
    curves = ReliabilityPair(
        before=reliability(sure, right), after=reliability(0.5 + 0 * sure, right)
    )
    plot_reliability({"flat": curves, "joint": curves}, tmp_path / "r.png", "x")
    (figure,) = figures
    assert [axis.get_title() for axis in figure.axes] == ["flat", "joint"]
    for axis in figure.axes:
        _, before, after = axis.lines
        assert [before.get_color(), after.get_color()] == [colour for colour, _ in LINES[:2]]
        assert len(before.get_xdata()) > len(after.get_xdata()) == 1
        assert after.get_xdata()[0] == pytest.approx(0.5)
        assert after.get_ydata()[0] == pytest.approx(right.mean())


@pytest.mark.parametrize(
    ("predicted", "colour", "title"),
    [(0, _RIGHT, "Happiness 0.50 (A)"), (6, _WRONG, "Surprise 0.50 (A)\ntrue: Happiness")],
)
def test_right_answers_are_green_and_wrong_ones_red(tmp_path, figures, predicted, colour, title):
    happiness = EXPRESSIONS.index("Happiness")
    panel = Panel(draw_face(0, 0, 0), happiness, predicted, 0.5, "A")
    plot_predictions([[panel, None, panel], [panel]], tmp_path / "p.png")
    (figure,) = figures
    panels = [axis for axis in figure.axes if axis.images]
    assert [axis.get_title() for axis in panels] == [title] * 3
    assert {axis.title.get_color() for axis in panels} == {colour}


def test_maps_stand_below_the_faces(tmp_path, figures):
    faces = np.stack([draw_face(i, i, 0) for i in range(3)])[..., None]
    maps = np.full((3, 48, 48), np.nan, np.float32)
    maps[:, 24:] = 1.0
    plot_attention(faces, {"BeginNet": maps}, tmp_path / "a.png", ("a", "b", "c"))
    (figure,) = figures
    upper, lower = np.reshape(figure.axes[:6], (2, 3))
    assert [axis.get_title() for axis in upper] == ["a", "b", "c"]
    assert lower[0].get_ylabel() == "BeginNet"
    for column, (above, below) in enumerate(zip(upper, lower, strict=True)):
        for axis in (above, below):
            np.testing.assert_array_equal(axis.images[0].get_array(), faces[column, ..., 0])
        assert len(above.images) == 1
        np.testing.assert_array_equal(below.images[1].get_array().filled(np.nan), maps[column])
