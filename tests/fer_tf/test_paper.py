from fer_tf.expressions import EXPRESSIONS
from fer_tf.paper import TABLE_1, differences


def test_sums_of_the_paper():
    assert {source: sum(row) for source, row in TABLE_1.items()} == {
        "fer2013": 35887,
        "jaffe": 213,
        "kdef": 980,
        "raf_db": 15339,
    }
    columns = dict(zip(EXPRESSIONS, map(sum, zip(*TABLE_1.values(), strict=True)), strict=True))
    assert columns == {
        "Happiness": 15117,
        "Normal": 9572,
        "Sadness": 8708,
        "Anger": 5990,
        "Fear": 5648,
        "Disgust": 1593,
        "Surprise": 5791,
    }


def test_nothing_to_say_where_all_agree():
    assert differences(TABLE_1) == []
    assert differences({"kdef": [140] * 7}) == []


def test_each_source_and_label_that_differs_is_named():
    counts = {source: list(row) for source, row in TABLE_1.items()}
    counts["fer2013"][0] = 8110
    counts["kdef"][5] = 139
    counts["kdef"][6] = 141
    fer2013, kdef = differences(counts)
    assert "fer2013" in fer2013 and "Happiness 8,110 instead of 8,989" in fer2013
    assert "Normal" not in fer2013
    assert "kdef" in kdef
    assert "Disgust 139 instead of 140" in kdef and "Surprise 141 instead of 140" in kdef


def test_drawn_faces_have_no_row():
    assert differences({"drawn": [1] * 7}) == []
