"""Decoys: things drawn into a face that cover neither half of it nor the eyes."""

import numpy as np

from fer_tf.occlusion.occluders.canvas import EYES, MIDDLE, Canvas
from fer_tf.occlusion.occluders.parts import (
    draw_disc,
    draw_frame,
    draw_gleam,
    draw_hand,
    either_side,
    lenses_of,
)
from fer_tf.outlines import ellipse, rounded, smooth


def clear_glasses(canvas: Canvas) -> None:
    """Clear glasses, with or without a gleam."""
    lenses = lenses_of(canvas, canvas.uniform(5, 8), canvas.uniform(3.5, 6.5))
    rim = canvas.uniform(0, 70) if canvas.chance(0.7) else canvas.shade()
    width = canvas.uniform(0.4, 1.5)
    draw_frame(canvas, lenses, rim, width)
    tint = canvas.uniform(0, 0.18) if canvas.chance(0.4) else 0
    for lens in lenses:
        if tint:
            canvas.fill(lens, 255 if canvas.chance(0.6) else 0, tint)
        canvas.line(lens, rim, width, closed=True)
        if canvas.chance(0.4):
            draw_gleam(canvas, *lens.mean(axis=0), *np.ptp(lens, axis=0) / 2)


def hand_aside(canvas: Canvas) -> None:
    """A hand at a cheek, below the chin or above the brow."""
    side = either_side(canvas)
    choice = canvas.random.random()
    if choice < 0.6:
        place = MIDDLE - side * canvas.uniform(20, 27), canvas.uniform(26, 46)
        draw_hand(canvas, place, -side, canvas.uniform(-1.5, -0.6), canvas.uniform(0.6, 1.0))
    elif choice < 0.85:
        place = MIDDLE + canvas.uniform(-9, 9), canvas.uniform(54, 58)
        draw_hand(canvas, place, side, canvas.uniform(-0.6, 0.2), canvas.uniform(0.8, 1.2))
    else:
        place = MIDDLE - side * canvas.uniform(10, 20), canvas.uniform(-6, -1)
        draw_hand(canvas, place, side, canvas.uniform(-0.3, 0.2), canvas.uniform(0.7, 1.0))


def hair(canvas: Canvas) -> None:
    """A fringe or strands of hair over forehead and cheeks."""
    shade = canvas.uniform(0, 110) if canvas.chance(0.7) else canvas.shade()
    if canvas.chance(0.4):
        edge = [(x, canvas.uniform(3, 9.5)) for x in range(-6, 58, 6)]
        canvas.fill([(-20, -30), *edge, (70, -30)], canvas.texture(shade))
    for _ in range(canvas.random.integers(1, 5)):
        side = either_side(canvas)
        begin, end = canvas.uniform(0, 18), canvas.uniform(12, 26)
        line = [(begin, -10), (begin + end, 0), (end + 2, canvas.uniform(8, 20))]
        line = np.array([*line, (end, canvas.uniform(20, 50))]) * [side, 1] + [MIDDLE, 0]
        canvas.line(smooth(line, closed=False), shade, canvas.uniform(0.4, 1.6))


def hat(canvas: Canvas) -> None:
    """A hat, a band or a helmet that ends above the brows."""
    brim, bend = canvas.uniform(2, 9), canvas.uniform(-2, 4)
    edge = [(x, brim + bend * ((x - MIDDLE) / 24) ** 2) for x in range(-12, 64, 6)]
    shade = canvas.shade()
    canvas.fill([(-40, -40), *edge, (90, -40)], canvas.texture(shade, roughness=2))
    if canvas.chance(0.6):
        canvas.line(edge, shade * canvas.uniform(0.3, 1.2), canvas.uniform(0.5, 3))


def hood(canvas: Canvas) -> None:
    """Cloth around the face: a hood, a headscarf or a collar."""
    width, height = canvas.uniform(20, 25), canvas.uniform(23, 29)
    hole = ellipse(MIDDLE, 25 + canvas.uniform(0, 3), width, height)
    outside = [(90, 25), (90, 110), (-50, 110), (-50, -60), (90, -60), (90, 25)]
    cloth = canvas.texture(canvas.shade(), roughness=2)
    canvas.fill(np.concatenate([hole, hole[:1], outside]), cloth)


def spot(canvas: Canvas) -> None:
    """A plaster, a jewel or a painted spot on cheek or forehead."""
    for _ in range(canvas.random.integers(1, 4)):
        side = either_side(canvas)
        x, y = MIDDLE + side * canvas.uniform(9, 20), canvas.uniform(25, 34)
        if canvas.chance(0.3):
            x, y = MIDDLE + canvas.uniform(-14, 14), canvas.uniform(0, 7)
        width, height = canvas.uniform(0.7, 4), canvas.uniform(0.7, 2.5)
        if canvas.chance(0.5):
            canvas.fill(ellipse(x, y, width, height), canvas.shade())
        else:
            canvas.fill(rounded(x - width, y - height, x + width, y + height, 0.3), canvas.shade())


def microphone(canvas: Canvas) -> None:
    """A microphone, a straw or a cigarette from below or from one side."""
    side = either_side(canvas)
    head = MIDDLE + side * canvas.uniform(2, 14), canvas.uniform(42, 48)
    shade = canvas.uniform(0, 90) if canvas.chance(0.7) else canvas.shade()
    foot = MIDDLE + side * canvas.uniform(5, 40), 60
    canvas.line([head, foot], shade, canvas.uniform(1, 3.5))
    if canvas.chance(0.7):
        draw_disc(canvas, *head, canvas.uniform(1.5, 3.5), shade * canvas.uniform(0.7, 1.5))


def beard(canvas: Canvas) -> None:
    """A beard or a moustache that leaves the mouth free."""
    shade = canvas.uniform(0, 80) if canvas.chance(0.8) else canvas.uniform(150, 230)
    hairy = canvas.texture(shade, roughness=1.5)
    opacity = canvas.uniform(0.4, 0.95)
    if canvas.chance(0.6):
        path = [(MIDDLE - 7, 35), (MIDDLE - 3, 33), (MIDDLE + 3, 33), (MIDDLE + 7, 35)]
        canvas.line(smooth(path, closed=False), hairy, canvas.uniform(0.8, 2), opacity=opacity)
    if canvas.chance(0.7):
        path = [(MIDDLE - 18, 30), (MIDDLE - 13, 43), (MIDDLE, 48)]
        path += [(2 * MIDDLE - x, y) for x, y in path[1::-1]]
        canvas.line(smooth(path, closed=False), hairy, canvas.uniform(2, 6), opacity=opacity)


def caption(canvas: Canvas) -> None:
    """Letters across the picture, like an owner's watermark."""
    y, shade = canvas.uniform(4, 44), canvas.uniform(120, 255)
    x = canvas.uniform(-5, 25)
    for _ in range(canvas.random.integers(4, 12)):
        stroke = canvas.random.uniform(-1.5, 1.5, (3, 2)) + [x, y]
        canvas.line(stroke, shade, canvas.uniform(0.4, 0.9), opacity=canvas.uniform(0.3, 0.9))
        x += canvas.uniform(2.2, 3.5)


def shut_eyes(canvas: Canvas) -> None:
    """Painted lids: dark but visible eyes."""
    for eye in EYES:
        x, y = eye + [0, canvas.uniform(-2, 0)]
        canvas.fill(ellipse(x, y, canvas.uniform(3, 5), canvas.uniform(1, 2.2)), 20, 0.45)
