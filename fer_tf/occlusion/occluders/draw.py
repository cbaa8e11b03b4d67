"""Occluders drawn into faces, from which OcclusionNet learns to recognise occlusions."""

from collections.abc import Callable

import cv2
import numpy as np

from fer_tf.faces.face import FACE_SIZE
from fer_tf.occlusion.eyes import USUAL_EYES
from fer_tf.occlusion.occlude import occlude
from fer_tf.occlusion.occluders import decoys, shapes
from fer_tf.occlusion.occluders.canvas import Canvas

BLACK = ("black", "usual eyes black")
"""The occluders that change a face as the databases of the paper do."""


def draw_occluder(
    face: np.ndarray,
    boxes: np.ndarray,
    kind: str,
    random: np.random.Generator,
    name: str | None = None,
) -> np.ndarray:
    """Cover a face in one of many ways, or leave it uncovered.

    Whatever the kind, the light or the sharpness of the picture may also change at random.

    Args:
        face: uint8 [48, 48], uncovered.
        boxes: int [2, 4] of `fer_tf.occlusion.eyes.find_eyes`.
        kind: one of `fer_tf.occlusion.kinds.RECOGNISED`; "none" includes decoys, e.g. clear
            glasses.
        random: decides what is drawn and how.
        name: the occluder, a key of `OCCLUDERS[kind]`; chosen by `random` when None.

    Returns:
        A new picture, uint8 [48, 48].
    """
    if name is None:
        name = list(OCCLUDERS[kind])[np.searchsorted(_SHARES[kind], random.random())]
    _, draw = OCCLUDERS[kind][name]
    variation = random.random()
    if variation < 0.25:
        face = _photographed(face, random)
    picture = draw(face, boxes, random)
    if variation > 0.75 and name not in BLACK:
        picture = _photographed(picture, random)
    return picture


def _photographed(picture, random):
    """Change the light, blur, add noise, or draw bars at the borders."""
    gain, offset = random.uniform(0.5, 1.3), random.uniform(-15, 25)
    values = picture.astype(np.float32) * np.float32(gain) + np.float32(offset)
    if random.random() < 0.5:
        values = cv2.GaussianBlur(values, (0, 0), random.uniform(0.3, 1.0))
    if random.random() < 0.4:
        noise = random.standard_normal(values.shape, np.float32)
        values += np.float32(random.uniform(1, 8)) * noise
    values = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    if random.random() < 0.15:
        _bars(values, random)
    return values


def _bars(picture, random):
    """Draw bars of one shade at one border or at two opposite ones."""
    shade = random.choice([0, 0, 255, random.integers(0, 256)])
    rows = picture if random.random() < 0.6 else picture.T
    first, last = random.integers(0, 7, 2)
    rows[:first] = shade
    rows[len(rows) - last :] = shade


def _black(kind):
    return lambda face, boxes, random: occlude(face, kind, boxes)


def _usual_eyes_black(face, boxes, random):
    return occlude(face, "eyes", np.array(USUAL_EYES))


def _flat(kind):
    """Cover about the part that `occlude` blackens in another shade or material."""

    def draw(face, boxes, random):
        area = np.full((FACE_SIZE, FACE_SIZE), 255, np.uint8)
        if kind == "eyes":
            size = random.integers(-1, 2, 2)
            usual = np.array(USUAL_EYES) if random.random() < 0.3 else boxes
            moved = usual + [*random.integers(-1, 2, 2), 0, 0]
            moved[:, 2:] += size
            area = occlude(area, kind, np.maximum(moved, 0))
        else:
            border = 2 * random.integers(-2, 3) if random.random() < 0.6 else 0
            area = np.roll(occlude(area, kind), border, axis=0) if border else occlude(area, kind)
            area[:4], area[-4:] = area[4], area[-5]  # The roll brings rows of the opposite edge in.
        canvas = Canvas(face, np.array([(15.0, 18), (32, 18)]), random)
        shade = canvas.shade()
        if random.random() < 0.5:
            return np.where(area == 0, np.uint8(shade), face)
        small = cv2.resize(canvas.texture(shade), face.shape, interpolation=cv2.INTER_AREA)
        return np.where(area == 0, small, face)

    return draw


def _drawn(*things: Callable[[Canvas], None]):
    def draw(face, boxes, random):
        eyes = boxes[:, :2] + (boxes[:, 2:] - 1) / 2
        eyes = eyes + random.normal(0, 0.6, 2) + random.normal(0, 0.4, (2, 2))
        canvas = Canvas(face, eyes, random)
        for thing in things:
            thing(canvas)
        return canvas.result()

    return draw


def _barred(face, boxes, random):
    picture = face.copy()
    _bars(picture, random)
    return picture


OCCLUDERS = {
    "none": {
        "nothing": (8, lambda face, boxes, random: face.copy()),
        "clear glasses": (3, _drawn(decoys.clear_glasses)),
        "hand aside": (1.5, _drawn(decoys.hand_aside)),
        "hair": (1, _drawn(decoys.hair)),
        "hat": (1.5, _drawn(decoys.hat)),
        "hat and clear glasses": (0.5, _drawn(decoys.clear_glasses, decoys.hat)),
        "hood": (0.7, _drawn(decoys.hood)),
        "spot": (0.5, _drawn(decoys.spot)),
        "microphone": (0.7, _drawn(decoys.microphone)),
        "beard": (1, _drawn(decoys.beard)),
        "caption": (0.4, _drawn(decoys.caption)),
        "dark lids": (0.5, _drawn(decoys.shut_eyes)),
        "bars": (1, _barred),
    },
    "upper": {
        "black": (3, _black("upper")),
        "flat": (2, _flat("upper")),
        "headset": (6, _drawn(shapes.headset)),
        "goggles": (3, _drawn(shapes.goggles)),
        "pulled down": (1.5, _drawn(shapes.pulled_down)),
        "blindfold": (1.5, _drawn(shapes.blindfold)),
        "hand": (2, _drawn(shapes.hand_on_brow)),
        "card": (1, _drawn(shapes.card)),
    },
    "lower": {
        "black": (3, _black("lower")),
        "flat": (2, _flat("lower")),
        "surgical mask": (5, _drawn(shapes.surgical_mask)),
        "mask and clear glasses": (1, _drawn(shapes.surgical_mask, decoys.clear_glasses)),
        "respirator": (2.5, _drawn(shapes.respirator)),
        "scarf": (2.5, _drawn(shapes.scarf)),
        "scarf and hat": (0.7, _drawn(shapes.scarf, decoys.hat)),
        "hand": (2.5, _drawn(shapes.hand_on_mouth)),
        "cup": (1.5, _drawn(shapes.cup)),
    },
    "eyes": {
        "black": (2.5, _black("eyes")),
        "usual eyes black": (0.7, _usual_eyes_black),
        "flat": (2, _flat("eyes")),
        "sunglasses": (7, _drawn(shapes.sunglasses)),
        "sunglasses and hat": (1, _drawn(shapes.sunglasses, decoys.hat)),
        "strip": (2, _drawn(shapes.strip)),
        "patches": (2, _drawn(shapes.patches)),
        "hands": (2, _drawn(shapes.hands_on_eyes)),
    },
}
"""Kind -> name of an occluder -> its relative frequency and the function that draws it."""


def _cumulative(occluders):
    shares = np.cumsum([share for share, _ in occluders.values()])
    return shares[:-1] / shares[-1]


_SHARES = {kind: _cumulative(occluders) for kind, occluders in OCCLUDERS.items()}
