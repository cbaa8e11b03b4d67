import dataclasses
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from fer_tf.data.database import Database
from fer_tf.data.tfrecords import Split
from fer_tf.errors import UserError
from fer_tf.evaluation import run_set
from fer_tf.evaluation.ensembles import FLAT_LONGER, FLAT_NO_ATTENTION
from fer_tf.evaluation.run_set import (
    check_runs,
    find_runs,
    groups_of,
    other_seeds,
    predict_logits,
)
from fer_tf.training.run_folder import BEST
from tests.networks import TINY_RECIPE
from tests.tiny_training import KEY, finish_run


class FixedDatabase(Database):
    """A database whose faces are those of the runs of `KEY`."""

    folder = None

    def fingerprint(self):
        return KEY.fingerprint


DATABASE = FixedDatabase("concat_db", "drawn", None)
NETWORKS = ("begin", "subnet_x", "flat")


def renamed(name, **changes):
    """`KEY` with a recipe of another name, and with other changes of the recipe."""
    return dataclasses.replace(KEY, recipe=dataclasses.replace(TINY_RECIPE, name=name, **changes))


@pytest.fixture
def parent(tmp_path):
    """The folder of a recipe with three finished runs."""
    for network in NETWORKS:
        finish_run(tmp_path, KEY, network)
    return KEY.folder(tmp_path, "flat").parent


def test_finished_runs_are_found_in_the_order_of_the_tasks(parent, tmp_path):
    finish_run(tmp_path, KEY, "subnet_y", finished=False)
    assert find_runs(parent) == {network: parent / network for network in NETWORKS}


def test_flat_networks_of_changed_recipes_are_found(parent, tmp_path):
    beside = {FLAT_NO_ATTENTION: "tiny-no_attention", FLAT_LONGER: "tiny-longer"}
    for name in beside.values():
        finish_run(tmp_path, renamed(name), "flat")
    runs = find_runs(parent)
    assert list(runs) == [*NETWORKS, *beside]
    for name, folder in beside.items():
        assert runs[name] == parent.with_name(folder) / "flat"


def test_a_recipe_without_a_finished_run_is_refused(tmp_path):
    finish_run(tmp_path, KEY, "flat", finished=False)
    with pytest.raises(UserError, match="tiny holds no trained network; .*train all"):
        find_runs(KEY.folder(tmp_path, "flat").parent)


def test_other_seeds_are_finished_runs_of_the_same_recipe(parent, tmp_path):
    assert other_seeds(parent) == {}
    finish_run(tmp_path, dataclasses.replace(KEY, seed=7), "flat")
    finish_run(tmp_path, dataclasses.replace(KEY, seed=8), "flat", finished=False)
    other_recipe = dataclasses.replace(TINY_RECIPE, dropout=0.5)
    finish_run(tmp_path, dataclasses.replace(KEY, seed=9, recipe=other_recipe), "flat")
    finish_run(tmp_path, renamed("tiny-longer"), "flat")
    seven = parent.with_name("tiny-seed7")
    assert other_seeds(parent) == {"7": {"flat": seven / "flat"}}
    assert other_seeds(seven) == {"0": {network: parent / network for network in NETWORKS}}


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (dataclasses.replace(KEY, fingerprint="other"), "other faces than concat_db/drawn"),
        (renamed("tiny", dropout=0.5), "differ in recipe.dropout"),
    ],
)
def test_runs_that_do_not_belong_together_are_refused(parent, tmp_path, key, message):
    check_runs(DATABASE, find_runs(parent))
    finish_run(tmp_path, key, "subnet_y")
    with pytest.raises(UserError, match=message):
        check_runs(DATABASE, find_runs(parent))


def test_a_flat_network_of_a_changed_recipe_needs_the_same_backbone(parent, tmp_path):
    finish_run(tmp_path, renamed("tiny-longer", dropout=0.5), "flat")
    check_runs(DATABASE, find_runs(parent))
    wider = dataclasses.replace(TINY_RECIPE.backbone, stem_filters=16)
    finish_run(tmp_path, renamed("tiny-no_attention", backbone=wider), "flat")
    with pytest.raises(UserError, match="differ in backbone.*stem_filters"):
        check_runs(DATABASE, find_runs(parent))


def test_each_network_answers_all_images_of_each_split(tmp_path):
    images = keras.Input((48, 48, 1), dtype="uint8")
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1.0)(images))
    keras.Model(images, mean).save(tmp_path / BEST)

    def split(*levels):
        faces = np.stack([np.full((48, 48, 1), level, np.uint8) for level in levels])
        return Split(faces, np.zeros(len(levels), np.int32), [], [])

    one, other = predict_logits({"flat": tmp_path}, split(1, 2, 3), split(4))
    np.testing.assert_allclose(one["flat"], [[1], [2], [3]], rtol=1e-6)
    np.testing.assert_allclose(other["flat"], [[4]], rtol=1e-6)


def test_images_of_a_person_and_near_duplicates_are_one_group(monkeypatch):
    ids = ["a", "b", "c", "d", "e", "f"]
    groups = [["b", "c"], ["e", "z"]]  # z is in another split.
    report = SimpleNamespace(near_duplicates=SimpleNamespace(groups=groups))
    monkeypatch.setattr(run_set, "read_inspection", lambda folder: report)
    data = Split(np.zeros((6, 48, 48, 1)), np.zeros(6, int), ids, ["p", "p", "", "", "", ""])
    groups = groups_of(DATABASE, data)
    assert groups.shape == (6,)
    assert groups[0] == groups[1] == groups[2]  # a and b are of one person, b and c look alike.
    assert len(set(groups)) == 4
