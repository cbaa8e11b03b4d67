import shutil

import numpy as np
import pytest

from fer_tf.data.sources import kdef
from fer_tf.errors import UserError
from fer_tf.faces.face import crop_to_face, read_picture
from fer_tf.faces.preprocessing import to_face
from tests.helpers import draw_kdef


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Folder AF31 with its misnamed profile: the folder above it, and file name -> label."""
    folder = tmp_path_factory.mktemp("raw") / "kdef"
    return folder, draw_kdef(folder, persons=("F31",), sessions="A")


@pytest.fixture
def archive(drawn, tmp_path):
    """A copy of the drawn folder for a test to spoil."""
    return shutil.copytree(drawn[0], tmp_path / "kdef")


def test_reads_frontal_pictures_only_with_names_and_labels(drawn):
    folder, labels = drawn

    faces = list(kdef.read(folder))

    assert len(list(folder.rglob("*.JPG"))) > len(faces) == 7
    assert {face.id: face.expression for face in faces} == {
        f"kdef/{name.removesuffix('.JPG')}": label for name, label in labels.items()
    }
    assert [face.id for face in faces] == sorted(face.id for face in faces)
    assert {face.source for face in faces} == {"kdef"}


def test_both_sessions_show_one_person(archive):
    other = archive / "BF31"
    other.mkdir()
    shutil.copy(archive / "AF31" / "AF31HAS.JPG", other / "BF31HAS.JPG")
    shutil.copy(archive / "AF31" / "AF31HAS.JPG", other / "BM31HAS.JPG")

    subjects = {face.id: face.subject for face in kdef.read(archive)}

    assert subjects["kdef/AF31HAS"] == subjects["kdef/BF31HAS"] == "kdef/F31"
    assert subjects["kdef/BM31HAS"] == "kdef/M31"


def test_pictures_are_cropped_to_the_face(drawn):
    face = next(kdef.read(drawn[0]))

    square, is_face = crop_to_face(read_picture(drawn[0] / "AF31" / f"{face.id[5:]}.JPG"))
    assert is_face
    np.testing.assert_array_equal(face.image, to_face(square))
    assert (face.image.dtype, face.image.shape) == (np.uint8, (48, 48))


def test_folders_above_lower_case_and_averaged_faces_are_tolerated(archive, tmp_path):
    top = tmp_path / "raw" / "KDEF_and_AKDEF"
    (top / "KDEF" / "af31").mkdir(parents=True)
    (top / "AKDEF").mkdir()
    shutil.copy(archive / "AF31" / "AF31SUS.JPG", top / "KDEF" / "af31" / "af31sus.jpg")
    shutil.copy(archive / "AF31" / "AF31SUS.JPG", top / "AKDEF" / "AVERAGE.JPG")
    (top / "readme.txt").touch()

    (face,) = kdef.read(tmp_path / "raw")

    assert (face.id, face.subject) == ("kdef/AF31SUS", "kdef/F31")


def test_the_other_misnamed_profile_is_skipped(archive):
    shutil.copy(archive / "AF31" / "AF31V.JPG", archive / "AF31" / "AM31H.JPG")

    assert len(list(kdef.read(archive))) == 7


@pytest.mark.parametrize(
    "name", ["AF32V.JPG", "AF31XXS.JPG", "AF31ANX.JPG", "CF31ANS.JPG", "a.png"]
)
def test_an_image_that_is_not_understood_is_named(archive, name):
    (archive / "AF31" / name).touch()

    with pytest.raises(UserError, match=f"{name} received, a name like AF01ANS.JPG expected"):
        next(kdef.read(archive))


def test_two_files_of_one_name_are_refused(archive):
    shutil.copytree(archive / "AF31", archive / "copy")

    with pytest.raises(
        UserError, match="are both AF31AFS, and 6 more are there twice; remove one copy"
    ):
        next(kdef.read(archive))


def test_no_frontal_picture_is_refused(archive):
    for path in archive.rglob("*S.JPG"):
        path.unlink()

    with pytest.raises(
        UserError,
        match=r"3 pictures from other angles and no frontal picture \(angle S\). KDEF .*request",
    ):
        next(kdef.read(archive))


def test_the_averaged_faces_alone_are_refused(archive):
    (archive / "AF31").rename(archive / "Akdef")

    with pytest.raises(UserError, match=r"the averaged faces \(AKDEF\) alone and no frontal"):
        next(kdef.read(archive))


def test_an_image_that_cannot_be_decoded_is_named(archive):
    (archive / "AF31" / "AF31AFS.JPG").write_text("<html>")

    with pytest.raises(UserError, match="AF31AFS.JPG .* is no picture"):
        next(kdef.read(archive))


def test_a_missing_folder_says_how_to_obtain_the_archive(tmp_path):
    with pytest.raises(UserError, match="is not there. KDEF .*on request"):
        next(kdef.read(tmp_path / "missing"))
