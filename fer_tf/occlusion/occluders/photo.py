"""Masks, sunglasses and VR headsets, drawn at the eyes of faces in photographs.

Points are given in a face's own coordinates: the origin lies between the eyes, one unit is the
distance between them, x points from the left eye in the picture to the right one, y to the chin.
"""

from collections.abc import Callable

import cv2
import numpy as np

from fer_tf.outlines import SUBPIXEL_BITS, rounded

Colour = tuple[int, int, int]
_DARK = (20, 20, 20)


def draw_mask(image: np.ndarray, eyes: np.ndarray, colour: Colour) -> None:
    """Draw a surgical mask from the bridge of the nose to below the chin, with straps and folds."""
    for side in (-1, 1):
        for strap in ([(0.95, 0.55), (1.35, 0.15)], [(0.85, 1.35), (1.35, 0.6)]):
            _line(image, eyes, [(side * x, y) for x, y in strap], _shade(colour, 0.8), 0.04)
    half = [(0.35, 0.42), (1.0, 0.5), (0.98, 1.1), (0.75, 1.5), (0.3, 1.78)]
    _fill(image, eyes, [(0, 0.3), *half, *[(-x, y) for x, y in half[::-1]]], colour)
    for y in (0.75, 1.0, 1.25):
        _line(image, eyes, [(-0.9, y), (0, y + 0.06), (0.9, y)], _shade(colour, 0.75), 0.03)


def draw_sunglasses(image: np.ndarray, eyes: np.ndarray, colour: Colour) -> None:
    """Draw two rounded lenses with a gleam, in a dark frame."""
    _line(image, eyes, [(-0.2, -0.1), (0.2, -0.1)], _DARK, 0.08)
    for side in (-1, 1):
        _line(image, eyes, [(side * 0.9, -0.1), (side * 1.3, -0.05)], _DARK, 0.08)
        lens = rounded(-0.44, -0.32, 0.44, 0.34, 0.25, count=8) + [side * 0.52, 0.03]
        _fill(image, eyes, lens, colour)
        _line(image, eyes, np.vstack([lens, lens[:1]]), _DARK, 0.04)
        gleam = [(side * 0.52 - 0.25, 0.1), (side * 0.52 - 0.05, -0.15)]
        _line(image, eyes, gleam, _lighter(colour, 60), 0.05)


def draw_headset(image: np.ndarray, eyes: np.ndarray, colour: Colour) -> None:
    """Draw a VR headset from the brows to the nose, with the ends of its strap."""
    for side in (-1, 1):
        strap = [(1.1, -0.25), (1.5, -0.2), (1.5, 0.2), (1.1, 0.2)]
        _fill(image, eyes, [(side * x, y) for x, y in strap], _shade(colour, 0.6))
    _fill(image, eyes, rounded(-1.2, -0.68, 1.2, 0.58, 0.25, count=8), _shade(colour, 0.7))
    _fill(image, eyes, rounded(-1.1, -0.6, 1.1, 0.45, 0.22, count=8), colour)
    _line(image, eyes, [(-0.9, -0.45), (0.9, -0.45)], _lighter(colour, 40), 0.05)


OCCLUDERS: dict[str, tuple[Callable, dict[str, Colour]]] = {
    "mask": (
        draw_mask,
        {"white": (235, 235, 235), "blue": (215, 180, 120), "black": (30, 30, 30)},
    ),
    "sunglasses": (
        draw_sunglasses,
        {"black": (15, 15, 15), "brown": (30, 50, 90), "mirror": (190, 150, 90)},
    ),
    "headset": (
        draw_headset,
        {"black": (25, 25, 25), "gray": (110, 110, 110), "white": (230, 230, 230)},
    ),
}
"""Kind -> function that draws it into uint8 [H, W, 3] BGR at eyes [2, 2], and its colours, BGR."""


def _place(eyes, points):
    """Pixel positions of points in the face's coordinates, with `SUBPIXEL_BITS` binary places."""
    eyes = np.asarray(eyes, float)
    across = eyes[1] - eyes[0]
    down = np.array([-across[1], across[0]])
    pixels = eyes.mean(axis=0) + np.asarray(points, float) @ np.stack([across, down])
    return np.rint(pixels * 2**SUBPIXEL_BITS).astype(np.int32)


def _fill(image, eyes, points, colour):
    cv2.fillPoly(image, [_place(eyes, points)], colour, cv2.LINE_AA, SUBPIXEL_BITS)


def _line(image, eyes, points, colour, width):
    pixels = max(1, round(width * float(np.linalg.norm(np.subtract(*eyes)))))
    cv2.polylines(image, [_place(eyes, points)], False, colour, pixels, cv2.LINE_AA, SUBPIXEL_BITS)


def _shade(colour, share):
    return tuple(int(value * share) for value in colour)


def _lighter(colour, levels):
    return tuple(min(255, value + levels) for value in colour)
