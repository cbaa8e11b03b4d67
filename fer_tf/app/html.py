"""The page's answers as HTML in which all pictures are contained, so that none becomes a file."""

import base64
from collections.abc import Iterable
from html import escape

import cv2
import numpy as np

from fer_tf.app.answers import MASKS, NONE, Answer, Seen
from fer_tf.expressions import EXPRESSIONS, PATHS
from fer_tf.inference.annotate import annotate, with_attention
from fer_tf.inference.predict import Prediction

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
    """What went wrong, told to screen readers at once."""
    return f'<div class="fer"><p class="problem" role="alert">{escape(sentence)}</p></div>'


def hint(sentence: str) -> str:
    """What to do next."""
    return f'<div class="fer"><p class="note">{escape(sentence)}</p></div>'


def description(sentences: Iterable[str], warning: str) -> str:
    """Sentences on a model, one of which is a warning if it is among them."""
    lines = [
        f'<p class="{"warning" if sentence == warning else "note"}">{escape(sentence)}</p>'
        for sentence in sentences
    ]
    return f'<div class="fer">{"".join(lines)}</div>'


def results(
    seen: Seen, predictions: list[Prediction], answers: list[Answer], chosen: int, covers: str
) -> str:
    """The picture with its faces, and one of them with each mask side by side.

    Args:
        seen: the picture.
        predictions: of each face.
        answers: on the chosen face, for each of `MASKS`.
        chosen: its number, from 0.
        covers: what the model is trained to do without, see `Models.occlusion`.
    """
    photo = _image(
        marked(seen, predictions, chosen), ".jpg", _described(seen, predictions), "photo"
    )
    notes = []
    if seen.faces[0][0] is None:
        notes.append(
            "No face was found; the largest centred square of the picture is taken for one."
        )
    if covers in MASKS and covers != NONE:
        notes.append(
            f"This model was trained with the {_part(covers)} covered: every face is covered so "
            "before the networks see it, as the pictures below show."
        )
    if covers == "any":
        notes.append(
            "This model recognises what is covered and blackens it before the networks see it; the "
            "pictures below show what it was sent."
        )
    first = answers[0].prediction.label
    cards = "".join(_card(each, first) for each in answers)
    told = " In magenta: what the subnet of the path taken weighs more than on the face's mean."
    if all(each.attention is None for each in answers):
        told = (
            " This version does not tell what its networks look at; one that is combined anew "
            "does, unless they have no attention."
        )
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in notes)
    title = f"Face {chosen + 1} of {len(seen.faces)}" if len(seen.faces) > 1 else "The face"
    return (
        f'<div class="fer" role="region" aria-label="Answers"><figure>{photo}</figure>{notes}'
        f'<h2>{title}, covered in four ways</h2><div class="cards">{cards}</div>'
        '<p class="note">The probability is that of the path times that of the expression given '
        f"the path; expressions of the other paths are not weighed and have 0.{told}</p></div>"
    )


def marked(seen: Seen, predictions: list[Prediction], chosen: int) -> np.ndarray:
    """The picture with the answers and, where there are several, the faces' numbers drawn in."""
    picture = annotate(seen.image, predictions)
    if len(predictions) > 1:
        for number, prediction in enumerate(predictions):
            x, y, side = prediction.area(picture.shape)
            scale = max(0.5, side / 160)
            ends = (max(2, x + 6), max(18, y + int(24 * scale)))
            inside, outside = (_BLACK, _WHITE) if number == chosen else (_WHITE, _BLACK)
            for colour, stroke in ((outside, 7), (inside, 2)):
                text = f"{number + 1}", ends, cv2.FONT_HERSHEY_SIMPLEX, scale
                cv2.putText(picture, *text, colour, stroke, cv2.LINE_AA)
    return picture


def _card(answer, first):
    said = answer.prediction
    changed = "" if said.label == first else " (changed)"
    paths = ", ".join(f"{path} {said.path_probabilities[path]:.2f}" for path in PATHS)
    recognised = (
        f'<p class="note">Recognised as: {MASKS[said.occlusion]}</p>' if said.occlusion else ""
    )
    face = cv2.resize(answer.face, (FACE_SHOWN,) * 2, interpolation=cv2.INTER_NEAREST)
    title = MASKS[answer.mask]
    seen = _image(face, ".png", f"The face, {title}, as the model is asked")
    if answer.attention is not None:
        coloured = with_attention(cv2.cvtColor(face, cv2.COLOR_GRAY2BGR), answer.attention)
        seen += _image(coloured, ".png", f"The same, what path {said.path} weighs most in magenta")
    bars = "".join(_bar(name, said) for name in EXPRESSIONS)
    return (
        f'<section class="card" data-mask="{answer.mask}"><h3>{title.capitalize()}</h3>'
        f'<div class="faces">{seen}</div>'
        f'<p class="label">{escape(said.label)} {said.probability:.2f}{changed}</p>'
        f'<p class="path">Path {escape(said.path)} of {paths}</p>{recognised}'
        f"<table><tbody>{bars}</tbody></table></section>"
    )


def _bar(name, said):
    value = said.probabilities[name]
    best = ' class="best"' if name == said.label else ""
    return (
        f'<tr{best}><th scope="row">{name}</th><td class="bar"><div style="width:'
        f'{100 * value:.1f}%"></div></td><td class="number">{value:.2f}</td></tr>'
    )


def _part(covers):
    return MASKS[covers].removesuffix(" covered")


def _described(seen, predictions):
    said = ", ".join(f"{each.label} {each.probability:.2f}" for each in predictions)
    return f"{seen.name} with its faces marked: {said}"


def _image(image, suffix, text, kind="face"):
    data = base64.b64encode(cv2.imencode(suffix, image)[1].tobytes()).decode()
    media = {".jpg": "image/jpeg", ".png": "image/png"}[suffix]
    return f'<img class="{kind}" src="data:{media};base64,{data}" alt="{escape(text)}">'
