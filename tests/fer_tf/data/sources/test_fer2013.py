import bz2
import gzip
import lzma
import tarfile
import zipfile

import numpy as np
import pytest

from fer_tf.data.sources import fer2013
from fer_tf.errors import UserError
from fer_tf.expressions import EXPRESSIONS
from tests.helpers import draw_fer2013

PIXELS = " ".join(["7"] * 2304)


def write(folder, *rows, header="emotion,pixels,Usage", name="fer2013.csv"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join([header, *rows]) + "\n")
    return folder


def test_reads_every_row_in_order(tmp_path):
    labels = draw_fer2013(tmp_path, count_per_expression=3)

    faces = list(fer2013.read(tmp_path))

    assert [face.id for face in faces] == [f"fer2013/{row}" for row in range(21)]
    assert [face.expression for face in faces] == labels
    assert {(face.source, face.subject) for face in faces} == {("fer2013", "")}


def test_pixels_are_row_major_gray_values(tmp_path):
    values = np.arange(2304) % 256
    write(tmp_path, f"3,{' '.join(map(str, values))},Training")

    (face,) = fer2013.read(tmp_path)

    assert face.image.dtype == np.uint8
    np.testing.assert_array_equal(face.image, values.reshape(48, 48))
    assert EXPRESSIONS[face.expression] == "Happiness"


def test_both_official_files_hold_the_same_faces(tmp_path):
    draw_fer2013(tmp_path / "a")
    draw_fer2013(tmp_path / "b", header="emotion, Usage, pixels", name="icml_face_data.csv")

    for first, second in zip(
        fer2013.read(tmp_path / "a"), fer2013.read(tmp_path / "b"), strict=True
    ):
        assert (first.id, first.expression) == (second.id, second.expression)
        np.testing.assert_array_equal(first.image, second.image)


def test_reads_what_the_archive_unpacks_to_and_ignores_its_other_tables(tmp_path):
    draw_fer2013(tmp_path / "fer2013", count_per_expression=1)
    draw_fer2013(tmp_path, name="train.csv")

    assert len(list(fer2013.read(tmp_path))) == 7


def test_reads_row_by_row(tmp_path):
    faces = fer2013.read(write(tmp_path, f"0,{PIXELS},Training", "broken"))

    assert next(faces).id == "fer2013/0"
    with pytest.raises(UserError):
        next(faces)


def test_byte_order_mark_windows_lines_and_blank_lines_are_tolerated(tmp_path):
    row = f"6,{PIXELS},PrivateTest\r\n"
    text = "\ufeffemotion,pixels,Usage\r\n" + row + "\r\n" + row + "\r\n"
    (tmp_path / "fer2013.csv").write_bytes(text.encode())

    assert [face.id for face in fer2013.read(tmp_path)] == ["fer2013/0", "fer2013/1"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (f"0,{PIXELS[:-2]},Training", "2303 pixels received, 2304 expected"),
        (f"0,{PIXELS} 7,Training", "2305 pixels received"),
        ("0,,Training", "0 pixels received"),
        (f"0,{PIXELS[:-2]}", "2 columns received, at least 3 expected"),
        (f"0,{PIXELS},Train", "Usage 'Train' received"),
        (f"7,{PIXELS},Training", "emotion '7' received"),
        (f",{PIXELS},Training", "emotion '' received"),
        (f"0,{PIXELS[:-1]}256,Training", "pixel 256 received"),
        (f"0,{PIXELS[:-1]}-1,Training", "pixel -1 received"),
        (f"0,{PIXELS[:-1]}2.5,Training", "no whole numbers"),
        (f"0,{PIXELS[:-1]}x,Training", "no whole numbers"),
        ('0,"' + PIXELS * 30, "field larger than field limit"),
    ],
)
def test_a_malformed_row_is_named_by_its_line(tmp_path, row, message):
    good = f"0,{PIXELS},Training"
    write(tmp_path, good, row, good)

    with pytest.raises(UserError, match=rf"fer2013.csv, line 3: .*{message}"):
        list(fer2013.read(tmp_path))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (f"0,{PIXELS[:2000]}", "2 columns received, at least 3 expected"),
        (f"0,{PIXELS[:-2]} 12", "2 columns received, at least 3 expected"),  # of 123
        (f"0,{PIXELS}", "2 columns received, at least 3 expected"),
        (f"0,{PIXELS},", "Usage '' received"),
        (f"0,{PIXELS},Trainin", "Usage 'Trainin' received"),
        (f'0,"{PIXELS[:-2]} 12', "2 columns received, at least 3 expected"),
    ],
)
def test_a_last_row_that_was_cut_is_named(tmp_path, row, message):
    (tmp_path / "fer2013.csv").write_text(f"emotion,pixels,Usage\n0,{PIXELS},Training\n{row}")

    with pytest.raises(UserError, match=f"line 3: {message}.* unpack it again"):
        list(fer2013.read(tmp_path))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", "\r"])
