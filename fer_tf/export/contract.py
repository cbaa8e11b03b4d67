"""Names of signatures, limits and export options: what every reader of a SavedModel relies on."""

from dataclasses import dataclass
from pathlib import Path

ATTENTION = "attention"
"""Name of the signature that returns attention maps."""

ROUTED, ALL_PATHS = "routed", "all_paths"

FORMS = (ROUTED, ALL_PATHS, ATTENTION)
"""The forms in which the networks are combined; `ALL_PATHS` is also a signature's name."""

LITERT_NETWORKS = Path("assets.extra") / "networks.tflite"
"""The file of a version's networks for LiteRT, which a server ignores."""

MOST_FACES = 1024
"""Largest number of faces in a request, whose memory grows with it."""


@dataclass(frozen=True)
class ExportOptions:
    """How networks are exported.

    Attributes:
        precision: "float32" or "bfloat16", see `fer_tf.models.folding.fold`.
        weights: "float32" or "float16", half the size on disk, see `fer_tf.models.folding.fold`.
        mirrored: whether predictions are averaged with those of the mirror image, see
            `PathSelection`.
    """

    precision: str = "float32"
    weights: str = "float32"
    mirrored: bool = False


USUAL_OPTIONS = ExportOptions()
