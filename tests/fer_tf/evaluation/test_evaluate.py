import csv
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from fer_tf.data.database import Database
from fer_tf.data.tfrecords import Split
from fer_tf.errors import UserError
from fer_tf.evaluation import evaluate as module
from fer_tf.evaluation import run_set as trained_runs
from fer_tf.evaluation.ensembles import FLAT_LONGER, FLAT_NO_ATTENTION, TWO_FLAT
from fer_tf.evaluation.evaluate import COMBINED, evaluate
from fer_tf.evaluation.metrics import Bootstrap
from fer_tf.evaluation.report import methods_table, networks_table, sentences, write_evaluation
from fer_tf.evaluation.run_set import find_runs
from fer_tf.expressions import EXPRESSIONS, MULTI_NETWORK
from fer_tf.files import write_json
from fer_tf.provenance import Provenance
from fer_tf.records.evaluation import EVALUATION, TrainingSummary, read_evaluation
from fer_tf.records.run import RUN_FILE, RecipeRecord
from fer_tf.training.network import build_network
from fer_tf.training.run_folder import BEST
from tests.networks import TINY_RECIPE
from tests.records import put_run

FIXED = RecipeRecord(name="fixed")
PROVENANCE = Provenance(command="", commit="abc", machine="", packages={}, date="")
SUBJECTS = ["drawn/1", "drawn/1", "drawn/2", "", "", ""]


class FixedDatabase(Database):
    """Six images whose first pixel is their number, and their labels."""

    folder = None

    def read(self, split):
        images = np.zeros((6, 48, 48, 1), np.uint8)
        images[:, 0, 0, 0] = range(6)
        images[:, 1:] = np.random.default_rng(0).integers(0, 256, (6, 47, 48, 1))
        ids = ["drawn/a", "drawn/b", "drawn/c", "raf_db/d", "raf_db/e", "raf_db/f"]
        return Split(images, np.array([0, 1, 2, 3, 5, 6], np.int32), ids, SUBJECTS)

    def fingerprint(self):
        return "as trained"


DATABASE = FixedDatabase("concat_db", "fixed", None)


@pytest.fixture(autouse=True)
def inspection(monkeypatch):
    """The last two images look alike, and so do the third and one of another split."""
    groups = [["raf_db/e", "raf_db/f"], ["drawn/c", "drawn/z"]]
    report = SimpleNamespace(near_duplicates=SimpleNamespace(groups=groups))
    monkeypatch.setattr(trained_runs, "read_inspection", lambda folder: report)


def lookup_network(answers, classes):
    """A network that answers image i with class answers[i]."""
    images = keras.Input((48, 48, 1), dtype="uint8")
    number = keras.layers.Reshape((48 * 48,))(keras.layers.Rescaling(1.0)(images))
    number = keras.ops.cast(number[:, 0], "int32")
    table = keras.layers.Embedding(len(answers), classes)
    network = keras.Model(images, table(number))
    table.set_weights([10 * np.eye(classes)[answers]])
    return network


ANSWERS = {
    "begin": lookup_network([0, 0, 1, 1, 2, 2], 3),  # Image 2 goes wrong.
    "subnet_x": lookup_network([0, 0, 2, 0, 0, 0], 3),  # Image 1 is wrong.
    "subnet_y": lookup_network([0, 0, 0, 0, 0, 0], 2),
    "subnet_z": lookup_network([0, 0, 0, 0, 0, 1], 2),
    "flat": lookup_network([0, 1, 0, 0, 0, 0], 7),
}


def save(network, folder, **run):
    folder.mkdir(parents=True)
    network.save(folder / BEST)
    record(folder, **run)


def record(folder, recipe=FIXED, data_fingerprint="as trained", **run):
    put_run(folder, recipe=recipe, data_fingerprint=data_fingerprint, **run)


