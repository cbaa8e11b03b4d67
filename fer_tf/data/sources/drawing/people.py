"""The persons whom drawn faces show, and the movements of their faces."""

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np

from fer_tf.data.sources.drawing.canvas import Colour
from fer_tf.expressions import EXPRESSIONS


@dataclass(frozen=True)
class Person:
    """Everything that is the same in every picture of one person.

    Lengths are factors about 1.

    Attributes:
        hair_style: "long", "fringe", "parted", "short", "curly" or "bald".
        hairline: its height above the eyes, in face units.
        hair_volume: 0 (flat) to 1.
        beard: "none", "stubble", "full" or "moustache".
        glasses: "none", "clear" or "dark".
        eye_tilt: about 0, higher where the outer corners of the eyes lie higher.
        lip_colour: 0 (skin) to 1 (lipstick).
        age: 0 (smooth skin) to 1 (wrinkles).
    """

    skin: Colour
    hair: Colour
    iris: Colour
    cloth: Colour
    hair_style: str
    hairline: float
    hair_volume: float
    beard: str
    glasses: str
    face_width: float
    face_length: float
    jaw: float
    eye_width: float
    eye_tilt: float
    brow_weight: float
    brow_height: float
    nose_length: float
    nose_width: float
    mouth_width: float
    lips: float
    lip_colour: float
    age: float


@dataclass(frozen=True)
class Movements:
    """Movements of a face, each about -1 to 1, 0 at rest.

    Attributes:
        brow_inner: inner ends of the brows up.
        brow_outer: outer ends of the brows up.
        squeeze: brows drawn together.
        lids: upper lids raised (eyes wide); negative: drooping.
        cheeks: cheeks and lower lids raised.
        nose: nose wrinkled.
        upper_lip: upper lip raised, teeth show.
        corners: corners of the mouth up.
        stretch: mouth wider; negative: rounder.
        open: jaw dropped.
        lower_lip: lower lip pulled down; negative: pushed up.
        press: lips pressed to a line.
        lopsided: brows and corners move more on one side.
    """

    brow_inner: float = 0.0
    brow_outer: float = 0.0
    squeeze: float = 0.0
    lids: float = 0.0
    cheeks: float = 0.0
    nose: float = 0.0
    upper_lip: float = 0.0
    corners: float = 0.0
    stretch: float = 0.0
    open: float = 0.0
    lower_lip: float = 0.0
    press: float = 0.0
    lopsided: float = 0.0


# Variants of each expression, after the action units of Ekman and Friesen's Facial Action Coding
# System.
VARIANTS = {
    "Happiness": (
        Movements(cheeks=0.7, corners=0.9, stretch=0.6, open=0.3, upper_lip=0.35, lids=-0.1),
        Movements(cheeks=0.6, corners=0.8, stretch=0.45, press=0.2),
        Movements(cheeks=0.9, corners=1.0, stretch=0.6, open=0.65, upper_lip=0.4, brow_outer=0.2),
    ),
    "Normal": (Movements(), Movements(open=0.08), Movements(press=0.2)),
    "Sadness": (
        Movements(brow_inner=0.8, brow_outer=-0.45, squeeze=0.3, lids=-0.5, corners=-0.8),
        Movements(brow_inner=0.7, brow_outer=-0.4, lids=-0.6, corners=-0.6, lower_lip=-0.5),
        Movements(brow_inner=0.7, brow_outer=-0.5, squeeze=0.5, cheeks=0.5, corners=-0.9, open=0.2),
    ),
    "Anger": (
        Movements(brow_inner=-0.9, brow_outer=0.0, squeeze=0.9, lids=0.2, press=0.9, corners=-0.3),
        Movements(
            brow_inner=-0.9,
            squeeze=0.9,
            lids=0.3,
            open=0.35,
            upper_lip=0.5,
            corners=-0.5,
            lower_lip=0.6,
            stretch=0.2,
        ),
        Movements(brow_inner=-0.8, squeeze=0.8, cheeks=0.3, press=0.6, corners=-0.5, stretch=-0.2),
    ),
    "Fear": (
        Movements(
            brow_inner=0.8,
            brow_outer=0.2,
            squeeze=0.6,
            lids=0.8,
            open=0.3,
            stretch=0.7,
            corners=-0.4,
            lower_lip=0.6,
        ),
        Movements(brow_inner=0.8, brow_outer=0.3, squeeze=0.6, lids=0.9, open=0.6, stretch=0.3),
        Movements(brow_inner=0.7, squeeze=0.6, lids=0.7, stretch=0.7, corners=-0.5, lower_lip=0.4),
    ),
    "Disgust": (
        Movements(
            brow_inner=-0.5,
            brow_outer=-0.3,
            squeeze=0.4,
            lids=-0.35,
            cheeks=0.6,
            nose=1.0,
            upper_lip=0.9,
            corners=-0.5,
        ),
        Movements(
            brow_inner=-0.5,
            brow_outer=-0.3,
            squeeze=0.4,
            lids=-0.3,
            cheeks=0.6,
            nose=0.9,
            upper_lip=0.9,
            corners=-0.4,
            open=0.3,
            lower_lip=0.3,
        ),
    ),
    "Surprise": (
        Movements(brow_inner=0.9, brow_outer=0.95, lids=0.8, open=0.85, stretch=-0.4),
        Movements(brow_inner=0.8, brow_outer=0.9, lids=0.8, open=0.4, stretch=-0.3),
        Movements(brow_inner=0.9, brow_outer=0.9, lids=0.9, open=0.6, stretch=-0.1),
    ),
}

