"""The canvas of drawn faces: a picture with the coordinates of a head.

Points are float arrays [n, 2] of (x, y) in face units: the origin lies between the eyes, the
eyes at x = -0.5 and 0.5, y grows downwards. The canvas turns, shifts and scales them to pixels.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np

from fer_tf import outlines
from fer_tf.outlines import SUBPIXEL_BITS, shape_mask

Colour = tuple[int, int, int]
"""Blue, green, red, each 0 to 255."""

FINE, SOFT, BROAD = 0.025, 0.055, 0.12
"""Blur of a stroke of light or shadow, in face units: of a wrinkle, a fold and a cheek."""

_CURVATURE = 1 / np.square((1.25, 2.2))
"""Of the face's surface, an ellipsoid with these half axes across and down."""

_LUMA = (0.114, 0.587, 0.299)
"""Weights of blue, green and red in gray, as OpenCV's BGR2GRAY (ITU-R BT.601)."""


@dataclass(frozen=True)
class View:
    """Place, size and pose of a head in the picture.

    Attributes:
        centre: the point between the eyes, (x, y) as shares of the picture's side.
        unit: distance between the eyes as a share of the picture's side.
        roll: turn in the picture's plane, radians, clockwise.
        yaw: shift of the nearest point of the face to the right, in face units.
        pitch: shift of the nearest point of the face downwards, in face units.
    """

    centre: tuple[float, float]
    unit: float
    roll: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0


def mix(colour: Colour, other: Colour, share: float) -> Colour:
    """Mix a colour with a share (0 to 1) of another."""
    return tuple(round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))


def dark(colour: Colour, factor: float) -> Colour:
    """Multiply the brightness of a colour, at most to 255."""
    return tuple(min(round(value * factor), 255) for value in colour)


def ellipse(x: float, y: float, width: float, height: float) -> np.ndarray:
    """Outline, float [24, 2], of an ellipse given by its middle and its half axes."""
    return outlines.ellipse(x, y, width, height, 24)


