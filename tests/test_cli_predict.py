"""`predict` on files, folders, videos and a camera, as a user types it."""

import csv
import json
import os
import shutil
import sys

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from typer.testing import CliRunner

import cli
from fer_tf.data.sources.drawn import draw_portrait
from fer_tf.expressions import EXPRESSIONS, PATHS
from fer_tf.faces.pictures import Frame, Picture, read_video
from fer_tf.inference.prediction_files import COLUMNS
from tests.fer_tf.faces.test_pictures import Camera
from tests.records import put_manifest


@tf.function(input_signature=[tf.TensorSpec((None, 48, 48, 1), tf.uint8, "image")])
def answer_surprise(image):
    """Stands for a combined model: Surprise for everything, more probable the lighter it is."""
    count = tf.shape(image)[0]
    lightness = tf.reduce_mean(tf.cast(image, tf.float32), axis=[1, 2, 3]) / 255
    class_id = EXPRESSIONS.index("Surprise")
    return {
        "label": tf.fill([count], "Surprise"),
        "class_id": tf.fill([count], class_id),
        "probability": lightness,
        "path": tf.fill([count], "C"),
        "path_probabilities": tf.one_hot(tf.fill([count], 2), len(PATHS)),
        "probabilities": lightness[:, None] * tf.one_hot([class_id], len(EXPRESSIONS)),
    }


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    version = folder / "concat_db" / "1"
    module = tf.Module()
    module.serve = answer_surprise
    tf.saved_model.save(module, version, signatures=answer_surprise)
    put_manifest(version)
    return folder


@tf.function(input_signature=[tf.TensorSpec((None, 48, 48, 1), tf.uint8, "image")])
def look_right(image):
    """Stands for networks that look at the right half of a face."""
    count = tf.shape(image)[0]
    halves = tf.repeat([[[0.0, 1.0]]], [24, 24], axis=2)
    return {"path": tf.fill([count], "C"), "attention": tf.tile(halves, [count, 48, 1])}


@pytest.fixture(scope="module")
def looking(models, tmp_path_factory):
    """The same model combined today: it tells what it looks at."""
    folder = tmp_path_factory.mktemp("looking")
    shutil.copytree(models, folder, dirs_exist_ok=True)
    module = tf.Module()
    module.serve, module.look = answer_surprise, look_right
    signatures = {"serving_default": answer_surprise, "attention": look_right}
    version = folder / "concat_db" / "1"
    tf.saved_model.save(module, version, signatures=signatures)
    return folder


@pytest.fixture(scope="module")
def portrait():
    return draw_portrait(3, 0, 0, size=160)


@pytest.fixture
def folder(tmp_path, portrait):
    """A picture of two persons, one of nobody."""
    folder = tmp_path / "holiday"
    folder.mkdir()
    cv2.imwrite(str(folder / "a two.png"), np.concatenate([portrait, portrait], axis=1))
    cv2.imwrite(str(folder / "b.jpg"), np.full((60, 80, 3), 90, np.uint8))
    return folder


def ask(models, *arguments):
    return CliRunner(env={"COLUMNS": "250"}).invoke(
        cli.app, ["predict", *map(str, arguments), f"--models-dir={models}"]
    )


