import cv2
import numpy as np

from fer_tf.data.sources.drawn import draw_face
from fer_tf.data.splits import SPLITS
from fer_tf.expressions import EXPRESSIONS
from fer_tf.faces.face import Face
from fer_tf.occlusion.eyes import USUAL_EYES
from fer_tf.plots.faces import LINES, plot_losses, plot_occlusions, plot_splits


def test_each_face_stands_uncovered_and_with_each_occlusion(tmp_path):
    faces = [Face(f"drawn/{i}", draw_face(i, i, 0), i, "drawn") for i in range(3)]
    plot_occlusions(faces, tmp_path / "faces.png")
    picture = cv2.imread(str(tmp_path / "faces.png"), cv2.IMREAD_GRAYSCALE)
    rows = np.array_split(picture, 4)
    black = [(row < 5).mean() for row in rows]
    # Half of each face is black in two rows, the eyes in the last.
    assert min(black[1:3]) > 0.25 and black[0] + 0.05 < black[3] < min(black[1:3])


def test_titles_name_the_sources_where_there_are_several(tmp_path):
    faces = [Face(f"{i}", draw_face(i, i, 0), i, source) for i, source in enumerate("ab")]
    eyes = [np.array(USUAL_EYES)] * 2
    plot_occlusions(faces, tmp_path / "several.png", eyes)
    plot_occlusions([faces[0], faces[0]], tmp_path / "one.png", eyes)
    several, one = (top_of_faces(tmp_path / f"{name}.png") for name in ("several", "one"))
    assert several > one + 10  # pixels: a second line


def test_each_split_shows_its_expressions_under_the_number_of_its_images(tmp_path):
    face = np.zeros((48, 48), np.uint8)
    full = {split: [[face] * 4] * len(EXPRESSIONS) for split in SPLITS}
    counts = {split: [1000] * len(EXPRESSIONS) for split in SPLITS}
    plot_splits(full, counts, tmp_path / "full.png")
    half = full | {"test": [[]] * len(EXPRESSIONS)}
    plot_splits(half, counts, tmp_path / "half.png")
    full, half = (
        cv2.imread(str(tmp_path / f"{name}.png"), cv2.IMREAD_GRAYSCALE) for name in ("full", "half")
    )
    assert full.shape == half.shape
    thirds = np.array_split(full < 5, 3, axis=1)
    assert min(third.mean() for third in thirds) > 0.6
    assert (np.array_split(half < 5, 3, axis=1)[2]).mean() < 0.1


def top_of_faces(path):
    """The first row of pixels of which half is not white."""
    rows = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) < 250).mean(axis=1)
    return int(np.argmax(rows > 0.5))


def test_losses_are_a_line_for_each_network_with_a_dot_at_its_lowest(tmp_path):
    falling = np.linspace(1, 0.2, 30)
    losses = {name: falling + i for i, name in enumerate(("BeginNet", "X", "Y", "Z"))}
    plot_losses(losses, tmp_path / "four.png")
    picture = cv2.imread(str(tmp_path / "four.png")).reshape(-1, 3)
    for colour, _ in LINES[:3]:
        bgr = [int(colour[i : i + 2], 16) for i in (5, 3, 1)]
        assert (picture == bgr).all(axis=1).sum() > 300


def test_a_run_of_one_epoch_can_be_drawn(tmp_path):
    plot_losses({"BeginNet": [1.0]}, tmp_path / "one.png", "concat_db/drawn")
    assert (tmp_path / "one.png").stat().st_size > 5000