@pytest.fixture
def parent(tmp_path):
    for name, network in ANSWERS.items():
        save(network, tmp_path / "fixed" / name)
    return tmp_path / "fixed"


def by_name(rows):
    return {row.name: row for row in rows}


def test_numbers_of_known_answers(parent):
    numbers = evaluate(DATABASE, parent).numbers
    rows = by_name(numbers.results)
    assert list(rows) == ["BeginNet", "SubnetX", "SubnetY", "SubnetZ", "flat", COMBINED]
    assert [row.images for row in rows.values()] == [6, 3, 1, 2, 6, 6]
    assert rows["BeginNet"].accuracy == pytest.approx(5 / 6)
    assert rows["BeginNet"].majority_baseline == pytest.approx(3 / 6)
    assert rows["BeginNet"].balanced_accuracy == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert rows["SubnetX"].accuracy == pytest.approx(2 / 3)
    assert rows[COMBINED].accuracy == pytest.approx(4 / 6)
    matrix = np.array(rows[COMBINED].confusion_matrix)
    assert matrix.sum() == 6 and np.trace(matrix) == 4
    assert matrix[EXPRESSIONS.index("Normal"), EXPRESSIONS.index("Happiness")] == 1
    assert matrix[EXPRESSIONS.index("Sadness"), EXPRESSIONS.index("Anger")] == 1
    assert numbers.database == "concat_db/fixed" and numbers.recipe == "fixed"
    assert set(numbers.sha256) == set(ANSWERS)


def test_every_method_answers_the_same_images(parent):
    numbers = evaluate(DATABASE, parent).numbers
    methods = by_name(numbers.methods)
    assert {row.images for row in methods.values()} == {6}
    combined = methods["path selection"]
    assert combined.accuracy == by_name(numbers.results)[COMBINED].accuracy
    assert combined.path_right == pytest.approx(5 / 6)
    assert combined.right_given_path == pytest.approx(4 / 5)
    sources = combined.sources
    assert [(s, row.images) for s, row in sources.items()] == [("drawn", 3), ("raf_db", 3)]
    assert sources["drawn"].accuracy == pytest.approx(1 / 3)
    assert sources["raf_db"].accuracy_95 == (1.0, 1.0)
    assert methods["flat"].path_right == pytest.approx(3 / 6)
    against_flat = numbers.comparisons[0]
    assert (against_flat.one, against_flat.other) == ("path selection", "flat")
    assert against_flat.difference == pytest.approx(4 / 6 - 2 / 6)
    assert (against_flat.only_one_right, against_flat.only_other_right) == (3, 1)
    assert sentences(numbers)[0].startswith("path selection minus flat: +33.3 points (")


def test_images_of_a_person_and_near_duplicates_are_resampled_together(parent, monkeypatch):
    groups_of_calls = []

    class Watched(Bootstrap):
        def __init__(self, groups):
            groups_of_calls.append(groups.tolist())
            super().__init__(groups)

    monkeypatch.setattr(module, "Bootstrap", Watched)
    numbers = evaluate(DATABASE, parent).numbers
    assert numbers.groups == 4
    (groups,) = groups_of_calls
    assert groups[0] == groups[1] and groups[4] == groups[5]
    assert len(set(groups)) == 4


def test_calibration_reports_ece_and_cross_entropy_before_and_after(parent):
    numbers = evaluate(DATABASE, parent).numbers
    row = numbers.calibration["begin"]
    assert row.temperature > 1.5  # Sure of everything, and wrong once in six times.
    assert row.cross_entropy_after < row.cross_entropy_before
    curves = numbers.reliability["path selection"]
    assert sum(each.images for each in curves.before.bins) == 6
    assert curves.after.ece != curves.before.ece
    assert "concatenated argmax" not in numbers.reliability  # Its scores are no probabilities.
    assert not any("small network" in name for name in numbers.reliability)  # Fitted without.