def test_a_folder_is_answered_as_a_table_json_csv_and_pictures(models, folder, tmp_path):
    outputs = ["--csv", tmp_path / "answers.csv", "--annotate", tmp_path / "new" / "drawn"]

    result = ask(models, folder, "--json", *outputs)

    assert result.exit_code == 0, result.output
    answers = json.loads(result.stdout)
    photos = [str(folder / "a two.png")] * 2 + [str(folder / "b.jpg")]
    assert [answer["photo"] for answer in answers] == photos
    assert [answer["frame"] for answer in answers] == [None] * 3
    assert answers[1]["square"]["side"] > 60 and answers[2]["square"] is None
    with (tmp_path / "answers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [row["photo"] for row in rows] == photos
    assert [row["side"] for row in rows] == [*(str(a["square"]["side"]) for a in answers[:2]), ""]
    for row, answer in zip(rows, answers, strict=True):
        assert (row["label"], row["path"]) == (answer["label"], answer["path"])
        assert float(row["probability"]) == pytest.approx(answer["probability"], abs=1e-6)
        value = answer["probabilities"]["Surprise"]
        assert float(row["surprise"]) == pytest.approx(value, abs=1e-6)
    drawn = sorted(path.name for path in (tmp_path / "new" / "drawn").iterdir())
    assert drawn == ["a two.jpg", "b.jpg"]
    assert cv2.imread(str(tmp_path / "new" / "drawn" / "a two.jpg")).shape == (160, 320, 3)
    assert f"Wrote {tmp_path / 'answers.csv'}: 3 faces" in result.stderr

    table = ask(models, f"{folder}/*.jpg")
    assert "none found" in table.stdout and "Answered by" in table.stdout


def test_attention_colours_the_faces_of_annotated_pictures_where_it_is_asked_for(
    looking, models, folder, tmp_path
):
    def drawn(models, *options):
        result = ask(models, folder, "--json", "--annotate", tmp_path / "drawn", *options)
        assert result.exit_code == 0, result.output
        squares = [answer["square"] for answer in json.loads(result.stdout)[:2]]
        picture = cv2.imread(str(tmp_path / "drawn" / "a two.jpg")).astype(int)
        return result, picture, squares

    plain = drawn(looking)[1]
    result, coloured, squares = drawn(looking, "--attention")
    assert "In magenta" in result.stderr and "No attention" not in result.stderr
    for square in squares:
        x, y, side = square["x"], square["y"], square["side"]
        change = np.abs(coloured - plain)[y + side // 4 : y + side // 2, x : x + side].max(axis=2)
        assert np.median(change[:, side // 8 : side // 3]) < 10
        assert np.median(change[:, side * 2 // 3 : -side // 8]) > 50

    result, unchanged, _ = drawn(models, "--attention")  # A version from before.
    np.testing.assert_array_equal(unchanged, plain)
    assert (
        "No attention is drawn: the model does not tell it. One that is combined" in result.stderr
    )


def test_names_that_are_no_utf_8_are_answered_everywhere(models, tmp_path, portrait):
    folder = tmp_path / "photos"
    folder.mkdir()
    photo = folder / os.fsdecode(b"b\xff.png")
    photo.write_bytes(cv2.imencode(".png", portrait)[1].tobytes())
    outputs = [f"--csv={tmp_path / 'a.csv'}", f"--annotate={tmp_path / 'drawn'}"]

    result = ask(models, folder, "--json", *outputs)

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)[0]["photo"] == str(photo)
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        assert [row["photo"] for row in csv.DictReader(file)] == [f"{folder}/b\\udcff.png"]
    assert os.listdir(os.fsencode(tmp_path / "drawn")) == [b"b\xff.jpg"]
    video = folder / os.fsdecode(b"c\xff.avi")
    writer = cv2.VideoWriter(
        str(tmp_path / "c.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (160, 160)
    )
    writer.write(portrait)
    writer.release()
    (tmp_path / "c.avi").rename(video)
    answers = json.loads(ask(models, video, "--json").stdout)
    assert [answer["photo"] for answer in answers] == [str(video)]


def test_one_bad_file_is_told_at_the_end_and_the_others_are_answered(models, folder, tmp_path):
    (folder / "c.jpg").write_bytes(b"<html>")

    result = ask(models, folder, "--json", "--csv", tmp_path / "answers.csv")

    assert len(json.loads(result.stdout)) == 3
    assert len((tmp_path / "answers.csv").read_text().splitlines()) == 4
    assert result.exit_code == 1
    assert str(result.exception).startswith("1 of 3 files could not be read: ")
    assert "c.jpg (6 bytes) is no picture" in str(result.exception)


def test_a_heic_picture_is_read_or_named(models, folder, monkeypatch):
    (folder / "c.HEIC").write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heic" + bytes(40))
    (folder / "c.dng").write_bytes(b"?")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)

    result = ask(models, folder, "--json")

    assert len(json.loads(result.stdout)) == 3
    assert f"1 file ({folder / 'c.dng'})" in result.stderr
    assert result.exit_code == 1
    assert "1 of 3 files could not be read: " in str(result.exception)
    assert "c.HEIC is a HEIC picture, which needs the package pillow-heif" in str(result.exception)


def test_a_video_is_answered_frame_by_frame(models, tmp_path, portrait):
    path = tmp_path / "clip.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (160, 160))
    for number in range(5):
        video.write(portrait if number != 2 else np.zeros_like(portrait))
    video.release()

    result = ask(models, path, "--every", 2, "--json", "--annotate", tmp_path / "drawn")

    answers = json.loads(result.stdout)  # Nobody is seen in frame 2.
    assert [answer["frame"] for answer in answers] == [
        {"number": 0, "seconds": 0.0},
        {"number": 4, "seconds": 0.4},
    ]
    drawn = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert drawn == ["clip-000000.jpg", "clip-000002.jpg", "clip-000004.jpg"]
    assert "clip.avi at 0.40 s, face 1" in ask(models, path, "--every", 4).stdout


def test_faces_of_a_video_are_followed_and_drawn_into_a_video(models, tmp_path, portrait):
    path = tmp_path / "clip.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (320, 160))
    two, right = np.concatenate([portrait] * 2, axis=1), np.zeros((160, 320, 3), np.uint8)
    right[:, 160:] = portrait
    for frame in (two, right, two, two):
        video.write(frame)
    video.release()
    drawn, table = tmp_path / "drawn.mp4", tmp_path / "answers.csv"

    result = ask(models, path, "--every", 1, "--json", "--annotate", drawn, "--csv", table)

    assert result.exit_code == 0, result.output
    assert f"Wrote {drawn}: 4 frames" in result.stderr
    answers = json.loads(result.stdout)
    places = {answer["identity"]: set() for answer in answers}
    for answer in answers:
        places[answer["identity"]].add(answer["square"]["x"] > 160)
    assert sorted(places) == [1, 2] and all(len(sides) == 1 for sides in places.values())
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[-1] == "identity"
    assert [int(row["identity"]) for row in rows] == [answer["identity"] for answer in answers]
    assert [row["seconds"] for row in rows] == ["0.000"] * 2 + ["0.100"] + ["0.200"] * 2 + [
        "0.300"
    ] * 2
    frames = [picture.image.astype(int) for picture in read_video(drawn)]
    assert len(frames) == 4
    changed = [
        (np.abs(frame - two).max(axis=2) > 60).any(axis=0) for frame in (frames[0], frames[3])
    ]
    for columns in changed:
        assert columns[:160].any() and columns[160:].any()

    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), portrait)
    assert json.loads(ask(models, photo, "--json").stdout)[0]["identity"] is None


def test_a_video_that_is_none_leaves_no_annotated_video(models, tmp_path):
    (tmp_path / "fake.mp4").write_bytes(b"movie")

    result = ask(models, tmp_path / "fake.mp4", "--annotate", tmp_path / "drawn.mp4")

    assert result.exit_code == 1
    assert "fake.mp4 (5 bytes) is no video that can be decoded" in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["fake.mp4"]


def test_ctrl_c_keeps_the_frames_that_were_answered(models, tmp_path, monkeypatch, portrait):
    path = tmp_path / "clip.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (160, 160))
    video.write(portrait)
    video.release()

    def interrupted(*_):
        yield Picture(str(path), portrait, Frame(0, 0.0), live=True)
        raise KeyboardInterrupt

    monkeypatch.setattr("fer_tf.faces.pictures.read_files", interrupted)

    result = ask(models, path, "--json", "--annotate", tmp_path / "drawn.mp4")

    assert result.exit_code == 130
    assert len(list(read_video(tmp_path / "drawn.mp4"))) == 1


def test_a_camera_tells_each_frame_at_once(models, monkeypatch, portrait):
    camera = Camera(3)
    monkeypatch.setattr(camera, "read", lambda: (True, portrait))
    monkeypatch.setattr(cv2, "VideoCapture", camera)

    result = ask(models, "--camera", 0, "--frames", 2, "--every", 1)

    assert result.exit_code == 0, result.output
    assert "s: face 1: Surprise" in result.stdout
    assert sum(" s: " in line and ", path " in line for line in result.stdout.splitlines()) == 2


def test_a_camera_that_stops_is_named_and_its_answers_are_kept(models, monkeypatch, tmp_path):
    monkeypatch.setattr(cv2, "VideoCapture", Camera(3))
    table = tmp_path / "answers.csv"

    result = ask(models, "--camera", 0, "--frames", 9, "--every", 1, "--json", "--csv", table)

    assert result.exit_code == 1
    assert str(result.exception) == "Camera 0 gave no more pictures after 3; plug it in again."
    assert table.exists() and isinstance(json.loads(result.stdout), list)


@pytest.mark.parametrize(("source", "status"), [("camera", 0), ("files", 130)])
def test_ctrl_c_keeps_what_was_answered(models, folder, tmp_path, monkeypatch, source, status):
    image = cv2.imread(str(folder / "a two.png"))

    def interrupted(*_):
        yield Picture("seen", image, live=True)
        raise KeyboardInterrupt

    monkeypatch.setattr("fer_tf.faces.pictures.read_camera", interrupted)
    monkeypatch.setattr("fer_tf.faces.pictures.read_files", interrupted)
    asked = ["--camera", 0] if source == "camera" else [folder]

    result = ask(models, *asked, "--json", "--csv", tmp_path / "answers.csv")

    assert result.exit_code == status
    assert len(json.loads(result.stdout)) == 2
    assert len((tmp_path / "answers.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name pictures, videos or folders, or a camera"),
        (["photo.jpg", "--camera", 0], "Name pictures, videos or folders, or a camera"),
        (["gone.jpg"], "gone.jpg cannot be read (No such file or directory)"),
        (["{folder}/*.gif"], "matches no picture and no video"),
        (["{folder}/fake.mp4"], "fake.mp4 (5 bytes) is no video that can be decoded"),
        (["{folder}", "--csv", "{folder}/none/a.csv"], "a.csv cannot be written (No such file"),
        (["{folder}", "--annotate", "{folder}/b.jpg"], "b.jpg cannot be written"),
        (["{folder}", "--annotate", "{folder}"], "holds the pictures themselves"),
        (["{folder}", "--annotate", "{folder}/a.mp4"], "a.mp4 shows the frames of one video; name"),
        (["--camera", 0, "--annotate", "a.mp4"], "a.mp4 shows the frames of one video; name"),
        (["{folder}", "--attention"], "--attention colours the pictures of --annotate FOLDER"),
        (["--camera", 9], "Camera 9 cannot be opened"),
    ],
)
def test_mistakes_are_one_sentence(models, folder, arguments, said):
    (folder / "fake.mp4").write_bytes(b"movie")

    result = ask(models, *(str(argument).format(folder=folder) for argument in arguments))

    assert result.exit_code == 1
    assert said in str(result.exception)
    assert not list(folder.glob("writing-*"))


def test_names_that_occur_twice_are_numbered(models, folder, tmp_path):
    (folder / "deep").mkdir()
    cv2.imwrite(str(folder / "deep" / "B.png"), np.zeros((30, 30, 3), np.uint8))

    ask(models, f"{folder}/**/[bB].*", "--annotate", tmp_path / "drawn")

    drawn = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert drawn == ["B-2.jpg", "b.jpg"] or drawn == ["B.jpg", "b-2.jpg"]


def test_a_long_table_ends_in_a_count(models, tmp_path, monkeypatch):
    monkeypatch.setattr("fer_tf.inference.outputs.MOST_ROWS", 2)
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((9, 9, 3), np.uint8))

    result = ask(models, tmp_path)

    assert result.stdout.count("none found") == 2
    assert "2 more faces are not shown" in result.stdout
