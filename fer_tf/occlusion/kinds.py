"""The kinds of occlusion, their databases, and the rows that each kind leaves visible."""

from fer_tf.faces.face import FACE_SIZE

OCCLUSIONS = ("upper", "lower", "eyes")
"""Kinds of occlusion."""

RECOGNISED = ("none", *OCCLUSIONS)
"""The classes of OcclusionNet, in the order of its logits."""

DATABASES = {"concat_db": "upper", "bconcat_db": "lower", "eye_cdb": "eyes"}
"""Database -> kind of occlusion, for the paper's ConcatDB, BConcatDB and eyeCDB."""

ANY_OCCLUSION = "any_occlusion"
"""Name of a model that recognises the occlusion and runs the networks of that database."""

_HALF = FACE_SIZE // 2
_ALL = (0, FACE_SIZE)
_VISIBLE_ROWS = {
    "upper": (_HALF, FACE_SIZE),
    "lower": (0, _HALF),
    "eyes": _ALL,
    "none": _ALL,
    "mixed": _ALL,
}


def visible_rows(kind: str) -> tuple[int, int]:
    """The first visible row and the row after the last one, 0 to 48.

    Args:
        kind: one of `OCCLUSIONS`, "none", or "mixed": any of these.
    """
    return _VISIBLE_ROWS[kind]
