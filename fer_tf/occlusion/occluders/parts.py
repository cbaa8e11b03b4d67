"""Parts of occluders and of decoys: hands, glasses, gleams, folds."""

from collections.abc import Sequence

import numpy as np

from fer_tf.occlusion.occluders.canvas import EYES, MIDDLE, Canvas
from fer_tf.outlines import ellipse, rounded, smooth


def front_of(canvas: Canvas, half: float, top: float, bottom: float) -> np.ndarray:
    """The outline of a headset or of goggles, turned a little aside, with room for the nose."""
    radius = canvas.uniform(1, min(half, (bottom - top) / 2) * 0.9)
    front = rounded(MIDDLE - half, top, MIDDLE + half, bottom, radius)
    across = (front[:, 0] - MIDDLE) / half
    down = (front[:, 1] - top) / (bottom - top)
    front[:, 1] += across * canvas.uniform(-1.5, 1.5)
    front[:, 0] += across * (down - 0.5) * canvas.uniform(-4, 2)
    if canvas.chance(0.5):
        depth, notch = canvas.uniform(2, 5), canvas.uniform(3, 6)
        low = int(np.argmax((front[:, 1] > (top + bottom) / 2) & (across < 0)))
        nose = [(MIDDLE + notch, bottom), (MIDDLE, bottom - depth), (MIDDLE - notch, bottom)]
        front = np.insert(front, low, nose, axis=0)
    return front


def lenses_of(canvas: Canvas, width: float, height: float) -> tuple[np.ndarray, np.ndarray]:
    """Outlines of two lenses, mirror images of each other."""
    shape = canvas.random.integers(5)
    if shape == 0:
        lens = ellipse(0, 0, width, height)
    elif shape == 1:
        lens = ellipse(0, 0, min(width, 6.5), min(width, 6.5))
    elif shape == 2:
        lens = rounded(-width, -height, width, height, canvas.uniform(0.5, height * 0.7))
    elif shape == 3:  # drops, as of pilots' glasses
        lens = [(-1, -0.9), (0.8, -0.9), (1, -0.4), (0.7, 0.6), (0, 1.1), (-0.8, 0.9), (-1.1, 0)]
        lens = smooth(np.array(lens) * [width, height])
    else:  # raised at the temples
        lens = [(-1.15, -1), (0.9, -0.75), (1, 0.1), (0.5, 0.9), (-0.6, 0.9), (-1, 0)]
        lens = smooth(np.array(lens) * [width, height], times=1)
    apart, low = canvas.uniform(-0.7, 0.9), canvas.uniform(-0.5, 1.5)
    left = lens + EYES[0] + [-apart, low]
    return left, np.stack([2 * MIDDLE - left[:, 0], left[:, 1]], axis=1)


def draw_frame(canvas: Canvas, lenses: Sequence, shade: float, width: float) -> None:
    """Draw the bridge and both temples of glasses."""
    left, right = (lens.mean(axis=0) for lens in lenses)
    top = left[1] - canvas.uniform(0, 3)
    canvas.line([(left[0] + 3, top), (MIDDLE, top - 0.5), (right[0] - 3, top)], shade, width)
    end = canvas.uniform(13, 18)
    canvas.line([(lenses[0][:, 0].min() + 0.5, top), (-8, end)], shade, width)
    canvas.line([(lenses[1][:, 0].max() - 0.5, top), (56, end)], shade, width)


def draw_gleam(canvas: Canvas, x: float, y: float, width: float, height: float) -> None:
    """Draw a bright streak, a bright patch or nothing within (x +- width, y +- height)."""
    light = canvas.uniform(120, 255)
    x, y = x + canvas.uniform(-0.5, 0.5) * width, y + canvas.uniform(-0.5, 0.2) * height
    choice = canvas.random.random()
    long, lift = canvas.uniform(0.1, 0.4) * width, canvas.uniform(-0.4, 0.4) * height
    if choice < 0.35:
        ends = [(x - long, y + lift), (x + long, y - lift)]
        canvas.line(ends, light, canvas.uniform(0.4, 1.2), opacity=canvas.uniform(0.3, 0.9))
    elif choice < 0.6:
        patch = ellipse(x, y, long, canvas.uniform(0.1, 0.4) * height)
        canvas.fill(patch, light, canvas.uniform(0.2, 0.7))