def test_pixels_at_the_end_of_a_table_may_have_been_cut_unless_their_line_ends(tmp_path, end):
    table = tmp_path / "icml_face_data.csv"
    text = f"emotion, Usage, pixels\n0,Training,{PIXELS[:-2]} 12"
    table.write_text(text, newline="")

    with pytest.raises(UserError, match="icml_face_data.csv ends within a line.*end the line if"):
        list(fer2013.read(tmp_path))

    table.write_text(text + end, newline="")
    assert len(list(fer2013.read(tmp_path))) == 1


def test_a_table_without_a_last_line_end_is_whole_where_the_usage_comes_last(tmp_path):
    (tmp_path / "fer2013.csv").write_text(f"emotion,pixels,Usage\n0,{PIXELS},Training")

    assert len(list(fer2013.read(tmp_path))) == 1


@pytest.mark.parametrize("name", ["FER2013.CSV", "Fer2013/fer2013.csv", "a/b/ICML_face_data.csv"])
def test_the_table_is_found_in_any_case_at_any_depth(tmp_path, name):
    draw_fer2013((tmp_path / name).parent, count_per_expression=1, name=name.rpartition("/")[2])

    assert len(list(fer2013.read(tmp_path))) == 7


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html>\n<html>\n", "line 1: header '<!DOCTYPE html>' received"),
        ("emotion,pixels,Usage\n".encode("utf-16"), "is no text in UTF-8 .byte 0: 0xff. but in"),
        (b"emotion,pixels,Usage\n0,7 7 7\xe9 7,Training\n", "line 2: pixels that are no whole"),
        (b"emotion,pixels,Usage\n" + bytes(5000), "line 2: 1 columns received"),
    ],
    ids=["a web page", "UTF-16", "Latin-1", "zeros"],
)
def test_another_kind_of_file_is_refused(tmp_path, content, message):
    (tmp_path / "fer2013.csv").write_bytes(content)

    with pytest.raises(UserError, match=message):
        list(fer2013.read(tmp_path))