class Canvas:
    """A square picture, in colour or gray, painted in face units as seen through `view`.

    `shade` collects strokes of light and shadow; `apply_shade` paints them together, at half the
    resolution.

    Attributes:
        image: the painted background, uint8 [size, size, 3] (blue, green, red) or [size, size].
    """

    def __init__(self, background: np.ndarray, view: View):
        self.image = background
        self._size = background.shape[0]
        self._scale = view.unit * self._size
        self._strokes: list[tuple[np.ndarray, float, float, float | None]] = []
        cos, sin = np.cos(view.roll), np.sin(view.roll)
        self._turn = np.array([[cos, sin], [-sin, cos]]) * self._scale
        self._shift = np.array((view.yaw, view.pitch))
        self._centre = np.array(view.centre) * self._size

    def fill(self, points: np.ndarray, colour: Colour, relief: float = 1.0) -> None:
        """Fill an outline; `relief` is 0 at the head's rim, 1 on the face, 1.3 in front of it."""
        ink = self._ink(colour)
        cv2.fillPoly(self.image, [self._pixels(points, relief)], ink, shift=SUBPIXEL_BITS)

    def lines(self, lines: np.ndarray, colour: Colour, width: float, relief: float = 1.0) -> None:
        """Draw open lines, float [lines, points, 2]; `width` in face units."""
        pixels = list(self._pixels(lines.reshape(-1, 2), relief).reshape(lines.shape))
        thickness = max(round(width * self._scale), 1)
        ink = self._ink(colour)
        cv2.polylines(self.image, pixels, False, ink, thickness, shift=SUBPIXEL_BITS)

    def tint(
        self, points: np.ndarray, colour: Colour, opacity: float, blur: float, relief: float = 1.0
    ) -> None:
        """Fill an outline with a colour with soft edges; `blur` in face units."""
        sigma = blur * self._scale
        box, mask = shape_mask(self._pixels(points, relief), self._size, 3 * sigma)
        if mask.size:
            mask = cv2.GaussianBlur(mask, (0, 0), sigma) * np.float32(opacity / 255)
            part = self.image[box]
            ink = np.array(self._ink(colour), np.float32)
            self.image[box] = part + self._spread(mask) * (ink - part)

    @contextmanager
    def within(self, outline: np.ndarray, relief: float = 1.0) -> Iterator[None]:
        """Limit what the `with` block paints to an outline."""
        before = self.image.copy()
        yield
        box, mask = shape_mask(self._pixels(outline, relief), self._size)
        before[box] = np.where(self._spread(mask) > 0, self.image[box], before[box])
        self.image = before

    def shade(
        self, points: np.ndarray, strength: float, blur: float, width: float | None = None
    ) -> None:
        """Darken (strength < 0) or lighten an area, or with `width` a line.

        Args:
            points: an outline, or with `width` an open line.
            strength: share of the brightness that is added.
            blur: FINE, SOFT or BROAD.
            width: of the line, in face units.
        """
        self._strokes.append((points, strength, blur, width))

    def apply_shade(self, light: tuple[float, float], contrast: float) -> None:
        """Light the head as an ellipsoid and paint the collected strokes.

        Args:
            light: position of the lamp, (x, y), each -1 to 1, in face units.
            contrast: 0 (even light) to 1.
        """
        shade = cv2.resize(self._form(light, contrast), (self._size // 2,) * 2)
        for blur, layer in self._stroke_layers().items():
            shade += cv2.GaussianBlur(layer, (0, 0), max(blur * self._scale / 2, 0.5))
        shade = cv2.resize(shade, (self._size, self._size))
        self.image = np.clip(self.image * self._spread(shade), 0, 255).astype(np.uint8)
        self._strokes.clear()

    def _stroke_layers(self) -> dict[float, np.ndarray]:
        """Blur -> its strokes before they are blurred, float32 at half the size."""
        size = self._size // 2
        ends = np.cumsum([len(points) for points, *_ in self._strokes])
        # All points at once: one stroke after another takes a quarter of the time of a face.
        points = np.concatenate([points for points, *_ in self._strokes])
        places = np.split(self._pixels(points, 1.0) // 2, ends[:-1])
        layers = {blur: np.zeros((size, size), np.float32) for blur in (FINE, SOFT, BROAD)}
        for pixels, (_, strength, blur, width) in zip(places, self._strokes, strict=True):
            thickness = None if width is None else max(round(width * self._scale / 2), 1)
            box, mask = shape_mask(pixels, size, thickness=thickness)
            layers[blur][box] += mask * np.float32(strength / 255)
        return layers

    def _form(self, light: tuple[float, float], contrast: float) -> np.ndarray:
        """Brightness, about 1, of an ellipsoid in place of the head: float32 at 1/8 of the size."""
        steps = np.arange(4, self._size, 8)
        turn = self._turn / self._scale**2
        grid = np.stack(np.meshgrid(steps - self._centre[0], steps - self._centre[1]), axis=-1)
        normal = (grid @ turn.T - (0, 0.1)) / (1.3, 1.9)
        length = np.hypot(normal[..., 0], normal[..., 1])
        normal /= np.maximum(length, 1)[..., None]
        lit = normal @ np.array(light) + np.sqrt(np.maximum(1 - length**2, 0.15))
        return (1 + contrast * (np.clip(lit, 0, 2) - 1)).astype(np.float32)

    def _ink(self, colour: Colour) -> Colour | float:
        return colour if self.image.ndim == 3 else float(np.dot(colour, _LUMA))

    def _spread(self, plane: np.ndarray) -> np.ndarray:
        """Shape a plane [h, w] so that it applies to every channel of the picture."""
        return plane[..., None] if self.image.ndim == 3 else plane

    def _pixels(self, points: np.ndarray, relief: float) -> np.ndarray:
        """Positions in the picture, int32 [n, 2], with `SUBPIXEL_BITS` binary places."""
        if relief:
            nearness = np.sqrt(np.maximum(1 - (points * points) @ _CURVATURE, 0))
            points = points + nearness[:, None] * (relief * self._shift)
        places = points @ self._turn + self._centre
        return (places * 2**SUBPIXEL_BITS).astype(np.int32)
