"""A drawn head from back to front: hair, neck and ears, the face, beard and glasses."""

import numpy as np

from fer_tf.data.sources.drawing import features
from fer_tf.data.sources.drawing.canvas import Canvas, dark, ellipse
from fer_tf.data.sources.drawing.features import SIDES
from fer_tf.data.sources.drawing.people import Movements, Person
from fer_tf.outlines import curve


def paint_head(
    canvas: Canvas,
    person: Person,
    move: Movements,
    light: tuple[float, float],
    contrast: float,
    rng: np.random.Generator,
) -> None:
    """Paint the whole head; `light` and `contrast` as in `Canvas.apply_shade`."""
    chin = 1.62 * person.face_length + 0.24 * max(move.open, 0)
    _paint_back(canvas, person, chin)
    outline = _head_outline(person, chin)
    canvas.fill(outline, person.skin, relief=0)
    features.shade_face(canvas, person, move, light[0], chin)
    canvas.apply_shade(light, contrast)
    with canvas.within(outline, relief=0):
        _paint_beard(canvas, person, chin)
    for side in SIDES:
        features.paint_eye(canvas, person, move, side)
        features.paint_brow(canvas, person, move, side)
    features.paint_nose(canvas, person, move)
    features.paint_mouth(canvas, person, move)
    _paint_hair(canvas, person, rng)
    _paint_glasses(canvas, person)


def _head_outline(person: Person, chin: float) -> np.ndarray:
    wide = 1.1 * person.face_width
    jaw = wide * 0.82 * person.jaw
    right = [
        (wide * 0.55, -1.42),
        (wide * 0.93, -0.95),
        (wide, -0.25),
        (wide * 0.98, 0.35),
        (jaw, chin * 0.62),
        (jaw * 0.72, chin * 0.86),
        (0.3, chin * 0.985),
    ]
    left = [(-x, y) for x, y in reversed(right)]
    return curve([(0, -1.55), *right, (0, chin), *left], closed=True)


def _paint_back(canvas: Canvas, person: Person, chin: float) -> None:
    """Paint hair behind the head, neck, shoulders and ears."""
    wide = 1.1 * person.face_width
    if person.hair_style == "long":
        side = wide + 0.1 + 0.2 * person.hair_volume
        back = [(-side, 2.3), (-side, 0), (-0.9, -1.4), (0.9, -1.4), (side, 0), (side, 2.3)]
        canvas.fill(curve(back), dark(person.hair, 0.7), relief=0)
    neck = [(-0.62, 0.9), (-0.66, 1.8), (-1.3, 2.35), (1.3, 2.35), (0.66, 1.8), (0.62, 0.9)]
    canvas.fill(curve(neck), dark(person.skin, 0.72), relief=0)
    under_chin = ellipse(0, chin + 0.05, 0.75, 0.28)
    canvas.tint(under_chin, dark(person.skin, 0.4), 0.7, 0.1, relief=0)
    shoulders = [(-3.2, 4.5), (-2.3, 2.5), (-0.8, 2.02), (0, 2.35)]
    shoulders += [(-x, y) for x, y in reversed(shoulders[:-1])]
    canvas.fill(curve(shoulders), person.cloth, relief=0)
    for side in SIDES:
        ear = ellipse(side * (wide + 0.04), 0.18, 0.13, 0.33)
        canvas.fill(ear, dark(person.skin, 0.82), relief=0)
        shell = ellipse(side * (wide + 0.05), 0.16, 0.06, 0.2)
        canvas.tint(shell, dark(person.skin, 0.5), 0.6, 0.04, relief=0)


def _paint_beard(canvas: Canvas, person: Person, chin: float) -> None:
    if person.beard == "none":
        return
    opacity = 0.3 if person.beard == "stubble" else 0.85
    colour = dark(person.hair, 0.8)
    moustache = [(0, 0.72), (0.3, 0.76), (0.5, 0.95), (0.4, 0.98), (0.2, 0.88), (0, 0.86)]
    moustache += [(-x, y) for x, y in reversed(moustache[1:-1])]
    canvas.tint(curve(moustache, closed=True), colour, opacity, 0.03)
    if person.beard == "moustache":
        return
    wide = 1.15 * person.face_width
    outside = [(wide, 0.3), (wide * 0.9 * person.jaw, chin * 0.65), (0.65, chin)]
    inside = [(0.2, 1.28), (0.5, 1.1), (0.5, 0.85), (0.75, 0.75)]
    outside = curve([*outside, (0, chin + 0.1), *((-x, y) for x, y in reversed(outside))])
    inside = curve([*((-x, y) for x, y in reversed(inside)), *inside])
    canvas.tint(np.concatenate([outside, inside]), colour, opacity, 0.05, relief=0)


