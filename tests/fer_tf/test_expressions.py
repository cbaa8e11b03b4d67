from fer_tf.expressions import EXPRESSIONS, MULTI_NETWORK, TASKS, labels_of


def test_labels_are_those_of_the_paper():
    assert EXPRESSIONS == (
        "Happiness",
        "Normal",
        "Sadness",
        "Anger",
        "Fear",
        "Disgust",
        "Surprise",
    )


def test_paths_are_those_of_the_paper():
    assert [labels_of(path) for path in "ABC"] == [(0, 1, 2), (3, 4), (5, 6)]


def test_each_task_maps_labels_to_its_classes():
    assert TASKS["begin"].class_of == (0, 0, 0, 1, 1, 2, 2)
    assert TASKS["subnet_x"].class_of == (0, 1, 2, -1, -1, -1, -1)
    assert TASKS["subnet_y"].class_of == (-1, -1, -1, 0, 1, -1, -1)
    assert TASKS["subnet_z"].class_of == (-1, -1, -1, -1, -1, 0, 1)
    assert TASKS["flat"].class_of == (0, 1, 2, 3, 4, 5, 6)
    assert TASKS["subnet_z"].classes == ("Disgust", "Surprise")
    assert [len(TASKS[network].classes) for network in MULTI_NETWORK] == [3, 3, 2, 2]