def test_the_evaluation_reports_how_networks_were_trained(parent):
    save(ANSWERS["flat"], parent.with_name("fixed-longer") / "flat", best_epoch=3, begun="then")
    training = evaluate(DATABASE, parent).numbers.training
    assert list(training) == [*ANSWERS, FLAT_LONGER]
    assert training[FLAT_LONGER] == TrainingSummary(seed=0, best_epoch=3, begun="then")


def test_runs_of_other_seeds_and_without_attention_are_included(parent):
    save(ANSWERS["flat"], parent.with_name("fixed-no_attention") / "flat")
    for name, network in ANSWERS.items():
        save(network, parent.with_name("fixed-seed7") / name)
    save(lookup_network([0, 1, 2, 3, 5, 6], 7), parent.with_name("fixed-seed11") / "flat")
    save(lookup_network([0, 1, 2, 3, 5, 6], 7), parent.with_name("fixed-resnet18") / "flat")
    numbers = evaluate(DATABASE, parent).numbers
    assert FLAT_NO_ATTENTION in by_name(numbers.methods)
    seeds = numbers.seeds
    assert seeds["flat"] == {"0": pytest.approx(2 / 6), "11": 1.0, "7": pytest.approx(2 / 6)}
    assert seeds["path selection"] == {"0": pytest.approx(4 / 6), "7": pytest.approx(4 / 6)}


def test_seeds_of_an_earlier_recipe_of_the_same_name_are_left_out(parent):
    earlier = RecipeRecord(name="fixed", backbone={"groups": 16})
    save(ANSWERS["flat"], parent.with_name("fixed-seed7") / "flat", recipe=earlier)
    assert set(evaluate(DATABASE, parent).numbers.seeds["flat"]) == {"0"}
    save(ANSWERS["flat"], parent.with_name("fixed-longer") / "flat", recipe=earlier)
    with pytest.raises(UserError, match="fixed-longer/flat differ in backbone.*groups"):
        evaluate(DATABASE, parent)


def test_changed_recipes_of_another_seed_have_that_seed(parent):
    seven = parent.with_name("fixed-seed7")
    for name, network in ANSWERS.items():
        save(network, seven / name)
    for suffix in ("no_attention", "longer"):
        save(ANSWERS["flat"], parent.with_name(f"fixed-{suffix}-seed7") / "flat")
    save(ANSWERS["flat"], parent.with_name("fixed-no_attention") / "flat")
    assert set(find_runs(parent)) == {*ANSWERS, FLAT_NO_ATTENTION}
    assert set(find_runs(seven)) == {*ANSWERS, FLAT_NO_ATTENTION, FLAT_LONGER}
    numbers = evaluate(DATABASE, seven).numbers
    assert numbers.recipe == "fixed-seed7" and set(numbers.seeds["flat"]) == {"0", "7"}
    pairs = {(row.one, row.other) for row in numbers.comparisons}
    assert ("path selection", FLAT_LONGER) in pairs and ("path selection", TWO_FLAT) in pairs


def test_a_seed_trained_on_other_faces_is_left_out(parent):
    for name, network in ANSWERS.items():
        save(network, parent.with_name("fixed-seed7") / name, data_fingerprint="other")
    assert list(evaluate(DATABASE, parent).numbers.seeds["flat"]) == ["0"]


def test_networks_of_another_partition_are_refused(parent, monkeypatch):
    other = {"A": ("Happiness", "Normal"), "B": ("Anger", "Fear"), "C": ("Disgust", "Surprise")}
    monkeypatch.setattr("fer_tf.training.compatibility.PATHS", other)
    with pytest.raises(UserError, match=r"for the paths Happiness, Normal, Sadness \| Anger"):
        evaluate(DATABASE, parent)


def test_networks_of_two_recipes_are_refused(parent):
    record(parent / "subnet_y", RecipeRecord(name="fixed", dropout=0.5))
    with pytest.raises(UserError, match="begin and .*subnet_y differ in recipe.dropout"):
        evaluate(DATABASE, parent)


