"""Things that cover a face. Each function draws one into a `Canvas`, differently each time."""

import numpy as np

from fer_tf.occlusion.occluders.canvas import EYES, MIDDLE, Canvas
from fer_tf.occlusion.occluders.parts import (
    draw_disc,
    draw_folds,
    draw_frame,
    draw_gleam,
    draw_hand,
    draw_sheet,
    either_side,
    front_of,
    lenses_of,
)
from fer_tf.outlines import ellipse, rounded, smooth


def headset(canvas: Canvas) -> None:
    """A VR headset: straps, a padded rim, a front with a gleam, sensors and lights."""
    half, top, bottom = canvas.uniform(15.5, 23), canvas.uniform(3, 10), canvas.uniform(24.5, 31)
    shade = canvas.shade()
    strap = canvas.texture(canvas.shade())
    if canvas.chance(0.8):
        middle, wide = canvas.uniform(14, 20), canvas.uniform(3, 8)
        canvas.line([(-30, middle - 2), (MIDDLE, middle), (78, middle - 2)], strap, wide)
    if canvas.chance(0.25):
        canvas.line([(MIDDLE, top), (MIDDLE, -20)], strap, canvas.uniform(4, 9))
    front = front_of(canvas, half, top, bottom)
    if canvas.chance(0.5):
        canvas.line(front, shade * canvas.uniform(0.3, 0.9), canvas.uniform(1, 3), closed=True)
    canvas.fill(front, canvas.texture(shade))
    if canvas.chance(0.4):
        inner = (front - front.mean(axis=0)) * canvas.uniform(0.6, 0.9) + front.mean(axis=0)
        canvas.fill(inner, canvas.texture(shade + canvas.uniform(-60, 60)))
    draw_gleam(canvas, MIDDLE, (top + bottom) / 2, half, (bottom - top) / 2)
    for _ in range(canvas.random.integers(0, 5)):  # cameras and lights
        place = MIDDLE + canvas.uniform(-0.85, 0.85) * half, canvas.uniform(top + 2, bottom - 2)
        draw_disc(canvas, *place, canvas.uniform(0.4, 1.8), canvas.uniform(0, 255))


def goggles(canvas: Canvas) -> None:
    """Goggles for skiing or for a workshop: a thick frame, one lens, a strap."""
    half, top, bottom = canvas.uniform(16, 21), canvas.uniform(6, 10), canvas.uniform(25, 29)
    frame = canvas.shade()
    middle = canvas.uniform(15, 19)
    strap = canvas.texture(canvas.shade(), roughness=2)
    canvas.line([(-30, middle), (78, middle)], strap, canvas.uniform(4, 9))
    front = front_of(canvas, half, top, bottom)
    canvas.fill(front, canvas.texture(canvas.shade()), canvas.uniform(0.75, 1))
    canvas.line(front, frame, canvas.uniform(1, 3), closed=True)
    draw_gleam(canvas, MIDDLE, (top + bottom) / 2, half, (bottom - top) / 2)


def pulled_down(canvas: Canvas) -> None:
    """A cap, hood or cloth over brow and eyes."""
    bottom, bend = canvas.uniform(22, 27), canvas.uniform(-3, 3)
    edge = [(x, bottom + bend * np.cos(x / 15 - 1.6)) for x in range(-8, 60, 8)]
    edge = canvas.random.normal(0, 0.7, (len(edge), 2)) + edge
    shade = canvas.shade()
    outline = np.concatenate([edge, [(80, -40), (-40, -40)]])
    canvas.fill(outline, canvas.texture(shade, roughness=2))
    draw_folds(canvas, (-2, 50), (0, bottom - 2), shade)
    if canvas.chance(0.5):  # a seam or the shadow of a brim
        wide = canvas.uniform(0.6, 5)
        canvas.line(edge, shade * canvas.uniform(0.3, 1.2), wide, opacity=0.8)


def blindfold(canvas: Canvas) -> None:
    """A wide cloth tied around the head."""
    top, bottom = canvas.uniform(5, 10), canvas.uniform(24, 28)
    shade = canvas.shade()
    ends = canvas.random.normal(0, 2, 4)
    outline = [(-12, top + ends[0]), (MIDDLE, top), (60, top + ends[1])]
    outline += [(60, bottom + ends[2] - 2), (MIDDLE, bottom), (-12, bottom + ends[3] - 2)]
    canvas.fill(smooth(outline), canvas.texture(shade, roughness=2))
    draw_folds(canvas, (0, 48), (top + 2, bottom - 2), shade)


