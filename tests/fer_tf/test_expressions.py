import pytest

from fer_tf.expressions import (
    EXPRESSIONS,
    MULTI_NETWORK,
    PATHS,
    TASKS,
    find_label,
    labels_of,
    tasks_of,
)


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


def test_names_of_other_databases_are_mapped():
    mirror = ("happy", "neutral", "sad", "angry", "fear", "disgust", "surprise")  # FER2013's.
    assert [find_label(name) for name in mirror] == list(range(7))
    assert [find_label(name.upper()) for name in EXPRESSIONS] == list(range(7))
    assert [find_label(name) for name in ("3_Angry", "fearful ", "Surprised (2)")] == [3, 4, 6]
    assert [find_label(name) for name in ("contempt", "3", "", "happy and sad")] == [None] * 4


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


def test_another_partition_makes_other_tasks():
    tasks = tasks_of(
        {
            "A": ("Happiness", "Surprise"),
            "B": ("Normal", "Sadness", "Anger"),
            "C": ("Fear", "Disgust"),
        }
    )
    assert list(tasks) == list(TASKS)
    assert tasks["begin"].class_of == (0, 1, 1, 1, 2, 2, 0)
    assert tasks["subnet_x"].class_of == (0, -1, -1, -1, -1, -1, 1)
    assert tasks["flat"] == TASKS["flat"]


def test_a_partition_holds_each_expression_once():
    with pytest.raises(ValueError, match="exactly once"):
        tasks_of(PATHS | {"C": ("Surprise",)})
