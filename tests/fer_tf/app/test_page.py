"""What the page says, without a browser; most of it without Gradio too."""

import base64
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import cli
from fer_tf.app import answers as page_answers
from fer_tf.app import page
from fer_tf.app.answers import MASKS, answer, covered, look_at
from fer_tf.app.models import (
    TRAINED_ON_DRAWN,
    LocalModels,
    ServedModels,
)
from fer_tf.data.sources.drawn import draw_face, draw_portrait
from fer_tf.errors import UserError
from fer_tf.expressions import EXPRESSIONS, PATHS
from fer_tf.inference.prediction import ModelOutputs
from fer_tf.occlusion.occlude import occlude
from fer_tf.records.manifest import NetworkEvaluation
from fer_tf.serving.rest_client import Server, ServerRefusal, SignatureMissing
from tests.fer_tf.export.test_combine import ROW
from tests.records import put_manifest

ROOT = Path(page.__file__).parents[2]
HAPPINESS, SURPRISE = EXPRESSIONS.index("Happiness"), EXPRESSIONS.index("Surprise")


class Fake:
    """Answers Surprise where the upper half is black, else Happiness, and keeps what it is sent.

    Its networks look at the right half, if it tells.
    """

    def __init__(self, kind="none", tells=True, **extra):
        self.kind, self.tells, self.extra = kind, tells, extra

    def names(self):
        return ["concat_db"]

    def describe(self, name):
        return [f"{name} <of a test>"]

    def occlusion(self, name):
        return self.kind

    def answer(self, name, faces):
        self.sent = faces
        upper = faces[:, :24].any(axis=(1, 2))
        class_id = np.where(upper, HAPPINESS, SURPRISE)
        count = len(faces)
        return ModelOutputs(
            label=np.array([EXPRESSIONS[i].encode() for i in class_id]),
            class_id=class_id,
            probability=np.full(count, 0.75, np.float32),
            path=np.where(upper, b"A", b"C"),
            path_probabilities=np.full((count, len(PATHS)), 1 / 3, np.float32),
            probabilities=0.75 * np.eye(len(EXPRESSIONS), dtype=np.float32)[class_id],
            **{name: np.array([value] * count) for name, value in self.extra.items()},
        )

    def attention(self, name, faces):
        self.looked = faces
        return (
            np.tile(np.repeat(np.float32([0, 1]), 24), (len(faces), 48, 1)) if self.tells else None
        )


@pytest.fixture(scope="module")
def two():
    """A picture of two persons, as a file's bytes."""
    portraits = [draw_portrait(3, 0, 0, size=160), draw_portrait(3, 0, 0, size=160)]
    return cv2.imencode(".png", np.concatenate(portraits, axis=1))[1].tobytes()


def test_every_face_is_answered_and_one_of_them_with_each_mask(two):
    models, picture = Fake(), look_at(two, "two.png")

    predictions, answers = answer(models, "concat_db", picture, chosen=1)

    assert len(picture.faces) == len(predictions) == 2
    assert models.sent.shape == (2 + len(MASKS), 48, 48)
    assert [each.mask for each in answers] == ["none", "upper", "lower", "eyes"]
    face = picture.faces[1][1]
    for each in answers:
        expected = face if each.mask == "none" else occlude(face, each.mask)
        np.testing.assert_array_equal(each.face, expected)
        assert each.prediction.square == picture.faces[1][0]
    labels = [each.prediction.label for each in answers]
    assert labels == ["Happiness", "Surprise", "Happiness", "Happiness"]


def test_the_models_own_occlusion_comes_on_top_with_the_eyes_found_before():
    face = draw_face(3, 0, 0)

    both = covered(face, ("upper", "eyes"))

    np.testing.assert_array_equal(both, np.minimum(occlude(face, "upper"), occlude(face, "eyes")))
    np.testing.assert_array_equal(covered(face, ("none", "any")), face)


def test_the_html_shows_label_path_bars_changes_and_an_extra_output(two):
    kinds = np.array([0.1, 0.1, 0.7, 0.1], np.float32)
    models = Fake("upper", occlusion=b"lower", occlusion_probabilities=kinds)
    html = page.ask(models, "concat_db", look_at(two, "<two>.png"), 0)

    assert html.count("<section") == 4 and html.count("<tr") == 4 * len(EXPRESSIONS)
    assert "Surprise 0.75" in html and "(changed)" not in html  # It covers the half each time.
    assert "trained with the upper half covered" in html
    assert "Recognised as: lower half covered" in html
    assert "&lt;two&gt;.png" in html and "<two>" not in html
    assert "Path C of A 0.33, B 0.33, C 0.33" in html
    assert page.ask(Fake(), "concat_db", look_at(two, "two.png"), 0).count("(changed)") == 1


