import keras
import numpy as np
import pytest

from fer_tf.checkpoint import BEST
from fer_tf.errors import InputError
from fer_tf.evaluation import _scores, evaluate, table
from fer_tf.expressions import EXPRESSIONS, MULTI_NETWORK
from fer_tf.input_pipeline import Database, Split
from fer_tf.runs import RUN_FILE, write_json


class FixedDatabase(Database):
    """Six images whose first pixel is their number, and their labels."""

    def read(self, split):
        images = np.zeros((6, 48, 48, 1), np.uint8)
        images[:, 0, 0, 0] = range(6)
        return Split(images, np.array([0, 1, 2, 3, 5, 6], np.int32), list("abcdef"))

    def fingerprint(self):
        return "as trained"


DATABASE = FixedDatabase("concat_db", "fixed", None)


def lookup_network(answers, classes):
    """A network that answers image i with class answers[i]."""
    images = keras.Input((48, 48, 1), dtype="uint8")
    number = keras.layers.Reshape((48 * 48,))(keras.layers.Rescaling(1.0)(images))
    number = keras.ops.cast(number[:, 0], "int32")
    table = keras.layers.Embedding(len(answers), classes)
    network = keras.Model(images, table(number))
    table.set_weights([10 * np.eye(classes)[answers]])
    return network


@pytest.fixture
def folders(tmp_path):
    networks = {
        "begin": lookup_network([0, 0, 1, 1, 2, 2], 3),  # Image 2 goes wrong.
        "subnet_x": lookup_network([0, 0, 2, 0, 0, 0], 3),  # Image 1 is wrong.
        "subnet_y": lookup_network([0, 0, 0, 0, 0, 0], 2),
        "subnet_z": lookup_network([0, 0, 0, 0, 0, 1], 2),
    }
    folders = {}
    for name, network in networks.items():
        folders[name] = tmp_path / name
        folders[name].mkdir()
        network.save(folders[name] / BEST)
        run = {"data_fingerprint": "as trained", "recipe": {"name": "fixed"}}
        write_json(folders[name] / RUN_FILE, run)
    return folders


def test_numbers_of_known_answers(folders):
    numbers = evaluate(DATABASE, folders)
    rows = {row["name"]: row for row in numbers["results"]}
    assert list(rows) == ["BeginNet", "SubnetX", "SubnetY", "SubnetZ", "combined"]
    assert [row["images"] for row in rows.values()] == [6, 3, 1, 2, 6]
    assert rows["BeginNet"]["accuracy"] == pytest.approx(5 / 6)
    assert rows["BeginNet"]["floor"] == pytest.approx(3 / 6)
    assert rows["BeginNet"]["balanced_accuracy"] == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert rows["SubnetX"]["accuracy"] == pytest.approx(2 / 3)
    combined = rows["combined"]
    assert combined["accuracy"] == pytest.approx(4 / 6)
    assert combined["path_right"] == pytest.approx(5 / 6)
    assert combined["right_given_path"] == pytest.approx(4 / 5)
    matrix = np.array(combined["confusion_matrix"])
    assert matrix.sum() == 6 and np.trace(matrix) == 4
    assert matrix[EXPRESSIONS.index("Normal"), EXPRESSIONS.index("Happiness")] == 1
    assert matrix[EXPRESSIONS.index("Sadness"), EXPRESSIONS.index("Anger")] == 1
    assert numbers["database"] == "concat_db/fixed" and numbers["recipe"] == "fixed"


def test_the_table_has_a_row_for_each_network(folders):
    assert table(evaluate(DATABASE, folders)).row_count == len(MULTI_NETWORK) + 1


def test_runs_on_other_faces_are_refused(folders):
    run = {"data_fingerprint": "other", "recipe": {"name": "fixed"}}
    write_json(folders["subnet_y"] / RUN_FILE, run)
    with pytest.raises(InputError, match="subnet_y.*other faces than concat_db/fixed"):
        evaluate(DATABASE, folders)


def test_intervals_are_those_of_the_binomial():
    truth = np.zeros(1000, int)
    truth[:500] = 1
    predicted = np.where(np.arange(1000) % 10 < 6, truth, 1 - truth)
    scores = _scores("x", truth, predicted)
    low, high = scores["accuracy_95"]
    assert scores["accuracy"] == 0.6
    # 1.96 * sqrt(0.6 * 0.4 / 1000) = 0.030
    assert (low, high) == (pytest.approx(0.570, abs=0.004), pytest.approx(0.630, abs=0.004))


def test_guessing_one_class_has_the_balanced_accuracy_of_chance():
    scores = _scores("x", np.array([0] * 9 + [1]), np.zeros(10, int))
    assert scores["accuracy"] == scores["floor"] == 0.9
    assert scores["balanced_accuracy"] == scores["chance"] == 0.5
