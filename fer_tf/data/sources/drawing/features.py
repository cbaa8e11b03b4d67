"""The features of a drawn face: the skin's light and shadow, eyes, brows, nose and mouth."""

import numpy as np

from fer_tf.data.sources.drawing.canvas import BROAD, FINE, SOFT, Canvas, dark, ellipse, mix
from fer_tf.data.sources.drawing.people import Movements, Person
from fer_tf.outlines import curve

SIDES = (-1, 1)
"""The left and the right of the picture: shapes are given for the right and mirrored by these."""

NOSE_TIP = 0.5
MOUTH = 0.98
"""Usual heights in face units (see `drawing.canvas`)."""


def shade_face(canvas: Canvas, person: Person, move: Movements, light: float, chin: float) -> None:
    """Shade the skin: eye sockets, nose, cheeks, folds and wrinkles.

    Args:
        canvas: collects the strokes until its `apply_shade` is called.
        person: the person drawn.
        move: movements of the face.
        light: position of the lamp, -1 (left) to 1 (right).
        chin: height of the chin in face units.
    """
    shade = canvas.shade
    tip = _nose_tip(person, move)
    shade(ellipse(0, -0.75, 0.6, 0.25), 0.07, BROAD)
    shade(ellipse(0, chin - 0.2, 0.25, 0.14), 0.09, BROAD)
    shade(np.array([(0, -0.1), (0, tip - 0.1)]), 0.16, SOFT, width=0.1)
    shade(ellipse(0, tip, 0.09, 0.07), 0.16, SOFT)
    shade(ellipse(-0.1 * light, tip + 0.24, 0.24, 0.06), -0.24, SOFT)
    lower_lip = MOUTH + 0.28 + 0.36 * max(move.open, 0)
    shade(ellipse(0, lower_lip, 0.24, 0.06), -0.2, SOFT)
    bunched = max(move.press, 0) + max(-move.lower_lip, 0)
    shade(ellipse(0, chin - 0.28, 0.16, 0.08), -0.14 * bunched, SOFT)
    for side in SIDES:
        shade(ellipse(side * 0.46, -0.12, 0.3, 0.13), -0.22, BROAD)
        shade(ellipse(side * 0.2, -0.02, 0.07, 0.14), -0.22, SOFT)
        bridge = curve([(side * 0.13, 0.0), (side * 0.12, 0.25), (side * 0.2, tip - 0.02)])
        shade(bridge, -0.3 if side * light < 0 else -0.14, SOFT, width=0.08)
        raised = max(move.cheeks, 0)
        shade(ellipse(side * 0.62, 0.48 - 0.1 * raised, 0.22, 0.16), 0.1 + 0.14 * raised, BROAD)
        shade(ellipse(side * 0.88, 0.85, 0.16, 0.4), -0.12, BROAD)
        shade(ellipse(side * 0.52, 0.24, 0.22, 0.05), -0.1 - 0.12 * person.age, SOFT)
        _shade_folds(canvas, person, move, side)
    _shade_brow_wrinkles(canvas, person, move)


def _shade_folds(canvas: Canvas, person: Person, move: Movements, side: int) -> None:
    """Shade the folds beside and below the mouth, beside the eye, and across the nose."""
    shade, tip = canvas.shade, _nose_tip(person, move)
    width, corner_y = _corner(person, move, side)
    fold = [(0.25, tip - 0.02), (0.36, tip + 0.13), (width + 0.1, corner_y - 0.13)]
    fold = curve([*fold, (width + 0.12, corner_y + 0.03)]) * (side, 1)
    depth = 0.07 + 0.07 * person.age + 0.18 * max(move.cheeks, move.upper_lip, 0)
    depth += 0.15 * max(move.nose, 0)
    shade(fold, -depth, FINE, width=0.06)
    shade(fold + (side * 0.1, -0.04), depth * 0.5, SOFT, width=0.1)
    below = np.array([(width + 0.03, corner_y), (width + 0.09, corner_y + 0.2)]) * (side, 1)
    shade(below, 0.3 * min(move.corners, 0), FINE, width=0.05)
    for rise in (-0.1, 0.0, 0.1):
        foot = np.array([(0.82, 0.03 + rise / 2), (0.99, 0.03 + rise)]) * (side, 1)
        shade(foot, -0.5 * max(move.cheeks, 0) * person.age, FINE, width=0.03)
    for row in (0.04, 0.15, 0.26):
        ridge = curve([(0.0, row - 0.03), (0.1, row - 0.01), (0.2, row + 0.07)]) * (side, 1)
        shade(ridge, -0.4 * max(move.nose, 0), FINE, width=0.04)


