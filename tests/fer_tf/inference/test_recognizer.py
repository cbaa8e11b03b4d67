"""The Python interface, as a user's program calls it."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import fer_tf
from fer_tf import ExpressionRecognizer
from fer_tf.data.sources.drawn import draw_portrait
from fer_tf.errors import UserError
from fer_tf.export import model_store
from fer_tf.faces.preprocessing import to_face
from fer_tf.inference.prediction import COLUMNS
from fer_tf.occlusion.occlude import occlude
from tests.records import put_manifest
from tests.tiny_model import copy_tiny_model


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    copy_tiny_model(folder / "concat_db" / "1")
    put_manifest(folder / "concat_db" / "1")
    return folder


@pytest.fixture(scope="module")
def recognizer(models):
    return ExpressionRecognizer("concat_db", models_dir=models)


@pytest.fixture(scope="module")
def portrait():
    """A face in BGR, with colours that differ."""
    return draw_portrait(3, 0, 0, size=160)


def test_the_package_imports_nothing_heavy_and_its_names_are_few():
    assert fer_tf.__all__ == ["ExpressionRecognizer", "__version__", "load_network"]
    code = (
        "import sys, fer_tf; print(sorted({'numpy', 'cv2', 'tensorflow'} & set(sys.modules)));"
        "from fer_tf import *; print(ExpressionRecognizer.__name__, 'tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(fer_tf.__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["[]", "ExpressionRecognizer False"]
    with pytest.raises(AttributeError, match="no attribute 'Recogniser'"):
        fer_tf.Recogniser  # noqa: B018


def test_every_form_of_a_picture_has_the_same_answer(recognizer, portrait, tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), portrait)
    forms = [path.read_bytes(), Image.open(path), portrait[..., ::-1]]

    (face,) = recognizer(path)

    assert face.photo == str(path) and face.square.side > 60
    assert recognizer(str(path)) == [face]
    for form in forms:
        (other,) = recognizer(form)
        assert other.photo == "picture"
        assert (other.square, other.probabilities) == (face.square, face.probabilities)
    assert recognizer(portrait, channel_order="bgr")[0].probabilities == face.probabilities
    in_gray = recognizer(cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY))
    assert in_gray[0].square.side == pytest.approx(face.square.side, rel=0.1)


def test_a_pil_image_is_turned_upright(recognizer, portrait, tmp_path):
    turned = Image.fromarray(np.rot90(portrait)[..., ::-1])
    exif = turned.getexif()
    exif[0x0112] = 6  # Orientation: to be turned clockwise by a quarter.
    turned.save(tmp_path / "turned.png", exif=exif)

    with Image.open(tmp_path / "turned.png") as picture:
        (face,) = recognizer(picture)

    assert face.square == recognizer(portrait, channel_order="bgr")[0].square


def test_a_list_has_a_list_of_faces_for_each_picture(recognizer, portrait):
    two = np.concatenate([portrait, portrait], axis=1)[..., ::-1]
    nobody = np.full((60, 80), 90, np.uint8)

    answers = recognizer([two, nobody])

    assert [len(faces) for faces in answers] == [2, 1]
    assert [face.photo for face in answers[0]] == ["picture 0"] * 2
    assert answers[1][0].photo == "picture 1" and answers[1][0].square is None
    assert recognizer([]) == []
    rows = recognizer.table(answers)
    assert [tuple(row) for row in rows] == [COLUMNS] * 3
    assert rows[2]["x"] is None and rows[2]["surprise"] >= 0
    assert recognizer.table(answers[0]) == rows[:2]
    assert answers[0][0].to_dict()["square"] == answers[0][0].square._asdict()


@pytest.mark.parametrize("occlusion", ["upper", "eyes"])
def test_without_detection_each_picture_is_a_face(models, portrait, tmp_path, occlusion):
    copy_tiny_model(tmp_path / "1")
    put_manifest(tmp_path / "1", occlusion=occlusion)
    recognizer = ExpressionRecognizer(tmp_path / "1", detect=False)
    crops = [portrait[20:140, 20:140], portrait[30:120, 30:120]] * 20  # More than go together.

    answers = recognizer(crops, channel_order="bgr")

    assert len(answers) == 40 and all(face.square is None for (face,) in answers)
    face = to_face(crops[1])
    covered = occlude(face, "eyes") if occlusion == "eyes" else face
    outputs = recognizer._model.answer(covered[np.newaxis])
    np.testing.assert_allclose(
        list(answers[1][0].probabilities.values()), outputs.probabilities[0], atol=1e-6
    )


def test_a_video_is_answered_frame_by_frame(recognizer, models, portrait, tmp_path):
    path = tmp_path / "clip.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (160, 160))
    for frame in (portrait, portrait, np.zeros_like(portrait), portrait, portrait):
        video.write(frame)
    video.release()

    frames = list(recognizer.video(path, every=2))

    assert [frame.number for frame, _ in frames] == [0, 2, 4]
    assert [[face.identity for face in faces] for _, faces in frames] == [[1], [], [1]]
    rows = recognizer.table([faces for _, faces in frames])
    assert [(row["seconds"], row["identity"]) for row in rows] == [(0.0, 1), (0.4, 1)]
    with pytest.raises(UserError, match="every is 0; a whole number"):
        next(recognizer.video(path, every=0))
    with pytest.raises(UserError, match="gone.avi is not there"):
        next(recognizer.video("gone.avi"))
    crops = ExpressionRecognizer("concat_db", detect=False, models_dir=models)
    with pytest.raises(UserError, match="leave out detect=False"):
        next(crops.video(path))


def test_threads_share_a_recognizer(recognizer, portrait):
    pictures = [np.roll(portrait, 3 * shift, axis=1) for shift in range(12)]
    expected = [recognizer(picture) for picture in pictures]

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(recognizer, pictures)) == expected


def test_a_model_is_the_shipped_one_a_name_or_the_folder_of_a_version(
    models, monkeypatch, portrait
):
    named = ExpressionRecognizer("concat_db", models_dir=models)(portrait)
    assert ExpressionRecognizer(models / "concat_db" / "1")(portrait) == named
    assert ExpressionRecognizer(str(models / "concat_db" / "1"))(portrait) == named
    with pytest.raises(UserError, match="pretrained holds no model"):
        ExpressionRecognizer()
    monkeypatch.setattr(model_store, "PRETRAINED", models)
    assert ExpressionRecognizer()(portrait) == named


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("eye_cdb", "holds concat_db, not 'eye_cdb'"),
        ("models/concat_db", "models/concat_db is not the folder of a version; name one such as"),
        (Path("concat_db"), "concat_db is not the folder of a version"),
    ],
)
def test_a_model_that_is_missing_is_one_sentence(models, model, message):
    with pytest.raises(UserError, match=message):
        ExpressionRecognizer(model, models_dir=models)


DAMAGED_PNG = cv2.imencode(".png", np.zeros((40, 40, 3), np.uint8))[1].tobytes()[:60]


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        ("gone.jpg", r"gone.jpg cannot be read \(No such file"),
        (b"<html>", r"picture \(6 bytes\) is no picture that can be decoded"),
        (b"", r"picture \(0 bytes\) is no picture"),
        (DAMAGED_PNG, r"picture \(60 bytes\) is no picture"),
        (np.zeros((9, 9), np.float32), r"picture is an array of float32 \[9, 9\]; uint8 \[H, W\]"),
        (np.zeros((9, 9, 4), np.uint8), r"an array of uint8 \[9, 9, 4\]"),
        (np.zeros((2, 9, 9, 3), np.uint8), r"an array of uint8 \[2, 9, 9, 3\]"),
        (np.zeros(9, np.uint8), r"an array of uint8 \[9\]"),
        (np.zeros((0, 9, 3), np.uint8), "picture is empty, 0 x 9 pixels"),
        (Image.new("RGB", (0, 3)), "picture is empty, 3 x 0 pixels"),
        (Image.new("F", (9, 9)), "a PIL image of mode F"),
        ([b"<html>"], r"picture 0 \(6 bytes\) is no picture"),
        (7, "picture is of type int; a path"),
    ],
)
def test_a_wrong_picture_is_one_sentence(recognizer, picture, message):
    with pytest.raises(UserError, match=message) as raised:
        recognizer(picture)
    assert "\n" not in str(raised.value)


def test_a_pil_image_that_is_cut_short_is_named(recognizer, portrait, tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), portrait)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError, match="is a PIL image that cannot be decoded"):
        recognizer(Image.open(path))


def test_an_unknown_channel_order_is_refused(recognizer, portrait):
    with pytest.raises(UserError, match="channel_order is 'grb'; 'rgb' or 'bgr' is expected"):
        recognizer(portrait, channel_order="grb")
