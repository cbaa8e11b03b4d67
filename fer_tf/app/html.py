"""The page's answers as HTML that contains all pictures, so that no picture becomes a file."""

import base64
from collections.abc import Iterable
from html import escape

import cv2
import numpy as np

from fer_tf.app.answers import MASKS, NONE, Answer, PictureWithFaces
from fer_tf.expressions import EXPRESSIONS, PATHS
from fer_tf.inference.annotate import annotate, with_attention
from fer_tf.inference.prediction import Prediction

FACE_SHOWN = 144
"""Pixels of a face's side on the page: three for one."""

STYLE = """
.fer img { max-width: 100%; height: auto; border-radius: 4px; margin: 0; }
.fer figure { margin: 0 0 1rem; text-align: center; }
.fer .photo { max-height: 60vh; width: auto; }
.fer .cards { display: grid; gap: 0.75rem; grid-template-columns: repeat(auto-fit, minmax(min(11rem,
  100%), 1fr)); }
.fer .card { border: 1px solid var(--border-color-primary); border-radius: 8px; padding: 0.75rem; }
.fer .card h3 { margin: 0 0 0.5rem; font-size: 1rem; }
.fer .card img { image-rendering: pixelated; }
.fer .faces { display: flex; flex-wrap: wrap; gap: 0.5rem; }
.fer .label { font-size: 1.2rem; font-weight: 600; margin: 0.4rem 0 0; }
.fer .path, .fer .note { font-size: 0.9rem; margin: 0.2rem 0 0.5rem; }
.fer table { width: 100%; border-collapse: collapse; font-size: 0.9rem; margin: 0; }
.fer table, .fer tr, .fer th, .fer td { border: 0 !important; }
.fer th, .fer td { padding: 1px 4px 1px 0; text-align: left; font-weight: 400; }
.fer td.bar { width: 45%; }
.fer td.number { width: 2.6rem; text-align: right; font-variant-numeric: tabular-nums; }
.fer .bar div { height: 0.7rem; background: var(--color-accent); border-radius: 2px; }
.fer tr.best th, .fer tr.best td { font-weight: 700; }
.fer .problem, .fer .warning { border-left: 4px solid #c2410c; padding: 0.5rem 0.75rem; }
.fer .problem { font-size: 1.05rem; overflow-wrap: anywhere; }
.fer .warning { font-weight: 600; }
"""

_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


def problem(sentence: str) -> str:
    """A sentence on what went wrong, which screen readers read out at once."""
    return f'<div class="fer"><p class="problem" role="alert">{escape(sentence)}</p></div>'


def hint(sentence: str) -> str:
    """A sentence on what to do next."""
    return f'<div class="fer"><p class="note">{escape(sentence)}</p></div>'


def description(sentences: Iterable[str], warning: str) -> str:
    """Sentences on a model; the one that equals `warning` is marked as such."""
    lines = [
        f'<p class="{"warning" if sentence == warning else "note"}">{escape(sentence)}</p>'
        for sentence in sentences
    ]
    return f'<div class="fer">{"".join(lines)}</div>'


