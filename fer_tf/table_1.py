"""The paper's Table 1: how many images of each expression each source has."""

from collections.abc import Mapping, Sequence

from fer_tf.expressions import EXPRESSIONS

TABLE_1 = {
    "fer2013": (8989, 6198, 6077, 4953, 5121, 547, 4002),
    "jaffe": (31, 30, 31, 30, 32, 29, 30),
    "kdef": (140, 140, 140, 140, 140, 140, 140),
    "raf_db": (5957, 3204, 2460, 867, 355, 877, 1619),
}
"""Source -> number of images of each expression, in label order; 52,419 together."""


def differences(counts: Mapping[str, Sequence[int]]) -> list[str]:
    """Compare counts with Table 1.

    Args:
        counts: source -> numbers of images in label order; a source that Table 1 does not have
            is passed over.

    Returns:
        For each source that differs a sentence that names every expression that does; empty
        where all agree.
    """
    sentences = []
    for source, found in counts.items():
        expected = TABLE_1.get(source, found)
        rows = zip(EXPRESSIONS, found, expected, strict=True)
        parts = [
            f"{name} {have:,} instead of {want:,}" for name, have, want in rows if have != want
        ]
        if parts:
            sentences.append(f"{source} differs from the paper's Table 1: {', '.join(parts)}.")
    return sentences