def draw_folds(canvas: Canvas, across: tuple, down: tuple, shade: float) -> None:
    """Draw soft dark and light lines, as in cloth."""
    for _ in range(canvas.random.integers(0, 6)):
        line = np.stack(
            [canvas.random.uniform(*across, 3), canvas.random.uniform(*down, 3)], axis=1
        )
        line = smooth(line[np.argsort(line[:, 0])], closed=False)
        fold = shade * canvas.uniform(0.5, 1.25)
        canvas.line(line, fold, canvas.uniform(0.5, 2.5), opacity=canvas.uniform(0.3, 0.8))


def draw_hand(
    canvas: Canvas, palm: Sequence, side: int, tilt: float, size: float, reach: float = 1.0
) -> None:
    """Draw a hand whose fingers point to the right or to the left.

    Args:
        canvas: the canvas to draw into.
        palm: middle (x, y) of the palm.
        side: 1 for fingers to the right, -1 for fingers to the left.
        tilt: radians by which the fingers are turned down.
        size: 1 for a palm 12 pixels wide, half the width of a hand beside its face.
        reach: length of the fingers, 1 as usual.
    """
    shade = canvas.skin_shade() if canvas.chance(0.85) else canvas.shade()  # a bare hand or a glove
    skin, edge = canvas.texture(shade, roughness=0.5), shade * canvas.uniform(0.45, 0.8)
    turn = size * np.array([(np.cos(tilt), np.sin(tilt)), (-np.sin(tilt), np.cos(tilt))])
    turn[:, 0] *= side

    def place(points):
        return np.array(points) @ turn + palm

    wrist = [place([(-40, canvas.uniform(-10, 14)), (-4, 0)])]
    thumb = [place([(-2, -4), (3, -7), (6 + canvas.uniform(-1, 2), -8.5)])]
    fingers = []
    spread = canvas.uniform(-0.3, 1.2)
    for number in range(4):
        y = 2.9 * (number - 1.5)
        length = 10.5 if number in (1, 2) else 8
        tip = (length + canvas.uniform(-1, 1)) * reach + 2
        fingers.append(place([(1, y), (tip, y * (1 + 0.25 * spread) + canvas.uniform(-0.7, 0.7))]))
    canvas.fill(place(ellipse(-1, 0, 6.2, 6.4)), edge)
    thumbs = thumb if canvas.chance(0.6) else []
    for lines, width in ((wrist, 9.0), (thumbs, 3.2), (fingers, 3.1)):
        for line in lines:
            canvas.line(line, edge, (width + 0.5) * size)
            canvas.line(line, skin, (width - 0.2) * size)
    canvas.fill(place(ellipse(-1, 0, 5.8, 6.0)), skin)


def draw_sheet(canvas: Canvas, left: float, top: float, right: float, bottom: float) -> None:
    """Draw something flat with straight sides, turned a little."""
    sheet = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    sheet += canvas.random.normal(0, 0.8, (4, 2))
    sheet[:, 1] += canvas.uniform(-2.5, 2.5) * (sheet[:, 0] - MIDDLE) / 24
    shade = canvas.shade()
    canvas.fill(sheet, canvas.texture(shade, roughness=1.5))
    if canvas.chance(0.4):
        canvas.line(sheet, shade * canvas.uniform(0.5, 1.3), canvas.uniform(0.5, 2), closed=True)


def either_side(canvas: Canvas) -> int:
    """1 or -1, at random."""
    return 1 if canvas.chance(0.5) else -1


def draw_disc(canvas: Canvas, x: float, y: float, radius: float, shade: float) -> None:
    """Draw a round spot."""
    canvas.fill(ellipse(x, y, radius, radius), shade)