def test_a_task_without_images_in_the_split_is_left_out(parent, monkeypatch):
    monkeypatch.setattr(
        FixedDatabase,
        "read",
        lambda self, split, read=FixedDatabase.read: without_anger(read(self, split)),
    )
    numbers = evaluate(DATABASE, parent).numbers
    assert "SubnetY" not in by_name(numbers.results) and "subnet_y" not in numbers.calibration
    assert by_name(numbers.results)[COMBINED].images == 5


def without_anger(split):
    rows = np.flatnonzero(split.labels != 3)
    names = [[values[row] for row in rows] for values in (split.ids, split.subjects)]
    return Split(split.images[rows], split.labels[rows], *names)


def test_one_network_alone_is_measured(tmp_path):
    save(ANSWERS["flat"], tmp_path / "fixed" / "flat")
    save(ANSWERS["begin"], tmp_path / "fixed" / "begin", finished=False)
    numbers = evaluate(DATABASE, tmp_path / "fixed").numbers
    assert [row.name for row in numbers.results] == ["flat"]
    assert [row.name for row in numbers.methods] == ["flat"]
    assert numbers.comparisons == []


def test_an_untrained_recipe_is_refused_with_the_next_command(tmp_path):
    save(ANSWERS["flat"], tmp_path / "fixed-no_attention" / "flat")
    with pytest.raises(UserError, match="fixed holds no trained network.*train all"):
        find_runs(tmp_path / "fixed")


def test_the_tables_have_a_row_for_each_network_and_method(parent):
    numbers = evaluate(DATABASE, parent).numbers
    assert networks_table(numbers).row_count == len(MULTI_NETWORK) + 2
    assert methods_table(numbers).row_count == len(numbers.methods) == 9


def test_runs_on_other_faces_are_refused(parent):
    record(parent / "subnet_y", data_fingerprint="other")
    with pytest.raises(UserError, match="subnet_y.*other faces than concat_db/fixed"):
        evaluate(DATABASE, parent)


def test_networks_initialised_from_another_flat_network_are_refused(parent):
    recipe = RecipeRecord(name="fixed", init_from="flat")
    record(parent / "subnet_y", recipe, init_sha256="of an older one")
    with pytest.raises(UserError, match="subnet_y started from a flat that is gone.*--restart"):
        evaluate(DATABASE, parent)


def test_a_run_of_another_program_is_refused(parent):
    write_json(parent / "subnet_y" / RUN_FILE, {"finished": True})
    with pytest.raises(UserError, match="subnet_y.*lacks database, config, data_finger.*--restart"):
        evaluate(DATABASE, parent)


def test_files_contain_the_numbers_and_the_figures(parent):
    for name in ("other", "other-longer"):
        save(build_network("flat", TINY_RECIPE, "upper"), parent.with_name(name) / "flat")
    for folder, names in (
        (parent, {"confusion.png", "reliability.png", "predictions.png"}),
        (parent.with_name("other"), {"confusion.png", "reliability.png", "attention.png"}),
    ):
        (folder / "flat" / "history.csv").write_text("epoch,val_loss\n0,1.5\n1,1.25\n")
        evaluation = evaluate(DATABASE, folder)
        written = write_evaluation(evaluation, folder, PROVENANCE)
        assert {path.name for path in written} == names | {
            *(EVALUATION, "methods.csv", "losses.png"),
        }
        assert all(path.stat().st_size > 100 for path in written)
        numbers = read_evaluation(folder)
        assert numbers == replace(evaluation.numbers, provenance=PROVENANCE)
        rows = list(csv.DictReader(open(folder / "methods.csv")))
        assert [row["name"] for row in rows] == [row.name for row in numbers.methods]
        assert float(rows[0]["accuracy_low"]) <= float(rows[0]["accuracy"])
