import gzip
import shutil

import cv2
import numpy as np
import pytest

from fer_tf.data.sources import raf_db
from fer_tf.errors import UserError
from fer_tf.faces.face import read_picture
from fer_tf.faces.preprocessing import to_face
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
        ("train_00002.jpg 0", "0' received"),
        ("train_00002.jpg 8", "8' received.* compound expressions goes to 11"),
        ("train_00002.jpg 11", "11' received.* put the list of the basic part there"),
        ("train_00002_aligned.jpg 5", "received, a line like 'train_00001.jpg 5'"),
        ("train_00002,5", "received, a line like 'train_00001.jpg 5'"),
        ("101.5 77.0", "received, a line like 'train_00001.jpg 5'"),
        ("train_00002.jpg five", "five' received"),
        ("../../train_00002.jpg 5", "received"),
        ("train_00001.jpg 5", "train_00001.jpg is listed twice"),
    ],
)
def test_a_malformed_line_is_named_by_its_number(archive, line, message):
    lines = (archive / LIST).read_text().splitlines()
    (archive / LIST).write_text("\n".join([lines[0], line, *lines[2:]]))

    with pytest.raises(UserError, match=f"list_patition_label.txt, line 2: .*{message}"):
        next(raf_db.read(archive))


@pytest.mark.parametrize(
    "text", ["\ufeff{}", "{}\n\n", "  {}  "], ids=["byte order mark", "empty lines", "blanks"]
)
def test_spellings_of_the_list_that_mean_the_same(archive, text):
    plain = (archive / LIST).read_text()
    changed = text.format(plain.rstrip()).replace("\n", "\r\n").upper()
    (archive / LIST).write_bytes(changed.encode())

    assert [face.id for face in raf_db.read(archive)] == [
        f"raf_db/{line.split('.')[0]}" for line in plain.splitlines()
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("train_00001.jpg 5\n".encode("utf-16"), "list.txt is no text in UTF-8 .byte 0: 0xff."),
        (b"train_00001.jpg 5\ntrain_00002.jpg \xb2\n", "is no text in UTF-8 .byte 34: 0xb2."),
        (b"<!DOCTYPE html>", "line 1: '<!DOCTYPE html>' received"),
        (bytes(5000), "line 1: .* received"),
    ],
    ids=["UTF-16", "Latin-1", "a web page", "zeros"],
)
def test_a_list_of_another_kind_is_refused(archive, content, message):
    (archive / LIST).write_bytes(content)

    with pytest.raises(UserError, match=message.replace("list.txt", "list_patition_label.txt")):
        next(raf_db.read(archive))


def test_a_list_that_cannot_be_read_is_named(archive):
    (archive / LIST).unlink()
    (archive / LIST).symlink_to("unplugged.txt")

    with pytest.raises(UserError, match=r"list_patition_label.txt cannot be read \(No such file"):
        next(raf_db.read(archive))


@pytest.mark.parametrize("name", ["List_Patition_Label.TXT", "list_partition_label.txt"])
def test_folders_and_names_in_any_case_are_one(archive, name):
    (archive / LIST).rename(archive / "basic" / "EmoLabel" / name)
    for path in (archive / ALIGNED).iterdir():
        path.rename(path.with_name(path.name.upper()))
    (archive / ALIGNED).rename(archive / "basic" / "Image" / "Aligned")
    (archive / "basic" / "Image").rename(archive / "basic" / "image")
    (archive / "basic" / "EmoLabel").rename(archive / "basic" / "emolabel")
    (archive / "basic").rename(archive / "Basic")

    assert len(list(raf_db.read(archive))) == 21


def test_the_original_photographs_and_the_compound_part_are_passed_over(archive, drawn):
    (archive / "basic/Image/original").mkdir()
    (archive / "basic/Image/original/train_00001.jpg").touch()
    (archive / "basic/samples.png").touch()
    shutil.copytree(drawn[0] / "basic", archive / "Compound")
    (archive / "Compound/EmoLabel/list_patition_label.txt").write_text("train_0001.jpg 11\n")

    assert len(list(raf_db.read(archive))) == 21


def test_the_original_photographs_alone_are_refused(archive):
    (archive / ALIGNED).rename(archive / "basic/Image/original")
    for path in (archive / "basic/Image/original").iterdir():
        path.rename(path.with_name(path.name.replace("_aligned", "")))

    with pytest.raises(
        UserError,
        match=r"original photographs \(basic/Image/original/test_0001.jpg\) and no aligned face",
    ):
        next(raf_db.read(archive))


