import cv2
import numpy as np
import pytest

from fer_tf.app.example_pictures import cover, example_pictures, write_examples
from fer_tf.errors import UserError
from fer_tf.faces.detector import detect_faces


def test_the_portrait_is_covered_in_three_ways_and_its_face_still_found(tmp_path):
    pictures = example_pictures()
    assert list(pictures) == [
        "portrait",
        "portrait with mask",
        "portrait with headset",
        "portrait with sunglasses",
    ]
    (face,) = detect_faces(pictures["portrait"])
    for name, picture in list(pictures.items())[1:]:
        changed = (picture != pictures["portrait"]).any(axis=-1)
        rows, columns = np.nonzero(changed)
        upper = rows.mean() < face.y + face.side / 2
        assert upper == (name != "portrait with mask")
        assert face.x < columns.mean() < face.x + face.side
        assert len(detect_faces(picture)) == 1

    paths = write_examples(tmp_path / "new")
    assert [path.name for path in paths][:2] == ["portrait.png", "portrait_with_mask.png"]
    np.testing.assert_array_equal(cv2.imread(str(paths[1])), pictures["portrait with mask"])


def test_a_picture_without_a_face_is_refused():
    with pytest.raises(UserError, match="No face is found"):
        cover(np.full((100, 100, 3), 90, np.uint8), "mask", "white")
