"""Networks that start from the weights of another one."""

import dataclasses
import shutil

import numpy as np
import pytest

from fer_tf.errors import UserError
from fer_tf.records.run import read_run
from fer_tf.training.checkpoint import Checkpoint, load_best
from fer_tf.training.recipe import Schedule
from fer_tf.training.run_folder import BEST, checkpoint_sha256
from tests.networks import TINY_RECIPE
from tests.tiny_training import KEY, train

SLOW = Schedule(epochs=1, batch_size=16, learning_rate=1e-12)
FROM_FLAT = dataclasses.replace(
    KEY,
    recipe=dataclasses.replace(
        TINY_RECIPE, init_from="flat", schedules=TINY_RECIPE.schedules | {"subnet_y": SLOW}
    ),
)


@pytest.fixture(scope="module")
def trained_flat(tmp_path_factory):
    runs_dir = tmp_path_factory.mktemp("flat")
    train(runs_dir, FROM_FLAT, "flat")
    return runs_dir


@pytest.fixture
def from_flat(trained_flat, tmp_path):
    """A runs directory with a finished run of flat, from which `FROM_FLAT` starts the others."""
    return shutil.copytree(trained_flat, tmp_path / "runs")


def train_anew(folder):
    """Leaves another network in a finished run, as `train --restart` does."""
    network = load_best(folder)
    network.set_weights([0.9 * values for values in network.get_weights()])
    network.save(folder / BEST)


def test_a_network_is_initialised_from_another(from_flat, tmp_path):
    multi_network = ("flat", "begin", "subnet_x", "subnet_y", "subnet_z")
    assert FROM_FLAT.recipe.multi_network == multi_network
    with pytest.raises(UserError, match="subnet_y starts from flat, which is not trained in"):
        train(tmp_path / "empty", FROM_FLAT)
    with pytest.raises(UserError, match="flat was trained on other faces than concat_db/drawn"):
        train(from_flat, dataclasses.replace(FROM_FLAT, fingerprint="other"), "subnet_z")
    run = train(from_flat, FROM_FLAT)
    assert run.init_sha256 == checkpoint_sha256(FROM_FLAT.folder(from_flat, "flat"))
    flat, subnet = (load_best(FROM_FLAT.folder(from_flat, name)) for name in ("flat", "subnet_y"))
    kernels = [
        (layer.get_weights()[0], subnet.get_layer(layer.name).get_weights()[0])
        for layer in flat.layers
        if layer.name.endswith(("_grouped", "attention", "stem"))
    ]
    assert len(kernels) == 4
    for theirs, ours in kernels:
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_flat_is_initialised_from_another_database_and_the_others_share_a_stage(tmp_path):
    epoch = Schedule(epochs=1, batch_size=16, learning_rate=0.05)
    recipe = dataclasses.replace(
        TINY_RECIPE,
        init_from="flat",
        init_database="mixed",
        shared_stages=1,
        schedules=dict.fromkeys(TINY_RECIPE.schedules, epoch),
    )
    key = dataclasses.replace(KEY, recipe=recipe, origin_fingerprint="of mixed")
    mixed = dataclasses.replace(
        key, database="mixed", occlusion="mixed", fingerprint="of mixed", origin_fingerprint=None
    )
    with pytest.raises(UserError, match="train flat --database mixed/drawn --recipe tiny` first"):
        train(tmp_path, key, "flat")
    assert not train(tmp_path, mixed, "flat").init_sha256
    other = dataclasses.replace(key, origin_fingerprint="other")
    with pytest.raises(UserError, match="flat was trained on other faces than mixed/drawn"):
        train(tmp_path, other, "flat", restart=True)
    run = train(tmp_path, key, "flat", restart=True)
    assert run.init_sha256 == checkpoint_sha256(mixed.folder(tmp_path, "flat"))
    run = train(tmp_path, key)
    assert run.init_sha256 == checkpoint_sha256(key.folder(tmp_path, "flat"))
    flat, subnet = (load_best(key.folder(tmp_path, network)) for network in ("flat", "subnet_y"))
    kept = {
        layer.name
        for layer in flat.layers
        if layer.weights
        and all(
            map(np.array_equal, layer.get_weights(), subnet.get_layer(layer.name).get_weights())
        )
    }
    assert {"attention", "stem", "stem_bn", "stage_1_block_1_expand_bn"} <= kept
    assert not any(name.startswith("stage_2") for name in kept)
    begin = load_best(mixed.folder(tmp_path, "flat"))
    assert not np.array_equal(
        begin.get_layer("stem").get_weights()[0], flat.get_layer("stem").get_weights()[0]
    )
    train_anew(mixed.folder(tmp_path, "flat"))
    with pytest.raises(UserError, match="flat started from a flat that is gone.*mixed"):
        train(tmp_path, key, "flat")


def test_a_run_is_refused_when_its_origin_was_trained_anew(from_flat):
    """As after `train flat --restart` and `train all`: the four would be the old flat's."""
    run = train(from_flat, FROM_FLAT)
    assert train(from_flat, FROM_FLAT) == run
    train_anew(FROM_FLAT.folder(from_flat, "flat"))
    with pytest.raises(UserError, match="subnet_y started from a flat that is gone.*--restart"):
        train(from_flat, FROM_FLAT)
    again = train(from_flat, FROM_FLAT, restart=True)
    assert again.init_sha256 != run.init_sha256


def test_a_continued_run_keeps_its_origin(from_flat, tmp_path, monkeypatch):
    recipe = dataclasses.replace(FROM_FLAT.recipe, schedules=TINY_RECIPE.schedules)
    key = dataclasses.replace(FROM_FLAT, recipe=recipe)
    origin, subnet = (key.folder(from_flat, name) for name in ("flat", "subnet_y"))
    started_from = checkpoint_sha256(origin)
    save = Checkpoint._save

    def killed(self):
        save(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "_save", killed)
    with pytest.raises(KeyboardInterrupt):
        train(from_flat, key)
    assert read_run(subnet).init_sha256 == started_from
    monkeypatch.setattr(Checkpoint, "_save", save)
    kept = (origin / BEST).read_bytes()
    train_anew(origin)
    with pytest.raises(UserError, match="subnet_y started from a flat that is gone"):
        train(from_flat, key)
    (origin / BEST).write_bytes(kept)
    assert train(from_flat, key).init_sha256 == started_from