def _shade_brow_wrinkles(canvas: Canvas, person: Person, move: Movements) -> None:
    for side in SIDES:
        line = curve([(0.1, -0.5), (0.07, -0.36), (0.09, -0.2)]) * (side, 1)
        canvas.shade(line, -0.5 * max(move.squeeze, 0), FINE, width=0.05)
    raised = max(move.brow_inner, 0) + max(move.brow_outer, 0)
    sag = 0.05 if move.brow_outer > 0.2 else -0.05
    for row, reach in ((-0.68, 0.55), (-0.82, 0.62), (-0.96, 0.5)):
        line = curve([(-reach, row + sag), (0, row), (reach, row + sag)])
        canvas.shade(line, -0.16 * raised * (0.5 + person.age), FINE, width=0.05)


def _nose_tip(person: Person, move: Movements) -> float:
    return NOSE_TIP * person.nose_length - 0.07 * max(move.nose, 0)


def paint_eye(canvas: Canvas, person: Person, move: Movements, side: int) -> None:
    """Paint one eye with its lids; `side` is -1 on the left of the picture, 1 on the right."""
    half = 0.27 * person.eye_width
    upper = 0.135 * (1 + 0.75 * move.lids) - 0.03 * max(move.cheeks, 0)
    if move.brow_inner < 0:
        upper -= 0.025 * max(move.squeeze, 0)
    upper = max(upper, 0.02)
    lower = max(0.085 * (1 + 0.35 * max(move.lids, 0)) - 0.075 * move.cheeks, 0.01)
    tilt = 0.03 * person.eye_tilt
    inner, outer = (0.5 - half, 0.03 + tilt), (0.5 + half, -tilt)
    near, far = 0.5 - half * 0.47, 0.5 + half * 0.5
    upper_rim = [inner, (near, -upper * 0.8), (0.52, -upper), (far, -upper * 0.75), outer]
    lower_rim = [outer, (far, lower * 0.85), (0.48, lower), (near, lower * 0.7), inner]
    upper_rim, lower_rim = curve(upper_rim) * (side, 1), curve(lower_rim) * (side, 1)
    lash = dark(mix(person.skin, person.hair, 0.6), 0.4)
    crease = curve([inner, (0.36, -upper - 0.07), (0.54, -upper - 0.09), outer]) * (side, 1)
    canvas.lines(crease[None], dark(person.skin, 0.62), 0.03)
    with canvas.within(np.concatenate([upper_rim, lower_rim])):
        canvas.fill(ellipse(side * 0.5, 0, 0.4, 0.4), mix(person.skin, (225, 228, 230), 0.75))
        iris_y = 0.01 - 0.03 * min(upper - 0.12, 0)
        canvas.fill(ellipse(side * 0.5, iris_y, 0.13, 0.135), dark(person.iris, 0.6))
        canvas.fill(ellipse(side * 0.5, iris_y + 0.01, 0.1, 0.105), person.iris)
        canvas.fill(ellipse(side * 0.5, iris_y, 0.06, 0.06), (12, 12, 12))
        canvas.lines(upper_rim[None] + (0, 0.03), dark(person.skin, 0.45), 0.05)
        canvas.fill(ellipse(side * 0.5 + 0.04, iris_y - 0.05, 0.025, 0.025), (250, 250, 250))
    canvas.lines(lower_rim[None], dark(person.skin, 0.6), 0.025)
    canvas.lines(upper_rim[None], lash, 0.05)


def paint_brow(canvas: Canvas, person: Person, move: Movements, side: int) -> None:
    """Paint one brow; `side` as in `paint_eye`."""
    more = 1 + side * move.lopsided
    height = -0.34 * person.brow_height
    inner = height + 0.05 - 0.2 * move.brow_inner * more
    outer = height + 0.06 - 0.15 * move.brow_outer * more
    peak = height - 0.05 - 0.06 * move.brow_inner - 0.13 * move.brow_outer * more
    near = 0.2 - 0.09 * move.squeeze
    spine = np.array(
        [(near, inner), (near + 0.16, (inner + peak) / 2 - 0.02), (0.64, peak), (0.86, outer)]
    )
    thick = np.array([0.045, 0.06, 0.05, 0.012]) * person.brow_weight
    above = curve(spine - np.stack([np.zeros(4), thick], 1))
    below = curve(spine + np.stack([np.zeros(4), thick], 1))
    brow = np.concatenate([above, below[::-1]]) * (side, 1)
    canvas.tint(brow, dark(mix(person.hair, (20, 20, 25), 0.4), 0.8), 0.9, 0.018)


