"""What every reader of a SavedModel relies on: names of signatures, limits, export options."""

from dataclasses import dataclass
from pathlib import Path

ATTENTION = "attention"
"""Name of the signature that tells what the networks look at."""

ROUTED, ALL_PATHS = "routed", "all_paths"

FORMS = (ROUTED, ALL_PATHS, ATTENTION)
"""The forms in which the same networks are combined; `ALL_PATHS` is also a signature's name."""

LITERT_NETWORKS = Path("assets.extra") / "networks.tflite"
"""The networks of a version for LiteRT; a server ignores the file."""

MOST_FACES = 1024
"""Faces in a request. More are refused before they are decoded: memory grows with their number."""


@dataclass(frozen=True)
class ExportOptions:
    """How networks are served.

    Attributes:
        precision: "float32", or "bfloat16" of the convolutions; see `fer_tf.models.folding.fold`.
        weights: "float32", or "float16" for half the size on disk; see
            `fer_tf.models.folding.fold`.
        mirrored: whether the networks also answer for the mirror image, see `PathSelection`.
    """

    precision: str = "float32"
    weights: str = "float32"
    mirrored: bool = False


USUAL_OPTIONS = ExportOptions()