@pytest.mark.parametrize("pack", ["tar", "w:gz", "gz", "bz2", "xz", "zip"])
def test_an_archive_that_is_named_like_the_table_is_unpacked_by_its_user(tmp_path, pack):
    draw_fer2013(tmp_path / "whole", count_per_expression=1)
    table, packed = tmp_path / "whole" / "fer2013.csv", tmp_path / "raw" / "fer2013.csv"
    packed.parent.mkdir()
    if pack in ("tar", "w:gz"):
        with tarfile.open(packed, pack.replace("tar", "w")) as archive:
            archive.add(table, "fer2013/fer2013.csv")
    elif pack == "zip":
        with zipfile.ZipFile(packed, "w") as archive:
            archive.write(table, "fer2013.csv")
    else:
        compress = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[pack]
        packed.write_bytes(compress(table.read_bytes()))

    kind = {"w:gz": "gzip", "gz": "gzip", "bz2": "bzip2"}.get(pack, pack)
    with pytest.raises(UserError, match=f"fer2013.csv is an? {kind} archive.*unpack it"):
        list(fer2013.read(packed.parent))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_table_in_another_encoding_says_how_to_save_it(tmp_path, encoding):
    text = f"emotion,pixels,Usage\n0,{PIXELS},Training\n"
    (tmp_path / "fer2013.csv").write_bytes(text.encode(encoding))

    with pytest.raises(UserError, match="csv is no text in UTF-8 .* in UTF-16 or UTF-32; save it"):
        list(fer2013.read(tmp_path))


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("emotion;pixels;Usage", f"0;{PIXELS};Training", "line 1: .*by semicolons.*with commas"),
        ("emotion\tpixels\tUsage", f"0\t{PIXELS}\tTraining", "line 1: .*by tabs.*with commas"),
        ("emotion,pixels,usage", f"0,{PIXELS},Training", "line 1: header .*; spell them so"),
        ("sep=,", "emotion,pixels,Usage", "line 1: header .*; remove line 1"),
        (f"0,{PIXELS},Training", f"0,{PIXELS},Training", "line 1 is a row already, put the header"),
        ("emotion,pixels,Usage", f"0,{PIXELS},training", "line 2: Usage 'training'.*spell it so"),
        ("emotion,pixels,Usage", f"3.0,{PIXELS},Training", r"line 2: emotion '3.0'.*astype\(int\)"),
    ],
)
def test_what_another_program_changed_is_named_with_the_cure(tmp_path, header, row, message):
    write(tmp_path, row, header=header)

    with pytest.raises(UserError, match=message):
        list(fer2013.read(tmp_path))


def test_empty_cells_that_excel_leaves_are_no_rows(tmp_path):
    write(tmp_path, f"0,{PIXELS},Training,,", ",,,,", header="emotion,pixels,Usage,,")

    assert [face.id for face in fer2013.read(tmp_path)] == ["fer2013/0"]


def test_a_table_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "fer2013.csv").symlink_to("unplugged.csv")

    with pytest.raises(UserError, match=r"fer2013.csv cannot be read \(No such file"):
        list(fer2013.read(tmp_path))


@pytest.mark.parametrize("header", ["emotion,pixels", "label,pixels,Usage", f"0,{PIXELS},Training"])
def test_another_header_is_refused(tmp_path, header):
    write(tmp_path, f"0,{PIXELS},Training", header=header)

    with pytest.raises(UserError, match="line 1: header .* emotion,pixels,Usage expected"):
        list(fer2013.read(tmp_path))


def test_empty_tables_are_refused(tmp_path):
    (tmp_path / "fer2013.csv").touch()
    with pytest.raises(UserError, match="fer2013.csv is empty"):
        list(fer2013.read(tmp_path))

    write(tmp_path)
    with pytest.raises(UserError, match="a header and no rows"):
        list(fer2013.read(tmp_path))


def test_two_tables_are_refused(tmp_path):
    draw_fer2013(tmp_path, count_per_expression=1)
    draw_fer2013(tmp_path, count_per_expression=1, name="icml_face_data.csv")

    with pytest.raises(UserError, match="keep fer2013.csv and remove the rest"):
        list(fer2013.read(tmp_path))


def test_class_folders_are_refused(tmp_path):
    (tmp_path / "train" / "angry").mkdir(parents=True)
    (tmp_path / "train" / "angry" / "1.png").touch()

    with pytest.raises(UserError, match=r"images \(train.angry.1.png\).* the csv file is needed"):
        list(fer2013.read(tmp_path))
    with pytest.raises(UserError, match=f"evaluate-photos {tmp_path / 'train'}` measures"):
        list(fer2013.read(tmp_path))


def test_a_missing_or_empty_folder_says_how_to_obtain_the_archive(tmp_path):
    with pytest.raises(UserError, match="is not there. FER2013 .*Kaggle"):
        list(fer2013.read(tmp_path / "missing"))
    with pytest.raises(UserError, match="is empty. FER2013 .*Kaggle"):
        list(fer2013.read(tmp_path))
