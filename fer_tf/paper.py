"""Results of the paper, in percent, quoted for comparison with ours.

The paper's databases contain all four sources and its networks take 224 x 224 pixels; see Table 4
for the training data of its competitors.
"""

from collections.abc import Mapping, Sequence

from fer_tf.expressions import EXPRESSIONS

MODELS = {
    "path selection": "ours: path selection",
    "joint probability": "ours: joint probability",
    "flat": "flat",
    "flat, no attention": "flat, no attention",
    "flat, trained longer": "flat, trained longer",
}
"""Ensemble method of `fer_tf.evaluation.ensembles` -> its name in our version of Table 4."""

TABLE_2 = {"resnet18": 63, "resnet101": 73, "resnet152": 75, "wide_resnet101_2": 64}
"""Network -> accuracy on the three paths of ConcatDB, validation split."""

RESNET18_SEVEN_CLASSES = 19
"""ResNet-18 on the seven expressions of ConcatDB, test split (section 4)."""

TABLE_3 = {
    "begin": {"concat_db": 76.7, "bconcat_db": 77.3, "eye_cdb": 78.4},
    "subnet_x": {"concat_db": 77.1, "bconcat_db": 76.6, "eye_cdb": 79.9},
    "subnet_y": {"concat_db": 74.2, "bconcat_db": 73.1, "eye_cdb": 73.1},
    "subnet_z": {"concat_db": 89.7, "bconcat_db": 88.2, "eye_cdb": 92.3},
}
"""Network -> database -> accuracy on the test split."""

TABLE_4 = {
    "Ours": {"concat_db": 59.8, "bconcat_db": 60.6, "eye_cdb": 63.7},
    "ResNeXt-50": {"concat_db": 27.0, "bconcat_db": 30.2, "eye_cdb": 30.4},
    "SCAN-CCI": {"concat_db": 55.6, "bconcat_db": 55.8, "eye_cdb": 74.2},
    "OADN": {"concat_db": 51.7, "bconcat_db": 59.6, "eye_cdb": 60.7},
    "gACNN": {"concat_db": 50.8, "bconcat_db": 51.2, "eye_cdb": 56.2},
}
"""Model -> database -> accuracy on the test split.

ResNeXt-50 and SCAN-CCI (Gera and Balasubramanian 2021) were trained on the three databases, the
latter from weights of VGGFace2; OADN (Ding et al. 2020) and gACNN (Li et al. 2018) on FERPlus
without occlusion. The text of section 4 has 59.6 where the table has 59.8. The majority class,
Happiness, is 28.8 % of the merged database, about the accuracy of ResNeXt-50.
"""

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
        counts: source -> numbers of images in label order; a source that is not in Table 1 is
            ignored.

    Returns:
        For each source that differs a sentence that names the expressions; empty where all agree.
    """
    sentences = []
    for source, built in counts.items():
        rows = zip(EXPRESSIONS, built, TABLE_1.get(source, built), strict=True)
        parts = [
            f"{name} {count:,} instead of {quoted:,}"
            for name, count, quoted in rows
            if count != quoted
        ]
        if parts:
            sentences.append(f"{source} differs from the paper's Table 1: {', '.join(parts)}.")
    return sentences