def paint_nose(canvas: Canvas, person: Person, move: Movements) -> None:
    """Paint nostrils and wings; `shade_face` draws bridge and tip."""
    wide = person.nose_width * (1 + 0.15 * max(move.nose, 0))
    base = _nose_tip(person, move) + 0.13
    for side in SIDES:
        nostril = ellipse(side * 0.095 * wide, base, 0.05 * wide, 0.03)
        canvas.tint(nostril, dark(person.skin, 0.3), 0.85, 0.015, relief=1.3)
        wing = [(0.19 * wide, base - 0.17), (0.25 * wide, base - 0.05), (0.17 * wide, base + 0.02)]
        canvas.lines(curve(wing)[None] * (side, 1), dark(person.skin, 0.62), 0.03, relief=1.2)


def _corner(person: Person, move: Movements, side: int) -> tuple[float, float]:
    """Half the width of the mouth and the height of its corner on one side."""
    width = 0.4 * person.mouth_width * (1 + 0.3 * move.stretch - 0.12 * max(move.open, 0))
    more = 1 + side * move.lopsided
    return width, MOUTH - 0.17 * move.corners * more + 0.1 * max(move.open, 0)


def paint_mouth(canvas: Canvas, person: Person, move: Movements) -> None:
    """Paint lips and, where they part, teeth and tongue."""
    (width, left), (_, right) = _corner(person, move, -1), _corner(person, move, 1)
    thin = 1 - 0.6 * max(move.press, 0)
    top = MOUTH - 0.02 - 0.09 * max(move.upper_lip, 0) + 0.03 * max(move.corners, 0)
    bottom = MOUTH + 0.5 * max(move.open, 0) + 0.06 * move.lower_lip + 0.03 * max(move.corners, 0)
    bottom = max(bottom, top + 0.012)
    upper, lower = 0.085 * person.lips * thin, 0.12 * person.lips * thin

    def across(middle: float, bow: float = 0.0) -> np.ndarray:
        points = [(-width, left)]
        for share, dip in ((-0.55, 0.0), (-0.16, bow), (0.0, bow * 0.55), (0.16, bow), (0.55, 0.0)):
            corner = left if share < 0 else right
            droop = abs(share) ** 1.7
            points.append((share * width, middle + (corner - middle) * droop - dip))
        return curve([*points, (width, right)])

    lip = mix(dark(person.skin, 0.72), (70, 60, 150), person.lip_colour)
    outer = np.concatenate([across(top - upper, 0.03 * thin), across(bottom + lower)[::-1]])
    canvas.tint(outer, lip, 0.95, 0.012)
    shadow = np.concatenate([across(top - upper, 0.03), across(top)[::-1]])
    canvas.tint(shadow, dark(lip, 0.7), 0.6, 0.015)
    canvas.tint(ellipse(0, bottom + lower * 0.55, width * 0.4, 0.03), (235, 235, 240), 0.25, 0.02)
    inside = np.concatenate([across(top), across(bottom)[::-1]])
    if bottom - top > 0.04:
        with canvas.within(inside):
            canvas.fill(ellipse(0, MOUTH, 2, 2), (28, 22, 48))
            canvas.fill(ellipse(0, bottom + 0.06, width * 0.6, 0.16), (75, 70, 135))
            bite = across(top + 0.05 + 0.09 * max(move.upper_lip, move.corners, 0.0))
            canvas.fill(np.concatenate([across(top - 0.1), bite[::-1]]), (205, 215, 220))
            if move.lower_lip > 0.2:
                teeth = np.concatenate([across(bottom + 0.1), across(bottom - 0.07)[::-1]])
                canvas.fill(teeth, (180, 190, 196))
            canvas.lines(across(top)[None] + (0, 0.015), (60, 60, 80), 0.03)
    else:
        canvas.lines(across((top + bottom) / 2)[None], dark(person.skin, 0.28), 0.035)
    for side, y in ((-1, left), (1, right)):
        canvas.tint(ellipse(side * width, y, 0.04, 0.025), dark(person.skin, 0.3), 0.6, 0.02)