# Blue, green, red; skins from light to dark.
SKINS = ((190, 205, 235), (165, 190, 228), (140, 170, 215), (105, 145, 195), (80, 110, 160),
         (55, 80, 120))  # fmt: skip
HAIRS = ((20, 18, 18), (25, 30, 42), (35, 50, 75), (70, 105, 140), (110, 160, 190),
         (45, 70, 130), (150, 150, 150))  # fmt: skip
IRISES = ((40, 60, 85), (30, 45, 70), (110, 95, 70), (80, 105, 85))


@lru_cache(maxsize=1024)
def make_person(subject: int) -> Person:
    """Make the person of a number, 0 or more; equal numbers give equal persons."""
    rng = np.random.default_rng([0, subject])
    woman = rng.random() < 0.5
    shade = rng.beta(1.2, 1.6) * (len(SKINS) - 1)
    skin = np.array(SKINS[int(shade)]) * rng.uniform(0.92, 1.05)
    hairs = HAIRS[:3] if shade > 2.5 else HAIRS
    hair = np.array(hairs[rng.integers(len(hairs))]) * rng.uniform(0.8, 1.1)
    styles = ("long", "long", "fringe", "parted", "short", "curly")
    if not woman:
        styles = ("short", "short", "parted", "bald", "curly", "fringe")
    beards = ("none", "none", "none", "stubble", "full", "moustache")
    return Person(
        skin=_colour(skin),
        hair=_colour(hair),
        iris=IRISES[rng.integers(len(IRISES))],
        cloth=_colour(rng.uniform(20, 220, 3)),
        hair_style=styles[rng.integers(len(styles))],
        hairline=rng.uniform(0.72, 1.05),
        hair_volume=rng.uniform(0, 1),
        beard="none" if woman else beards[rng.integers(len(beards))],
        glasses=str(rng.choice(["none", "clear", "dark"], p=[0.85, 0.12, 0.03])),
        face_width=rng.normal(1, 0.05),
        face_length=rng.normal(1, 0.05),
        jaw=rng.normal(0.97 if woman else 1.05, 0.05),
        eye_width=rng.normal(1, 0.06),
        eye_tilt=rng.normal(0.3, 0.8),
        brow_weight=rng.normal(0.85 if woman else 1.25, 0.2),
        brow_height=rng.normal(1.0 if woman else 0.92, 0.08),
        nose_length=rng.normal(1, 0.07),
        nose_width=rng.normal(1, 0.1),
        mouth_width=rng.normal(1, 0.08),
        lips=rng.normal(1.1 if woman else 0.9, 0.18),
        lip_colour=rng.uniform(0.3, 0.8) if woman else rng.uniform(0, 0.3),
        age=rng.uniform(0, 1),
    )


def choose_movements(expression: int, rng: np.random.Generator) -> Movements:
    """Choose a variant of an expression and its strength, and add small random movements."""
    variants = VARIANTS[EXPRESSIONS[expression]]
    variant = variants[rng.integers(len(variants))]
    strength = 0.35 + 0.75 * rng.beta(2.2, 1.6)
    values = {
        field.name: strength * getattr(variant, field.name) + rng.normal(0, 0.1)
        for field in fields(Movements)
    }
    return Movements(**values)


def _colour(values: np.ndarray) -> tuple[int, int, int]:
    return tuple(int(value) for value in np.clip(values, 0, 255))