def hand_on_brow(canvas: Canvas) -> None:
    """A hand or a forearm over brow and eyes."""
    side = either_side(canvas)
    if canvas.chance(0.35):
        middle, lift = canvas.uniform(9, 15), canvas.uniform(-8, 8)
        path = [(-25, middle - lift), (MIDDLE, middle), (75, middle + lift)]
        shade = canvas.skin_shade() if canvas.chance(0.5) else canvas.shade()  # bare or in a sleeve
        canvas.line(path, 0.6 * shade, canvas.uniform(23, 25))
        canvas.line(path, canvas.texture(shade, roughness=0.7), canvas.uniform(21, 23))
        return
    tilt = canvas.uniform(-0.35, 0.35)
    hands = 2 if canvas.chance(0.3) else 1
    for _ in range(hands):
        x = MIDDLE - side * canvas.uniform(2, 8)
        draw_hand(canvas, (x, canvas.uniform(11, 15)), side, tilt, canvas.uniform(1.7, 2.1))
        side, tilt = -side, -tilt


def card(canvas: Canvas) -> None:
    """A paper, book or screen held before brow and eyes."""
    left, right = canvas.uniform(-12, 6), canvas.uniform(42, 60)
    draw_sheet(canvas, left, canvas.uniform(-25, 6), right, canvas.uniform(23, 28))


def surgical_mask(canvas: Canvas) -> None:
    """A surgical or cloth mask: straps to the ears, folds, a wire over the nose."""
    top, side, rise = canvas.uniform(22, 28), canvas.uniform(2.5, 8), canvas.uniform(1, 5)
    jaw, chin = canvas.uniform(40, 46), canvas.uniform(46, 54)
    shade = canvas.uniform(150, 250) if canvas.chance(0.5) else canvas.shade()
    strap = shade * canvas.uniform(0.6, 1.1)
    ear = canvas.uniform(16, 24)
    for x, outer in ((side, -4), (2 * MIDDLE - side, 52)):
        if canvas.chance(0.85):
            wide = canvas.uniform(0.6, 1.6)
            canvas.line(smooth([(x, top + rise + 1), (outer, ear)], closed=False), strap, wide)
            inner = x + 4 if x < 24 else x - 4
            canvas.line([(inner, jaw), (outer, ear + 8)], strap, wide)
    right = [(MIDDLE + 5, top + 0.5), (47.5 - side, top + rise), (46.5 - side, (top + jaw) / 2 + 2)]
    right += [(40 - side / 3, jaw), (31, chin)]
    left = [(2 * MIDDLE - x, y) for x, y in right[::-1]]
    outline = [(MIDDLE, top - canvas.uniform(0, 1.5)), *right, *left]
    outline = smooth(canvas.random.normal(0, 0.4, (11, 2)) + outline)
    canvas.fill(outline, canvas.texture(shade, roughness=0.6))
    if canvas.chance(0.4):
        canvas.line(outline, shade * canvas.uniform(0.6, 0.9), 0.7, closed=True)
    pleats = canvas.random.integers(0, 5)
    for y in np.linspace(top + 5, jaw, pleats + 2)[1:-1]:
        line = [(side + 3, y), (MIDDLE, y + canvas.uniform(0, 3)), (44.5 - side, y)]
        fold = shade * canvas.uniform(0.65, 0.95)
        canvas.line(smooth(line, closed=False), fold, canvas.uniform(0.4, 1), opacity=0.7)
    if canvas.chance(0.4):  # the wire
        line = [(MIDDLE - 7, top + 3), (MIDDLE, top + 1), (MIDDLE + 7, top + 3)]
        canvas.line(smooth(line, closed=False), shade * canvas.uniform(0.7, 1.2), 0.8, opacity=0.7)


def respirator(canvas: Canvas) -> None:
    """A cup-shaped mask: a ridge down its middle, a valve, bands around the head."""
    top, half, chin = canvas.uniform(21, 26), canvas.uniform(12, 18), canvas.uniform(45, 52)
    shade = canvas.uniform(170, 250) if canvas.chance(0.6) else canvas.shade()
    band = canvas.shade()
    for y, end in ((top + 9, canvas.uniform(12, 24)), (40, canvas.uniform(26, 44))):
        wide = canvas.uniform(0.8, 2)
        canvas.line([(-10, end), (MIDDLE - half, y)], band, wide)
        canvas.line([(58, end), (MIDDLE + half, y)], band, wide)
    right = [(3.5, top + 1), (half * 0.8, top + 7), (half, top + 13), (half * 0.8, chin - 4)]
    outline = [(0, top), *right, (0, chin + 2), *[(-x, y) for x, y in right[::-1]]]
    outline = smooth(np.array(outline) + [MIDDLE, 0])
    canvas.fill(outline, canvas.texture(shade, roughness=0.4))
    if canvas.chance(0.6):  # one side in the shade
        dark = np.stack([np.maximum(outline[:, 0], MIDDLE), outline[:, 1]], axis=1)
        canvas.fill(dark, shade * canvas.uniform(0.5, 0.95), canvas.uniform(0.3, 0.8))
    if canvas.chance(0.3):
        place = MIDDLE + canvas.uniform(-6, 6), canvas.uniform(35, 41)
        draw_disc(canvas, *place, canvas.uniform(2, 4), shade * canvas.uniform(0.5, 1.1))