def test_each_card_also_shows_the_attention_on_its_own_face(two):
    models, picture = Fake("upper"), look_at(two, "two.png")

    html = page.ask(models, "concat_db", picture, 1)

    _, answers = answer(Fake("upper"), "concat_db", picture, chosen=1)
    np.testing.assert_array_equal(models.looked, [each.face for each in answers])
    cards = html.split("<section")[1:]
    for card, each in zip(cards, answers, strict=True):
        face, coloured = (
            cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
            for data in re.findall(r"data:image/png;base64,([^\"]+)", card)
        )
        np.testing.assert_array_equal(face[::3, ::3, 0], each.face)
        np.testing.assert_array_equal(coloured[:, :60], face[:, :60])
        assert (coloured[:, 84:, 2] >= 0.6 * 255 - 1).all()
        assert f"what path {each.prediction.path} weighs most" in card
    assert "In magenta: what the subnet" in html


def test_a_version_that_tells_no_attention_says_how_one_is_had(two):
    html = page.ask(Fake(tells=False), "concat_db", look_at(two, "two.png"), 0)

    assert html.count('class="face"') == 4 and "magenta" not in html
    assert "does not tell what its networks look at; one that is combined anew does" in html


def test_large_pictures_are_shown_smaller_with_their_squares(monkeypatch, two):
    whole = look_at(two, "two.png")
    monkeypatch.setattr(page_answers, "SHOWN_SIDE", 160)

    half = look_at(two, "two.png")

    assert half.image.shape == (80, 160, 3)
    for (large, face), (small, same) in zip(whole.faces, half.faces, strict=True):
        np.testing.assert_allclose(np.array(large) / 2, small, atol=0.5)
        np.testing.assert_array_equal(face, same)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 3000, 3), (3000, 1, 3), (120, 160, 3)])
def test_a_picture_without_a_face_is_answered_and_says_so(shape):
    data = cv2.imencode(".png", np.full(shape, 90, np.uint8))[1].tobytes()

    html = page.ask(Fake(), "concat_db", look_at(data, "wall.png"), 0)

    assert "No face was found; the largest centred square" in html


def test_bad_files_are_one_sentence_and_no_upload_stays(tmp_path, monkeypatch, two):
    def answered(name, data):
        (tmp_path / name).write_bytes(data)
        picture, html = page.look(Fake(), "concat_db", tmp_path / name)
        assert not list(tmp_path.iterdir())
        assert picture is None or picture.name == name
        return html

    assert 'class="card"' in answered("two.png", two)
    for name, data in {
        "a.jpg": b"<html>",
        "b.png": b"",
        "c.png": two[:40],
        "d.svg": b"<svg/>",
    }.items():
        html = answered(name, data)
        assert 'role="alert"' in html and name in html and str(tmp_path) not in html
    assert "did not arrive whole" in page.look(Fake(), None, tmp_path / "gone.png")[1]
    monkeypatch.setenv("FER_TF_MAX_PIXELS", "1000")
    assert "has 320 x 160 pixels" in answered("e.png", two)
    monkeypatch.setattr(page_answers, "MOST_BYTES", 1000)
    assert "MB are allowed" in answered("f.png", two)


@pytest.fixture
def models_dir(tmp_path):
    """Versions with manifests alone; concat_db of drawn faces in its newest."""

    def write(name, version, config, **more):
        put_manifest(tmp_path / name / version, database=name, config=config, **more)

    write("any_occlusion", "1", "paper-leakfree", occlusion="any")
    row = replace(ROW, name="combined", accuracy=0.456)
    evaluation = NetworkEvaluation(split="test", results=[row])
    write("concat_db", "9", "fer2013+kdef", evaluation=evaluation)
    write("concat_db", "10", "drawn")
    return tmp_path


def test_local_models_tell_what_they_were_trained_on(models_dir):
    models = LocalModels(models_dir)

    assert models.names() == ["any_occlusion", "concat_db"]
    first, second = models.describe("concat_db")
    assert first == "concat_db, version 10: trained on concat_db/drawn with recipe tiny."
    assert second == TRAINED_ON_DRAWN
    assert 'class="warning"' in page.about(models, "concat_db")
    assert models.occlusion("any_occlusion") == "any"
    (models_dir / "concat_db" / "10").rename(models_dir / "writing-10")
    assert models.describe("concat_db")[1] == "Right on 45.6 % of its own test images."
    assert TRAINED_ON_DRAWN not in models.describe("concat_db")
    assert "holds no eye_cdb any more" in page.about(models, "eye_cdb")


def test_without_models_one_sentence_says_how_one_is_made(tmp_path):
    result = CliRunner().invoke(cli.app, ["app", f"--models-dir={tmp_path}"])

    assert result.exit_code == 1 and isinstance(result.exception, UserError)
    assert "holds no model; `make demo` makes one of drawn faces" in str(result.exception)


def test_without_gradio_one_sentence_names_the_extra(models_dir, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)

    result = CliRunner().invoke(cli.app, ["app", f"--models-dir={models_dir}"])

    assert isinstance(result.exception, UserError)
    assert "install the extra named app" in str(result.exception)


