import cv2
import numpy as np

from fer_tf.data.sources.drawn import draw_face
from fer_tf.data.splits import SPLITS
from fer_tf.expressions import EXPRESSIONS
from fer_tf.faces.face import Face
from fer_tf.occlusion.eyes import USUAL_EYES
from fer_tf.plots.faces import LINES, plot_losses, plot_occlusions, plot_splits


def sheet(axis):
    """The faces of an axis, gray, uint8."""
    (image,) = axis.images
    return np.asarray(image.get_array())[..., 0]


def test_each_face_stands_uncovered_and_with_each_occlusion(tmp_path, figures):
    faces = [Face(f"drawn/{i}", draw_face(i, i, 0), i, "drawn") for i in range(3)]
    plot_occlusions(faces, tmp_path / "faces.png")
    (axis,) = figures[0].axes
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert labels == ["uncovered", "upper", "lower", "eyes"]
    black = [(row < 5).mean() for row in np.array_split(sheet(axis), 4)]
    # Half of each face is black in two rows, the eyes in the last.
    assert min(black[1:3]) > 0.4 and black[0] + 0.05 < black[3] < min(black[1:3])


def test_titles_name_the_sources_where_there_are_several(tmp_path, figures):
    faces = [Face(f"{i}", draw_face(i, i, 0), i, source) for i, source in enumerate("ab")]
    eyes = [np.array(USUAL_EYES)] * 2
    plot_occlusions(faces, tmp_path / "several.png", eyes)
    plot_occlusions([faces[0], faces[0]], tmp_path / "one.png", eyes)
    titles = [[label.get_text() for label in f.axes[0].get_xticklabels()] for f in figures]
    one, other = EXPRESSIONS[:2]
    assert titles == [[f"{one}\na", f"{other}\nb"], [one, one]]


def test_each_split_shows_its_expressions_under_the_number_of_its_images(tmp_path, figures):
    face = np.zeros((48, 48), np.uint8)
    samples = {split: [[face] * 4] * len(EXPRESSIONS) for split in SPLITS}
    samples["test"] = [[]] * len(EXPRESSIONS)
    counts = {split: [1000] * len(EXPRESSIONS) for split in SPLITS}
    plot_splits(samples, counts, tmp_path / "splits.png")
    axes = figures[0].axes
    assert [axis.get_title() for axis in axes] == [f"{split}: 7,000 images" for split in SPLITS]
    assert [(sheet(axis) < 5).mean() > 0.8 for axis in axes] == [True, True, False]
    assert (sheet(axes[2]) == 255).all()
    labels = [label.get_text() for label in axes[0].get_yticklabels()]
    assert labels == [f"{name}\n1,000" for name in EXPRESSIONS]


def test_losses_are_a_line_for_each_network_with_a_dot_at_its_lowest(tmp_path, figures):
    falling = np.linspace(1, 0.2, 30)
    losses = {name: falling + i for i, name in enumerate(("BeginNet", "X", "Y", "Z"))}
    plot_losses(losses, tmp_path / "four.png")
    (axis,) = figures[0].axes
    lines, dots = axis.lines[::2], axis.lines[1::2]
    assert [line.get_color() for line in lines] == [colour for colour, _ in LINES[:4]]
    assert lines[1].get_label() == "X: 1.200 after epoch 30"
    for values, line, dot in zip(losses.values(), lines, dots, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), values)
        np.testing.assert_array_equal(dot.get_xydata(), [[30, values[-1]]])


def test_a_run_of_one_epoch_can_be_drawn(tmp_path):
    plot_losses({"BeginNet": [1.0]}, tmp_path / "one.png", "concat_db/drawn")
    assert cv2.imread(str(tmp_path / "one.png")) is not None