def _paint_hair(canvas: Canvas, person: Person, rng: np.random.Generator) -> None:
    if person.hair_style == "bald":
        return
    wide = 1.1 * person.face_width
    rise = 0.1 + 0.22 * person.hair_volume
    line = -person.hairline
    temple = 0.1 if person.hair_style == "long" else -0.15
    skull = [(wide + rise * 0.3, temple), (wide + rise * 0.7, -0.6)]
    skull += [(0.9 * wide, -1.25 - rise * 0.6), (0.45 * wide, -1.55 - rise)]
    outer = curve([*((-x, y) for x, y in skull), (0, -1.62 - rise), *reversed(skull)])
    edge = [(wide - 0.06, temple), (wide * 0.86, -0.55), (0.62, line - 0.02)]
    if person.hair_style == "fringe":
        middle = [(-0.3, -0.52), (0.0, -0.56), (0.3, -0.52)]
        edge[1:] = [(wide * 0.9, -0.45), (0.62, -0.5)]
    elif person.hair_style == "parted":
        middle = [(-0.35, line - 0.12), (-0.1, line - 0.05), (0.3, line + 0.18)]
        edge[2] = (0.68, line + 0.22)
    else:
        middle = [(-0.3, line), (0.0, line + 0.03), (0.3, line)]
    inner = curve([*((-x, y) for x, y in edge), *middle, *reversed(edge)])
    cap = np.concatenate([outer, inner[::-1]])
    canvas.tint(inner + (0, 0.07), dark(person.skin, 0.5), 0.3, 0.07, relief=0.3)
    canvas.tint(cap, person.hair, 1.0, 0.025, relief=0.3)
    with canvas.within(cap, relief=0.3):
        _paint_strands(canvas, person, outer, inner, rng)
    if person.hair_style == "long":
        for side in SIDES:
            lock = [(wide - 0.1, -0.5), (wide + rise, -0.4), (wide + 0.25 + rise, 1.2)]
            lock += [(wide + 0.1, 2.3), (wide - 0.15, 1.3), (wide - 0.08, 0.3)]
            canvas.tint(curve(lock, closed=True) * (side, 1), person.hair, 1.0, 0.03, relief=0)


def _paint_strands(
    canvas: Canvas, person: Person, outer: np.ndarray, inner: np.ndarray, rng: np.random.Generator
) -> None:
    """Paint lighter and darker strands from the crown to the hairline, wavy in curly hair."""
    count = 40
    along = np.linspace(0, 0.999, count)
    starts = outer[(along * len(outer)).astype(int)][:, None]
    ends = inner[(along * len(inner)).astype(int)][:, None]
    steps = np.linspace(0, 1, 5)[:, None]
    wave = 0.09 if person.hair_style == "curly" else 0.03
    strands = starts * (1 - steps) + ends * steps + rng.normal(0, wave, (count, 5, 2))
    for group, factor in enumerate((0.7, 0.85, 1.2)):
        canvas.lines(strands[group::3], dark(person.hair, factor), 0.03, relief=0.3)


def _paint_glasses(canvas: Canvas, person: Person) -> None:
    if person.glasses == "none":
        return
    frame = (35, 32, 30)
    rim = [(0.18, -0.17), (0.5, -0.2), (0.84, -0.17), (0.8, 0.18), (0.5, 0.27), (0.22, 0.2)]
    rims = [curve([*rim, rim[0]]) * (side, 1) for side in SIDES]
    if person.glasses == "dark":
        for rim in rims:
            canvas.tint(rim, (25, 22, 20), 0.92, 0.01)
    canvas.lines(np.array(rims), frame, 0.045, relief=1.1)
    arms = np.array([[(side * 0.84, -0.1), (side * 1.1, -0.05)] for side in SIDES])
    canvas.lines(arms, frame, 0.04, relief=1.1)
    bridge = curve([(-0.18, -0.06), (0, -0.1), (0.18, -0.06)])
    canvas.lines(bridge[None], frame, 0.04, relief=1.1)