def test_what_gradio_lacks_is_named(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "gradio", raising=False)
    (tmp_path / "gradio.py").write_text("raise ImportError('libfoo.so: cannot open')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"cannot be imported \(libfoo.so: cannot open"):
        page.import_gradio()


PROXY, SOCKS = "http://127.0.0.1:9", "socks5://127.0.0.1:9"

OPEN = """
import os
from fer_tf.app import page
from tests.fer_tf.app.test_page import Fake
before = {name: value for name, value in os.environ.items() if "proxy" in name.lower()}
built = page.build(Fake())
print(page.launch(built, "127.0.0.1", None).startswith("http://127.0.0.1:"))  # On any free port.
built.close(verbose=False)
print({n: v for n, v in os.environ.items() if "proxy" in n.lower()} == before)
"""


@pytest.mark.parametrize(
    "proxies",
    [
        {"http_proxy": PROXY, "HTTP_PROXY": PROXY, "https_proxy": "nonsense://"},
        {"all_proxy": SOCKS, "ALL_PROXY": SOCKS, "no_proxy": "example.org"},
    ],
    ids=["http", "socks"],
)
def test_the_page_opens_whatever_proxy_is_set(proxies):
    """In a process of its own: Gradio reads the proxies when it is imported."""
    pytest.importorskip("gradio")
    env = {n: v for n, v in os.environ.items() if "proxy" not in n.lower()} | proxies
    done = subprocess.run(
        [sys.executable, "-c", OPEN], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert done.stdout.split() == ["True", "True"], done.stderr


@pytest.mark.parametrize("missing", [False, True], ids=["attention", "an older version"])
def test_a_server_is_asked_for_our_names(monkeypatch, two, missing):
    asked = []

    def request(self, path, body=None):
        if "eye_cdb" not in path:
            raise ServerRefusal("Servable not found")
        return {"model_version_status": [{"version": "1", "state": "AVAILABLE"}]}

    def predict(self, model, signature, images):
        asked.append((model, signature, len(images)))
        if signature == "attention" and missing:
            raise SignatureMissing("Serving signature name: not found")
        rows = vars(Fake().answer("", images))
        if signature == "attention":
            rows = {"attention": Fake().attention("", images)}
        return {
            key: [v.decode() if isinstance(v, bytes) else v for v in values.tolist()]
            for key, values in rows.items()
            if values is not None
        }

    monkeypatch.setattr(Server, "request", request)
    monkeypatch.setattr(Server, "predict", predict)
    models = ServedModels(Server("http://127.0.0.1:1"))

    assert models.names() == ["eye_cdb"]
    html = page.ask(models, "eye_cdb", look_at(two, "two.png"), 0)
    asked_for = [(signature, count) for _, signature, count in asked]
    assert asked_for == [("serving_default", 6), ("attention", 4)]
    assert html.count('class="face"') == (4 if missing else 8)
    assert "trained with the eyes covered" in html and "Happiness 0.75" in html
    assert "does not tell what its model was trained on" in page.about(models, "eye_cdb")


def test_a_server_that_is_gone_is_one_sentence(two):
    models = ServedModels(Server("http://127.0.0.1:1"))

    assert "Nothing listens at 127.0.0.1:1" in page.ask(models, "concat_db", look_at(two, "a"), 0)
    result = CliRunner().invoke(cli.app, ["app", "--url=http://127.0.0.1:1"])
    assert "Nothing listens at 127.0.0.1:1" in str(result.exception)


def test_a_forged_request_removes_no_file(tmp_path):
    (tmp_path / "uploads").mkdir()
    ours, other = tmp_path / "uploads" / "a.png", tmp_path / "other.png"
    ours.touch(), other.touch()
    link = tmp_path / "uploads" / "link.png"
    link.symlink_to(other)

    def path_of(path):
        return page.uploaded(tmp_path / "uploads", SimpleNamespace(path=path and str(path)))

    assert path_of(ours) == ours
    for path in (other, link, tmp_path / "uploads" / ".." / "other.png", ours.parent, None):
        assert path_of(path) is None
    assert page.uploaded(tmp_path, None) is None


def test_uploads_are_read_by_us_from_gradios_folder(tmp_path, monkeypatch):
    gradio = pytest.importorskip("gradio")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))

    blocks = page.build(Fake()).blocks.values()

    (upload,) = (block for block in blocks if isinstance(block, gradio.Image))
    (tmp_path / "no picture.png").write_bytes(b"<html>")
    ours = SimpleNamespace(path=str(tmp_path / "no picture.png"))
    assert upload.preprocess(ours) == tmp_path / "no picture.png"
    assert upload.preprocess(SimpleNamespace(path=__file__)) is None


def test_the_page_sends_nothing_about_its_use():
    pytest.importorskip("gradio")

    built = page.build(Fake())

    assert built.analytics_enabled is False
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert all(each["api_visibility"] == "private" for each in built.config["dependencies"])
