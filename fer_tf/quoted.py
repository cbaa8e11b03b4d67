"""Results that the paper reports, to stand beside ours: quoted, not run here.

The paper's databases hold all four sources and its networks see 224 x 224 pixels; see Table 4 for
what its competitors were trained on. Percentages.
"""

MODELS = {
    "path selection": "ours: path selection",
    "joint probability": "ours: joint probability",
    "flat": "flat",
    "flat, no attention": "flat, no attention",
    "flat, trained longer": "flat, trained longer",
}
"""Ways to combine of `fer_tf.integration` -> their names in Table 4, where ours are measured."""

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
without occlusion. The text of section 4 says 59.6 where the table says 59.8. Always answering
Happiness scores 28.8 on the merged database, which is where ResNeXt-50 stands.
"""