def scarf(canvas: Canvas) -> None:
    """A scarf, a collar, a bandana or a veil over nose or mouth."""
    top, drop = canvas.uniform(23, 31), canvas.uniform(-1, 6)
    shade = canvas.shade()
    edge = [(-12, top + drop), (5, top + drop / 2), (MIDDLE, top), (43, top + drop / 2)]
    edge = canvas.random.normal(0, 0.7, (5, 2)) + [*edge, (60, top + drop)]
    low = [(80, 90), (-30, 90)] if canvas.chance(0.7) else [(36, 52), (MIDDLE, 66), (12, 52)]
    outline = np.concatenate([smooth(edge, closed=False), low])
    canvas.fill(outline, canvas.texture(shade, roughness=2))
    draw_folds(canvas, (0, 48), (top + 4, 50), shade)


def hand_on_mouth(canvas: Canvas) -> None:
    """One hand or both over the mouth."""
    side = either_side(canvas)
    if canvas.chance(0.3):  # two hands, folded before the mouth
        size = canvas.uniform(1.2, 1.5)
        for turn in (side, -side):
            place = MIDDLE - turn * canvas.uniform(4, 9), canvas.uniform(39, 43)
            draw_hand(canvas, place, turn, -turn * canvas.uniform(0.2, 1.0), size)
        return
    place = MIDDLE - side * canvas.uniform(0, 7), canvas.uniform(37, 41)
    draw_hand(canvas, place, side, canvas.uniform(-0.5, 0.5), canvas.uniform(1.35, 1.75))


def cup(canvas: Canvas) -> None:
    """A cup, telephone, paper or book held before the mouth."""
    half = canvas.uniform(10, 30)
    middle = MIDDLE + canvas.uniform(-3, 3)
    draw_sheet(canvas, middle - half, canvas.uniform(25, 31), middle + half, canvas.uniform(46, 75))


def sunglasses(canvas: Canvas) -> None:
    """Sunglasses of many shapes: dark, mirrored or half seen through."""
    lenses = lenses_of(canvas, canvas.uniform(5.2, 8), canvas.uniform(3.8, 6))
    frame = canvas.uniform(0, 70) if canvas.chance(0.7) else canvas.shade()
    draw_frame(canvas, lenses, frame, canvas.uniform(0.5, 2))
    dark = canvas.chance(0.75)
    shade = canvas.uniform(0, 60) if dark else canvas.uniform(60, 235)
    opacity = canvas.uniform(0.6, 1) if dark and canvas.chance(0.4) else canvas.uniform(0.9, 1)
    glass = canvas.texture(shade, roughness=0.3)
    for lens in lenses:
        canvas.fill(lens, glass, opacity)
        if canvas.chance(0.6):
            middle, (width, height) = lens.mean(axis=0), np.ptp(lens, axis=0) / 2
            draw_gleam(canvas, *middle, width, height)
    for lens in lenses:
        canvas.line(lens, frame, canvas.uniform(0.4, 1.4), closed=True)


def strip(canvas: Canvas) -> None:
    """A bar over both eyes, as in anonymised pictures, or a narrow mask."""
    half, middle = canvas.uniform(3.5, 6), 18 + canvas.uniform(-1, 1)
    left, right = canvas.uniform(-8, 8), canvas.uniform(40, 56)
    turned = canvas.uniform(-1.5, 1.5)
    bar = rounded(left, middle - half, right, middle + half, canvas.uniform(0.1, 3))
    bar[:, 1] += turned * (bar[:, 0] - MIDDLE) / 20
    flat = canvas.shade()
    canvas.fill(bar, flat if canvas.chance(0.5) else canvas.texture(flat))


def patches(canvas: Canvas) -> None:
    """Two equal things on the eyes: swimming goggles, patches, slices or boxes."""
    width, height = canvas.uniform(4.5, 8), canvas.uniform(4, 6.5)
    shade = canvas.shade()
    paint = shade if canvas.chance(0.4) else canvas.texture(shade)
    if canvas.chance(0.4):
        canvas.line([(-20, 17), (70, 17)], canvas.shade(), canvas.uniform(0.8, 2.5))
    round_ = canvas.chance(0.5)
    for eye in EYES:
        x, y = eye + canvas.random.normal(0, 0.4, 2)
        if round_:
            canvas.fill(ellipse(x, y, width, height), paint)
        else:
            corner = canvas.uniform(0.1, 2)
            canvas.fill(rounded(x - width, y - height, x + width, y + height, corner), paint)


def hands_on_eyes(canvas: Canvas) -> None:
    """Fingers of both hands, one over each eye, or of one hand over both."""
    if canvas.chance(0.3):
        side = either_side(canvas)
        place = MIDDLE - side * canvas.uniform(10, 14), canvas.uniform(17, 19)
        draw_hand(
            canvas, place, side, canvas.uniform(-0.1, 0.1), canvas.uniform(0.9, 1.1), reach=2.0
        )
        return
    size, tilt = canvas.uniform(0.85, 1.1), canvas.uniform(-0.15, 0.5)
    for side in (1, -1):
        place = MIDDLE - side * canvas.uniform(15, 18), 18.5 + canvas.uniform(0, 3)
        draw_hand(canvas, place, side, -side * tilt, size)
