import cv2
import numpy as np

from fer_tf.faces import Face
from fer_tf.plots import plot_occlusions
from fer_tf.sources.drawn import draw_face


def test_each_face_stands_uncovered_and_with_each_occlusion(tmp_path):
    faces = [Face(f"drawn/{i}", draw_face(i, i, 0), i, "drawn") for i in range(3)]
    plot_occlusions(faces, tmp_path / "faces.png")
    picture = cv2.imread(str(tmp_path / "faces.png"), cv2.IMREAD_GRAYSCALE)
    rows = np.array_split(picture, 4)
    black = [(row < 5).mean() for row in rows]
    # Half of each face is black in two rows, the eyes in the last.
    assert min(black[1:3]) > 0.25 and black[0] + 0.05 < black[3] < min(black[1:3])
