"""How faces go through a model; what a model answers is tested with the export."""

import numpy as np
import pytest

from fer_tf.data.sources.drawn import draw_portrait
from fer_tf.export.contract import MOST_FACES
from fer_tf.expressions import EXPRESSIONS, PATHS
from fer_tf.faces.pictures import Frame, Picture
from fer_tf.inference import predict as inference
from fer_tf.inference.predict import ExpressionModel, faces_of
from fer_tf.inference.tensorflow_model import TensorFlowModel


class Answer(np.ndarray):
    """An array that also reads as a tensor."""

    def numpy(self):
        return self


@pytest.fixture
def asked(monkeypatch):
    """A model that answers a face by its first pixel, and the batches that it was asked."""
    batches = []

    def serve(image):
        rows = image.numpy()[:, 0, 0, 0]
        batches.append(len(rows))
        values = {
            "label": np.array([EXPRESSIONS[0].encode()] * len(rows), object),
            "class_id": np.zeros(len(rows), int),
            "probability": rows / 255,
            "path": np.array([b"A"] * len(rows), object),
            "path_probabilities": np.zeros((len(rows), len(PATHS))),
            "probabilities": np.zeros((len(rows), len(EXPRESSIONS))),
        }
        return {name: value.view(Answer) for name, value in values.items()}

    model = ExpressionModel.__new__(ExpressionModel)
    model._occlusion = "upper"
    model._model = TensorFlowModel.__new__(TensorFlowModel)
    signatures = {"serving_default": staticmethod(serve)}
    model._model._model = type("SavedModel", (), {"signatures": signatures})
    return model, batches


def test_no_call_has_more_faces_than_a_model_takes(asked):
    model, batches = asked
    faces = np.zeros((MOST_FACES + 3, 48, 48), np.uint8)
    faces[-1] = 255

    answer = model.answer(faces)

    assert batches == [MOST_FACES, 3]
    assert answer.probability.shape == (MOST_FACES + 3,) and answer.probability[-1] == 1


def test_faces_of_several_pictures_go_together_and_return_to_their_own(asked, monkeypatch):
    model, batches = asked
    monkeypatch.setattr(inference, "FACES_TOGETHER", 4)
    taken = []

    def pictures():
        for level in range(0, 250, 25):
            taken.append(level)
            yield Picture(f"{level}.png", np.full((20, 20, 3), level, np.uint8))

    answered = model.predict(pictures())

    next(answered)
    assert len(taken) == 4  # The others wait in their files.
    rest = [(picture.photo, p.photo, round(255 * p.probability)) for picture, (p,) in answered]
    assert rest == [(f"{level}.png", f"{level}.png", level) for level in range(25, 250, 25)]
    assert batches == [4, 4, 2]


@pytest.mark.parametrize("limit", ["pixels", "live"])
def test_large_pictures_and_cameras_do_not_wait_for_others(asked, monkeypatch, limit):
    model, batches = asked
    monkeypatch.setattr(inference, "WAITING_PIXELS", 400 if limit == "pixels" else 10**9)
    image = np.zeros((20, 20, 3), np.uint8)

    list(model.predict(Picture("a", image, live=limit == "live") for _ in range(3)))

    assert batches == [1, 1, 1]


def test_a_frame_without_a_face_has_no_answer_and_asks_nothing(asked):
    model, batches = asked
    blank = np.zeros((40, 40, 3), np.uint8)

    ((_, predictions),) = model.predict([Picture("clip.avi", blank, Frame(0, 0.0))])

    assert predictions == [] and batches == []


def test_a_photograph_without_a_face_is_answered_by_its_centre():
    ((square, face),) = faces_of(Picture("a.png", np.full((30, 50, 3), 70, np.uint8)))

    assert square is None and (face == 70).all()


def test_every_face_of_a_picture_is_cut_out():
    image = np.concatenate([draw_portrait(s, 0, 0, size=160) for s in (3, 4)], axis=1)

    faces = faces_of(Picture("two.png", image))

    assert len(faces) == 2 and all(face.shape == (48, 48) for _, face in faces)
    assert {square.x > 160 for square, _ in faces} == {True, False}


def test_attention_comes_with_the_faces_it_belongs_to_in_parts_as_the_answers_do(
    asked, monkeypatch
):
    model, _ = asked
    monkeypatch.setattr(TensorFlowModel, "faces_at_once", 2)
    levels = [40, 90, 140]
    pictures = [Picture(f"{k}.png", np.full((20, 20, 3), k, np.uint8)) for k in levels]

    def look(image):
        return {"attention": (image.numpy()[..., 0] / 255).view(Answer)}

    assert not model.has_attention
    assert all(p.attention is None for _, (p,) in model.predict(pictures, attention=True))
    model._model._model.signatures["attention"] = look
    assert all(p.attention is None for _, (p,) in model.predict(pictures))
    predictions = [p for _, (p,) in model.predict(pictures, attention=True)]
    for level, prediction in zip(levels, predictions, strict=True):
        np.testing.assert_allclose(prediction.attention, level / 255)
        assert "attention" not in prediction.to_dict()
