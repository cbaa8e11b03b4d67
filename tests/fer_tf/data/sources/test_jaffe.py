import shutil

import numpy as np
import pytest

from fer_tf.data.sources import jaffe
from fer_tf.errors import UserError
from fer_tf.faces.face import crop_to_face, read_picture
from fer_tf.faces.preprocessing import to_face
from tests.helpers import draw_jaffe


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """One person's seven portraits: the folder, and file name -> label."""
    folder = tmp_path_factory.mktemp("raw") / "jaffe"
    return folder, draw_jaffe(folder, persons=("KA",))


@pytest.fixture
def archive(drawn, tmp_path):
    """A copy of the drawn folder for a test to spoil."""
    return shutil.copytree(drawn[0], tmp_path / "jaffe")


def test_reads_names_labels_and_persons(tmp_path):
    labels = draw_jaffe(tmp_path, persons=("KA", "YM"))

    faces = list(jaffe.read(tmp_path))

    assert {face.id: face.expression for face in faces} == {
        f"jaffe/{name.removesuffix('.tiff')}": label for name, label in labels.items()
    }
    assert [face.id for face in faces] == sorted(face.id for face in faces)
    assert {face.subject for face in faces} == {"jaffe/KA", "jaffe/YM"}
    assert all(face.id.startswith(face.subject) for face in faces)
    assert {face.source for face in faces} == {"jaffe"}


def test_portraits_are_cropped_to_the_face(drawn):
    face = next(jaffe.read(drawn[0]))

    picture = read_picture(drawn[0] / f"{face.id.removeprefix('jaffe/')}.tiff")
    square, is_face = crop_to_face(picture)
    assert is_face
    np.testing.assert_array_equal(face.image, to_face(square))
    assert (face.image.dtype, face.image.shape) == (np.uint8, (48, 48))


@pytest.mark.parametrize(
    "name",
    [
        "KA.AN1..39.tiff",
        "KAAN1.39.tiff",
        "KA.AN139.tif",
        "ka.an1.39.TIF",
        "KA.AN1.39..Tiff",
        "ka.an1.39.TIFF",
    ],
)
def test_spellings_in_circulation_are_one_name(drawn, tmp_path, name):
    shutil.copy(drawn[0] / next(iter(drawn[1])), tmp_path / name)

    (face,) = jaffe.read(tmp_path)

    assert (face.id, face.subject) == ("jaffe/KA.AN1.39", "jaffe/KA")


def test_a_nested_folder_and_other_files_are_tolerated(archive, tmp_path):
    nested = tmp_path / "raw" / "jaffedbase"
    shutil.copytree(archive, nested)
    (nested / "README").write_text("about")
    (nested / ".DS_Store").touch()
    (nested / "._KA.AN1.4.tiff").write_bytes(b"resource fork")

    assert len(list(jaffe.read(tmp_path / "raw"))) == 7


@pytest.mark.parametrize("name", ["KA.XX1.39.tiff", "face.tiff", "KA.AN1.39.jpg", "KA.AN.39.tiff"])
def test_an_image_that_is_not_understood_is_named(archive, name):
    (archive / name).touch()

    with pytest.raises(UserError, match=f"{name} received, a name like KA.AN1.39.tiff expected"):
        next(jaffe.read(archive))


def test_two_files_of_one_name_are_refused(archive):
    shutil.copy(archive / "KA.AN1.4.tiff", archive / "KA.AN1..4.tiff")

    with pytest.raises(UserError, match="are both KA.AN1.4; remove one"):
        next(jaffe.read(archive))


def test_an_image_that_cannot_be_decoded_is_named(archive):
    (archive / "KA.AN1.4.tiff").write_text("<html>")

    with pytest.raises(UserError, match="KA.AN1.4.tiff .* is no picture"):
        list(jaffe.read(archive))


def test_a_folder_without_images_says_how_to_obtain_the_archive(tmp_path):
    with pytest.raises(UserError, match="is not there. JAFFE .*on request"):
        next(jaffe.read(tmp_path / "missing"))
    (tmp_path / "README").touch()
    with pytest.raises(UserError, match="holds no image. JAFFE .*on request"):
        next(jaffe.read(tmp_path))
