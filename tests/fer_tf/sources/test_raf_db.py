import shutil

import numpy as np
import pytest

from fer_tf.errors import InputError
from fer_tf.faces import read_picture
from fer_tf.preprocessing import to_face
from fer_tf.sources import raf_db
from tests.helpers import draw_raf_db

LIST = "basic/EmoLabel/list_patition_label.txt"
ALIGNED = "basic/Image/aligned"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Fourteen training and seven test faces: the folder, and name in the list -> label."""
    folder = tmp_path_factory.mktemp("raw") / "raf_db"
    return folder, draw_raf_db(folder)


@pytest.fixture
def archive(drawn, tmp_path):
    """A copy of the drawn folder for a test to spoil."""
    return shutil.copytree(drawn[0], tmp_path / "raf_db")


def test_reads_in_the_order_of_the_list(drawn):
    folder, labels = drawn

    faces = list(raf_db.read(folder))

    assert [(face.id, face.expression) for face in faces] == [
        (f"raf_db/{name.removesuffix('.jpg')}", label) for name, label in labels.items()
    ]
    assert {(face.source, face.subject) for face in faces} == {("raf_db", "")}


def test_aligned_faces_are_scaled_not_cropped(drawn):
    face = next(raf_db.read(drawn[0]))

    picture = read_picture(drawn[0] / ALIGNED / "train_00001_aligned.jpg")
    np.testing.assert_array_equal(face.image, to_face(picture))
    assert (face.image.dtype, face.image.shape) == (np.uint8, (48, 48))


def test_the_folder_may_be_the_basic_part_itself(drawn):
    inner = [face.id for face in raf_db.read(drawn[0] / "basic")]

    assert inner == [face.id for face in raf_db.read(drawn[0])]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train_00002.jpg", "'train_00002.jpg' received"),
        ("train_00002.jpg 8", "8' received"),
        ("train_00002.jpg five", "five' received"),
        ("../../train_00002.jpg 5", "received"),
        ("train_00001.jpg 5", "train_00001.jpg is listed twice"),
    ],
)
def test_a_malformed_line_is_named_by_its_number(archive, line, message):
    lines = (archive / LIST).read_text().splitlines()
    (archive / LIST).write_text("\n".join([lines[0], line, *lines[2:]]))

    with pytest.raises(InputError, match=f"list_patition_label.txt, line 2: .*{message}"):
        next(raf_db.read(archive))


def test_missing_images_are_counted_and_named(archive):
    for number in (3, 1, 2, 4):
        (archive / ALIGNED / f"train_{number:05d}_aligned.jpg").unlink()

    with pytest.raises(
        InputError, match="21 images, 4 of them not in .*: train_00001_aligned.jpg, .* and 1 more;"
    ):
        next(raf_db.read(archive))


def test_images_without_a_label_are_refused(archive):
    lines = (archive / LIST).read_text().splitlines()
    (archive / LIST).write_text("\n".join(lines[:-1]) + "\n")

    with pytest.raises(
        InputError, match="21 images, 1 of them without a line .*: test_0007_aligned.jpg;"
    ):
        next(raf_db.read(archive))


def test_an_image_that_cannot_be_decoded_is_named(archive):
    (archive / ALIGNED / "train_00001_aligned.jpg").write_text("<html>404</html>")

    with pytest.raises(InputError, match="train_00001_aligned.jpg .* is no picture"):
        next(raf_db.read(archive))


def test_a_missing_or_empty_list_is_refused(archive):
    (archive / LIST).write_text("\n")
    with pytest.raises(InputError, match="holds no line"):
        next(raf_db.read(archive))

    (archive / LIST).unlink()
    with pytest.raises(InputError, match="list_patition_label.txt is not there. RAF-DB .*request"):
        next(raf_db.read(archive))


def test_a_missing_folder_says_how_to_obtain_the_archive(tmp_path):
    with pytest.raises(InputError, match="The folder .*missing is not there. RAF-DB .*request"):
        next(raf_db.read(tmp_path / "missing"))


def test_is_present(archive, tmp_path):
    assert raf_db.is_present(archive)
    assert not raf_db.is_present(tmp_path / "missing")
