"""`evaluate-photos` on folders of labelled photographs, as a user types it."""

import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import cli
from fer_tf.data.sources.drawn import draw_portrait
from fer_tf.errors import UserError
from fer_tf.expressions import EXPRESSIONS
from fer_tf.inference.predict import ExpressionModel
from fer_tf.plots.results import _RIGHT, _WRONG
from tests.records import put_manifest
from tests.tiny_model import copy_tiny_model


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    copy_tiny_model(folder / "concat_db" / "1")
    put_manifest(folder / "concat_db" / "1")
    return folder


@pytest.fixture
def folder(tmp_path):
    """Seven photographs of one person: one has two faces in it, one none, one is cut short."""
    folder = tmp_path / "photos"
    portraits = [draw_portrait(3, label, 0, size=160) for label in range(3)]
    put(folder / "Happiness" / "a.png", portraits[0])
    put(folder / "Happiness" / "masks" / "b.png", portraits[0])
    put(folder / "SADNESS" / "a.png", np.concatenate([portraits[2]] * 2, axis=1))
    put(folder / "SADNESS" / "wall.jpg", np.full((60, 80, 3), 90, np.uint8))
    put(folder / "normal" / "a.png", portraits[1])
    (folder / "normal" / "broken.jpg").write_bytes(b"<html>")
    (folder / "normal" / "notes.txt").write_text("Not a picture.")
    put(folder / "normal" / ".thumbnails" / "a.png", portraits[1])
    (folder / "Fear").mkdir()
    return folder


def put(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def ask(models, *arguments):
    return CliRunner(env={"COLUMNS": "250"}).invoke(
        cli.app, ["evaluate-photos", *map(str, arguments), f"--models-dir={models}"]
    )


def answer_by(label_of):
    """Stands for the networks: says of each face what a function of it says."""
    whole = ExpressionModel.answer

    def answer(self, faces):
        labels = np.array([label_of(face) for face in faces])
        return replace(whole(self, faces), class_id=labels)

    return answer


def test_accuracy_is_told_with_its_interval_and_faces_are_drawn(
    models, folder, monkeypatch, figures
):
    # Happiness for all: right in two of five.
    monkeypatch.setattr(ExpressionModel, "answer", answer_by(lambda face: 0))
    figure = folder.parent / "figure.png"

    result = ask(models, folder, "--figure", figure)

    assert "2 of 5 photographs right: 40.0 % (95 % interval 11.8 to 76.9)" in result.stdout
    assert "always Happiness: 40.0 %" in result.stdout
    rows = dict(re.findall(r"│ (\w+) +│ +(\d+ │ +\d+) │", result.stdout))
    assert {name: row.split()[::2] for name, row in rows.items()} == {
        **dict.fromkeys(EXPRESSIONS, ["0", "0"]),
        **{"Happiness": ["2", "2"], "Normal": ["0", "1"], "Sadness": ["0", "2"]},
    }
    assert "In 1 no face was found" in result.stdout
    assert "In 1 several faces were found: the largest was taken." in result.stdout
    assert f"Wrote {figure}: 5 of 5 photographs" in result.stdout
    assert result.exit_code == 1  # Of the picture that is none, told at the end.
    assert str(result.exception).startswith("1 of 6 files could not be read: ")
    assert {axis.title.get_color() for axis in figures[0].axes if axis.images} == {_RIGHT, _WRONG}
    drawn = cv2.imread(str(figure)).astype(int)
    assert (np.abs(drawn - drawn.mean(axis=2, keepdims=True)).max(axis=2) > 10).mean() > 0.1
    assert not list(folder.parent.glob("writing-*"))


def test_rubbish_is_passed_over_other_names_are_mapped_and_what_is_not_read_is_named(
    models, folder, monkeypatch
):
    monkeypatch.setattr(ExpressionModel, "answer", answer_by(lambda face: 0))
    (folder / "Happiness").rename(folder / "happy")
    (folder / "normal" / "broken.jpg").unlink()
    put(folder / "@eaDir" / "a.png", np.zeros((9, 9, 3), np.uint8))
    put(folder / "happy" / "@eaDir" / "a.png", np.zeros((9, 9, 3), np.uint8))
    put(folder / "__MACOSX" / "happy" / "b.png", np.zeros((9, 9, 3), np.uint8))
    put(folder / "beside.png", np.zeros((9, 9, 3), np.uint8))
    (folder / "happy" / "IMG_1.DNG").write_bytes(b"?")

    result = ask(models, folder)

    assert result.exit_code == 0, result.output
    assert "2 of 5 photographs right" in result.stdout
    names = ("beside.png", "happy/IMG_1.DNG", "normal/notes.txt")
    named = ", ".join(str(folder / name) for name in names)
    assert f": 3 files ({named})" in result.stdout


def test_without_a_figure_nothing_is_written(models, folder):
    (folder / "normal" / "broken.jpg").unlink()
    before = sorted(folder.parent.rglob("*"))

    result = ask(models, folder)

    assert result.exit_code == 0, result.output
    assert "of 5 photographs right" in result.stdout and "Wrote" not in result.stdout
    assert sorted(folder.parent.rglob("*")) == before


def test_of_many_photographs_some_are_shown_the_same_in_every_run(models, tmp_path, monkeypatch):
    monkeypatch.setattr("fer_tf.inference.photo_folders.MOST_SHOWN", 3)
    for number in range(7):
        put(tmp_path / "photos" / "Anger" / f"{number}.png", np.full((20, 20, 3), 9, np.uint8))
    shown = []
    monkeypatch.setattr(
        "fer_tf.inference.photo_folders._panel", lambda each: shown.append(each.photo.name) or None
    )

    result = ask(models, tmp_path / "photos", "--figure", tmp_path / "figure.png")

    assert shown == ["0.png", "3.png", "6.png"]
    assert "figure.png: 3 of 7 photographs" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{folder}/gone"], "gone is no folder; name one whose sub-folders are called Happiness,"),
        (["{folder}/Fear"], "Fear has no picture in a sub-folder called Happiness, Normal"),
        (["{folder}/.."], "has a sub-folder 'photos'; Happiness, Normal, Sadness, Anger, Fear,"),
        (["{folder}", "--figure", "{folder}/a.png"], "lies among the photographs"),
        (["{folder}", "--figure", "a.jpg"], "--figure got a.jpg; the name of a PNG file"),
        (["{folder}", "--figure", "{folder}x/a.png"], "a.png cannot be written (No such file"),
        (["{folder}", "--name", "eye_cdb"], "holds concat_db, not 'eye_cdb'"),
    ],
)
def test_mistakes_are_one_sentence(models, folder, arguments, said):
    result = ask(models, *(argument.format(folder=folder) for argument in arguments))

    assert result.exit_code == 1 and isinstance(result.exception, UserError)
    assert said in str(result.exception)


def test_without_a_readable_photograph_no_figure_is_left(models, tmp_path):
    (tmp_path / "photos" / "Anger").mkdir(parents=True)
    (tmp_path / "photos" / "Anger" / "a.jpg").write_bytes(b"<html>")

    result = ask(models, tmp_path / "photos", "--figure", tmp_path / "figure.png")

    assert "a.jpg (6 bytes) is no picture" in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
