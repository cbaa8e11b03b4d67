"""The canvas of drawn occluders: an enlarged face with the coordinates of a usual face.

Points (x, y) are pixels of a 48x48 face that looks ahead: the eyes at `EYES`, brows at y = 12, the
tip of the nose at (24, 29), the mouth at y = 37, the chin at y = 47. A canvas moves them to where
the eyes of its face are.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from fer_tf.faces.face import FACE_SIZE
from fer_tf.outlines import SUBPIXEL_BITS, shape_mask

EYES = np.array([(15.0, 18.0), (32.5, 18.0)])
"""Centres of a usual face's eyes, the eye on the left of the picture first."""

MIDDLE = float(EYES[:, 0].mean())
"""Column of a usual face's nose."""

_ENLARGED = 4  # Reducing the picture again softens the edges.
_SIDE = _ENLARGED * FACE_SIZE
_DISTANCE = float(np.ptp(EYES[:, 0]))
_X, _Y = np.meshgrid(*2 * [np.arange(FACE_SIZE, dtype=np.float32)])


class Canvas:
    """A face that occluders are drawn into.

    Args:
        face: uint8 [48, 48].
        eyes: float [2, 2], centres (x, y) of both eyes in pixels.
        random: the generator of all random numbers.
    """

    def __init__(self, face: np.ndarray, eyes: np.ndarray, random: np.random.Generator):
        self.random = random
        self._face = face
        self._image = cv2.resize(face, (_SIDE, _SIDE))
        self._touched = np.zeros((_SIDE, _SIDE), np.uint8)
        across = eyes[1] - eyes[0]
        turn = np.array([across, (-across[1], across[0])]) / _DISTANCE
        # A face that looks aside has its eyes closer together, but is as high as others.
        turn[1] *= max(1.0, 0.9 * _DISTANCE / max(float(np.hypot(*across)), 1.0))
        # In OpenCV's units.
        self._matrix = turn * _ENLARGED * 2**SUBPIXEL_BITS
        middle = (eyes.mean(axis=0) + 0.5) * _ENLARGED - 0.5
        self._shift = middle * 2**SUBPIXEL_BITS - EYES.mean(axis=0) @ self._matrix
        self._scale = float(np.hypot(*turn[0]))

    def result(self) -> np.ndarray:
        """The face, uint8 [48, 48]; pixels where nothing was drawn are unchanged."""
        small = cv2.resize(self._image, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA)
        touched = cv2.resize(self._touched, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA)
        return np.where(touched > 0, small, self._face)

    def uniform(self, low: float, high: float) -> float:
        """A random number from `low` to `high`."""
        return self.random.uniform(low, high)

    def chance(self, probability: float) -> bool:
        """True with a probability from 0 to 1."""
        return self.random.random() < probability

    def fill(self, points: Sequence, paint: float | np.ndarray, opacity: float = 1.0) -> None:
        """Fill an outline.

        Args:
            points: float [N, 2].
            paint: a shade, 0 to 255, or a texture of `texture`.
            opacity: 0 (invisible) to 1.
        """
        box, mask = shape_mask(self._place(points), _SIDE)
        self._blend(box, mask, paint, opacity)

    def line(
        self,
        points: Sequence,
        paint: float | np.ndarray,
        width: float,
        closed: bool = False,
        opacity: float = 1.0,
    ) -> None:
        """Draw a line with round ends, `width` pixels of a usual face wide; see `fill`."""
        thick = max(1, round(width * _ENLARGED * self._scale))
        box, mask = shape_mask(self._place(points), _SIDE, thickness=thick, closed=closed)
        self._blend(box, mask, paint, opacity)

    def texture(self, shade: float, roughness: float = 1.0) -> np.ndarray:
        """A material of about one shade with light, noise and a pattern: uint8 [192, 192]."""
        random = self.random
        light = random.uniform(-1, 1, (2, 2)) * random.uniform(0, 45)
        values = shade + cv2.resize(light.astype(np.float32), (FACE_SIZE, FACE_SIZE))
        if self.chance(0.5 * roughness):
            spread = np.float32(random.uniform(1, 14) * roughness)
            values += spread * random.standard_normal(values.shape, np.float32)
        pattern = random.random() / max(roughness, 1e-6)
        if pattern < 0.15:  # stripes of cloth or a knitted scarf
            angle, wave = random.uniform(0, np.pi), random.uniform(2.5, 9)
            phase = (_X * np.cos(angle) + _Y * np.sin(angle)) * (2 * np.pi / wave)
            values += np.float32(random.uniform(8, 60)) * np.sin(phase)
        elif pattern < 0.35:  # printed or crumpled
            cells = int(random.integers(3, 14))
            patches = random.uniform(-1, 1, (cells, cells)).astype(np.float32)
            interpolation = cv2.INTER_NEAREST if self.chance(0.3) else cv2.INTER_CUBIC
            patches = cv2.resize(patches, (FACE_SIZE, FACE_SIZE), interpolation=interpolation)
            values += np.float32(random.uniform(10, 80)) * patches
        return cv2.resize(np.clip(values, 0, 255).astype(np.uint8), (_SIDE, _SIDE))

    def skin_shade(self) -> float:
        """A random shade near that of the face's skin, 5 to 250."""
        skin = float(np.median(self._face[20:40, 12:36]))
        return min(max(skin + self.uniform(-30, 30), 5), 250)

    def shade(self) -> float:
        """A random shade of a thing, 0 to 255: dark, like skin, or any other."""
        choice = self.random.random()
        if choice < 0.35:
            return self.uniform(0, 60)
        if choice < 0.5:
            return self.skin_shade()
        return self.uniform(60, 255)

    def _place(self, points):
        return np.rint(np.asarray(points, float) @ self._matrix + self._shift).astype(np.int32)

    def _blend(self, box, mask, paint, opacity):
        if not mask.size:
            return
        image, touched = self._image[box], self._touched[box]
        if np.ndim(paint) == 0:
            paint = np.full(image.shape, min(max(int(paint), 0), 255), np.uint8)
        else:
            paint = paint[box]
        if opacity < 1:
            paint = cv2.addWeighted(paint, opacity, image, 1 - opacity, 0)
        cv2.copyTo(paint, mask, image)
        cv2.max(touched, mask, touched)
