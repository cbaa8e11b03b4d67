"""Pictures to try a model on: a photograph of a person, and the same with a part covered."""

from pathlib import Path

import cv2
import numpy as np

from fer_tf.data.sources.drawn import draw_portrait
from fer_tf.errors import UserError
from fer_tf.faces.detector import detect_faces
from fer_tf.faces.face import FACE_SIZE, crop_square, read_picture
from fer_tf.faces.preprocessing import to_face
from fer_tf.occlusion.eye_regressor import load_prior
from fer_tf.occlusion.occluders.photo import OCCLUDERS

COVERED = {"mask": "white", "headset": "black", "sunglasses": "black"}
"""Object that is drawn over the face -> its shade."""


def example_pictures() -> dict[str, np.ndarray]:
    """The portrait of Grace Hopper that comes with Matplotlib, uncovered and covered.

    James S. Davis took it in 1984 for the United States Navy; it is in the public domain.

    Returns:
        "portrait", and "portrait with ..." for each of `COVERED`: uint8 [600, 512, 3], BGR.
    """
    import matplotlib.cbook

    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    portrait = read_picture(path)
    pictures = {"portrait": portrait}
    for occluder, shade in COVERED.items():
        pictures[f"portrait with {occluder}"] = cover(portrait, occluder, shade)
    return pictures


def drawn_examples() -> dict[str, np.ndarray]:
    """Drawn portraits, one uncovered and one with a mask: uint8 [256, 256, 3], BGR."""
    surprised, happy = draw_portrait(17, 6, 0), draw_portrait(14, 0, 0)
    return {"drawn face": surprised, "drawn face with mask": cover(happy, "mask", "blue")}


def cover(image: np.ndarray, occluder: str, shade: str) -> np.ndarray:
    """Draw an object over the largest face of a picture.

    Args:
        image: uint8 [H, W, 3], BGR; is not changed.
        occluder: a key of `fer_tf.occlusion.occluders.photo.OCCLUDERS`.
        shade: one of its shades.

    Returns:
        uint8 [H, W, 3], BGR.

    Raises:
        UserError: if no face is found.
    """
    faces = detect_faces(image)
    if not faces:
        raise UserError("No face is found in the picture, so nothing can be drawn over it.")
    face, covered = faces[0], image.copy()
    eyes, _ = load_prior().estimate(to_face(crop_square(image, face)))
    draw, shades = OCCLUDERS[occluder]
    draw(covered, (eyes + 0.5) * face.side / FACE_SIZE + face[:2], shades[shade])
    return covered


def write_examples(folder: Path) -> list[Path]:
    """Write `example_pictures` as PNG files into a folder, which is created where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, picture in example_pictures().items():
        paths.append(folder / f"{name.replace(' ', '_')}.png")
        cv2.imwrite(str(paths[-1]), picture)
    return paths