def results(
    picture: PictureWithFaces,
    predictions: list[Prediction],
    answers: list[Answer],
    chosen: int,
    trained_without: str,
) -> str:
    """The picture with its faces, and one of them with each mask side by side.

    Args:
        picture: the picture.
        predictions: one for each face.
        answers: one for each of `MASKS`, for the chosen face.
        chosen: the number of that face, from 0.
        trained_without: the part that was covered in training, see `Models.occlusion`.
    """
    drawn = marked(picture, predictions, chosen)
    photo = _image(drawn, ".jpg", _described(picture, predictions), "photo")
    notes = []
    if picture.faces[0][0] is None:
        notes.append(
            "No face was found; the largest centred square of the picture is taken for one."
        )
    if trained_without in MASKS and trained_without != NONE:
        notes.append(
            f"This model was trained with the {MASKS[trained_without]}: every face is covered so "
            "before the networks see it, as the pictures below show."
        )
    if trained_without == "any":
        notes.append(
            "This model recognises what is covered and blackens it before the networks see it; the "
            "pictures below show what it was sent."
        )
    first = answers[0].prediction.label
    cards = "".join(_card(answer, first) for answer in answers)
    magenta = " In magenta: what the subnet of the path taken weighs more than on the face's mean."
    if all(answer.prediction.attention is None for answer in answers):
        magenta = (
            " This version does not tell what its networks look at; one that is combined anew "
            "does, unless they have no attention."
        )
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in notes)
    title = f"Face {chosen + 1} of {len(picture.faces)}" if len(picture.faces) > 1 else "The face"
    return (
        f'<div class="fer" role="region" aria-label="Answers"><figure>{photo}</figure>{notes}'
        f'<h2>{title}, covered in four ways</h2><div class="cards">{cards}</div>'
        '<p class="note">The probability is that of the path times that of the expression given '
        f"the path; expressions of the other paths are not weighed and have 0.{magenta}</p></div>"
    )


def marked(picture: PictureWithFaces, predictions: list[Prediction], chosen: int) -> np.ndarray:
    """The image with the answers and, where there are several faces, their numbers drawn in."""
    image = annotate(picture.image, predictions)
    if len(predictions) > 1:
        for number, prediction in enumerate(predictions):
            x, y, side = prediction.area(image.shape)
            scale = max(0.5, side / 160)
            ends = (max(2, x + 6), max(18, y + int(24 * scale)))
            inside, outside = (_BLACK, _WHITE) if number == chosen else (_WHITE, _BLACK)
            for colour, stroke in ((outside, 7), (inside, 2)):
                text = f"{number + 1}", ends, cv2.FONT_HERSHEY_SIMPLEX, scale
                cv2.putText(image, *text, colour, stroke, cv2.LINE_AA)
    return image


def _card(answer, first):
    prediction = answer.prediction
    changed = "" if prediction.label == first else " (changed)"
    paths = ", ".join(f"{path} {prediction.path_probabilities[path]:.2f}" for path in PATHS)
    recognised = ""
    if prediction.occlusion:
        recognised = f'<p class="note">Recognised as: {MASKS[prediction.occlusion]}</p>'
    face = cv2.resize(answer.face, (FACE_SHOWN,) * 2, interpolation=cv2.INTER_NEAREST)
    title = MASKS[answer.mask]
    faces = _image(face, ".png", f"The face, {title}, as the model gets it")
    if prediction.attention is not None:
        coloured = with_attention(cv2.cvtColor(face, cv2.COLOR_GRAY2BGR), prediction.attention)
        text = f"The same, what path {prediction.path} weighs most in magenta"
        faces += _image(coloured, ".png", text)
    bars = "".join(_bar(name, prediction) for name in EXPRESSIONS)
    return (
        f'<section class="card" data-mask="{answer.mask}"><h3>{title.capitalize()}</h3>'
        f'<div class="faces">{faces}</div>'
        f'<p class="label">{escape(prediction.label)} {prediction.probability:.2f}{changed}</p>'
        f'<p class="path">Path {escape(prediction.path)} of {paths}</p>{recognised}'
        f"<table><tbody>{bars}</tbody></table></section>"
    )


def _bar(name, prediction):
    value = prediction.probabilities[name]
    best = ' class="best"' if name == prediction.label else ""
    return (
        f'<tr{best}><th scope="row">{name}</th><td class="bar"><div style="width:'
        f'{100 * value:.1f}%"></div></td><td class="number">{value:.2f}</td></tr>'
    )


def _described(picture, predictions):
    answers = ", ".join(f"{each.label} {each.probability:.2f}" for each in predictions)
    return f"{picture.name} with its faces marked: {answers}"


def _image(image, suffix, text, kind="face"):
    data = base64.b64encode(cv2.imencode(suffix, image)[1].tobytes()).decode()
    media = {".jpg": "image/jpeg", ".png": "image/png"}[suffix]
    return f'<img class="{kind}" src="data:{media};base64,{data}" alt="{escape(text)}">'