def test_an_original_photograph_under_an_aligned_faces_name_is_refused(archive):
    cv2.imwrite(str(archive / ALIGNED / "train_00001_aligned.jpg"), np.zeros((60, 80, 3), np.uint8))

    with pytest.raises(UserError, match="is 80 pixels wide and 60 high, a square face expected"):
        next(raf_db.read(archive))


def test_the_compound_part_alone_is_refused(archive):
    (archive / "basic").rename(archive / "compound")
    (archive / "readme.txt").touch()

    with pytest.raises(UserError, match="the compound expressions, but no list.* basic ones. RAF"):
        next(raf_db.read(archive))


def test_aligned_faces_that_were_not_unpacked_are_named(archive):
    shutil.rmtree(archive / ALIGNED)
    (archive / "basic/Image/aligned.zip").touch()

    with pytest.raises(UserError, match="no aligned face.*; basic/Image/aligned.zip is not unpack"):
        next(raf_db.read(archive))


def test_missing_images_are_counted_and_named(archive):
    for number in (3, 1, 2, 4):
        (archive / ALIGNED / f"train_{number:05d}_aligned.jpg").unlink()

    with pytest.raises(
        UserError, match="21 images, 4 of them not in .*: train_00001_aligned.jpg, .* and 1 more;"
    ):
        next(raf_db.read(archive))


def test_images_without_a_label_are_refused(archive):
    lines = (archive / LIST).read_text().splitlines()
    (archive / LIST).write_text("\n".join(lines[:-1]) + "\n")

    with pytest.raises(
        UserError, match="21 images, 1 of them without a line .*: test_0007_aligned.jpg;"
    ):
        next(raf_db.read(archive))


def test_another_picture_among_the_aligned_faces_is_named(archive):
    shutil.copy(archive / ALIGNED / "test_0001_aligned.jpg", archive / ALIGNED / "copy.jpg")

    with pytest.raises(UserError, match="22 images, 1 of them without a line .*: copy.jpg;"):
        next(raf_db.read(archive))


def test_an_image_that_cannot_be_decoded_is_named(archive):
    (archive / ALIGNED / "train_00001_aligned.jpg").write_text("<html>404</html>")

    with pytest.raises(UserError, match="train_00001_aligned.jpg .* is no picture"):
        next(raf_db.read(archive))


def test_a_missing_or_empty_list_is_refused(archive):
    (archive / LIST).write_text("\n")
    with pytest.raises(UserError, match="holds no line"):
        next(raf_db.read(archive))

    (archive / LIST).unlink()
    with pytest.raises(UserError, match="holds no list_patition_label.txt. RAF-DB .*request"):
        next(raf_db.read(archive))


@pytest.mark.parametrize("with_table", [False, True])
def test_a_copy_sorted_by_class_says_that_the_list_is_needed(archive, with_table):
    """As it circulates: aligned faces in folders 1 to 7, with tables in the place of the list."""
    for line in (archive / LIST).read_text().splitlines():
        name, code = line.removesuffix("\n").replace(".jpg", "_aligned.jpg").split()
        place = archive / "DATASET" / name.partition("_")[0] / code
        place.mkdir(parents=True, exist_ok=True)
        (archive / ALIGNED / name).rename(place / name)
    if with_table:
        (archive / "train_labels.csv").write_text("image,label\ntrain_00001_aligned.jpg,4\n")
    shutil.rmtree(archive / "basic")

    with pytest.raises(UserError, match=r"by class \(DATASET.*\) but no list_.*list is needed"):
        next(raf_db.read(archive))


@pytest.mark.parametrize("line", ["train_00001.jpg 5.0", "train_00001.jpg;5", "train_00001.jpg,5"])
def test_a_list_that_another_program_wrote_is_called_so(archive, line):
    (archive / LIST).write_text(line + "\n")

    with pytest.raises(UserError, match="line 1: .*written anew by another program: put the orig"):
        next(raf_db.read(archive))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (gzip.compress, "is a gzip archive .*unpack it"),
        (lambda data: data.decode().encode("utf-16"), "in UTF-16 .*save it as UTF-8"),
    ],
)
def test_a_list_that_is_no_plain_text_is_named(archive, change, message):
    (archive / LIST).write_bytes(change((archive / LIST).read_bytes()))

    with pytest.raises(UserError, match=f"list_patition_label.txt.* {message}"):
        next(raf_db.read(archive))


def test_a_missing_folder_says_how_to_obtain_the_archive(tmp_path):
    with pytest.raises(UserError, match="The folder .*missing is not there. RAF-DB .*request"):
        next(raf_db.read(tmp_path / "missing"))
