"""The kinds of occlusion, the databases made by them, and what each leaves visible."""

from fer_tf.faces.face import FACE_SIZE

OCCLUSIONS = ("upper", "lower", "eyes")
"""Kinds of occlusion."""

RECOGNISED = ("none", *OCCLUSIONS)
"""What OcclusionNet tells apart, in the order of its logits."""

DATABASES = {"concat_db": "upper", "bconcat_db": "lower", "eye_cdb": "eyes"}
"""Database -> its kind of occlusion: the paper's ConcatDB, BConcatDB and eyeCDB."""

ANY_OCCLUSION = "any_occlusion"
"""Name of a model that recognises the occlusion and asks the networks of that database."""

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
    """First row that is left uncovered and the row after the last, 0 to 48.

    Args:
        kind: one of `OCCLUSIONS`, "none", or "mixed", which is any of these.
    """
    return _VISIBLE_ROWS[kind]
