import csv
import dataclasses
import json
import shutil
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf

from fer_tf.errors import UserError
from fer_tf.files import write_json
from fer_tf.occlusion.kinds import RECOGNISED
from fer_tf.records.run import RUN_FILE, is_finished, read_run
from fer_tf.training import callbacks as reports
from fer_tf.training import train as training
from fer_tf.training.callbacks import HISTORY
from fer_tf.training.checkpoint import STATE, Checkpoint, load_best
from fer_tf.training.recipe import Schedule
from fer_tf.training.recipes import strong
from fer_tf.training.replicated_model import ReplicatedModel
from fer_tf.training.run_folder import BEST, RunKey, checkpoint_sha256, locked, open_run
from fer_tf.training.train import train_network
from tests.networks import TINY_RECIPE

KEY = RunKey("concat_db", "drawn", "fingerprint", "upper", TINY_RECIPE)


def split(count, seed=0):
    """Two classes that brightness tells apart."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 2, count).astype(np.int32)
    images = rng.integers(0, 100, (count, 48, 48, 1)) + 120 * classes[:, None, None, None]
    return images.astype(np.uint8), classes


def train(runs_dir, key=KEY, **options):
    return train_network("subnet_y", key, split(40), split(10, 1), runs_dir, verbose=0, **options)


def weights(runs_dir):
    return load_best(KEY.folder(runs_dir, "subnet_y")).get_weights()


def test_leaves_a_run_folder(tmp_path):
    run = train(tmp_path)
    folder = tmp_path / "concat_db" / "drawn" / "tiny" / "subnet_y"
    names = {path.name for path in folder.iterdir()}
    assert names == {BEST, STATE, "history.csv", "tensorboard", RUN_FILE}
    assert list(folder.glob("tensorboard/validation/events*"))
    history = list(csv.DictReader(open(folder / "history.csv")))
    assert [row["epoch"] for row in history] == ["0", "1"]
    best = min(history, key=lambda row: float(row["val_loss"]))
    assert run.best_epoch == int(best["epoch"]) + 1
    assert run.best_validation_loss == pytest.approx(float(best["val_loss"]), rel=1e-5)
    assert run == read_run(folder)
    assert run.classes == ["Anger", "Fear"] and run.finished
    assert run.packages["tensorflow"] and run.data_fingerprint == "fingerprint"
    assert run.backend == "tensorflow"


def test_an_epoch_is_all_images_the_last_smaller_batch_too(tmp_path):
    train(tmp_path)
    with np.load(KEY.folder(tmp_path, "subnet_y") / STATE) as state:
        counters = [int(v) for v in state.values() if v.ndim == 0 and v.dtype.kind in "iu"]
    assert 2 * 3 in counters  # steps: 40 images in batches of 16, two epochs


def test_a_finished_run_is_not_trained_again_unless_asked(tmp_path):
    first = train(tmp_path)
    assert train(tmp_path) == first
    assert train(tmp_path, restart=True).begun >= first.begun
    folder = KEY.folder(tmp_path, "subnet_y")
    assert len((folder / "history.csv").read_text().splitlines()) == 3


@pytest.fixture
def interrupted(tmp_path):
    """A runs directory whose run has finished one epoch of two."""
    save = Checkpoint._save

    def interrupt(self):
        save(self)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "_save", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "parts")
    return tmp_path / "parts"


def test_an_interrupted_run_goes_on_from_the_last_finished_epoch(tmp_path, interrupted):
    train(tmp_path / "whole")
    run = train(interrupted)
    assert run.epochs_done == 2
    history = (KEY.folder(interrupted, "subnet_y") / "history.csv").read_text()
    assert [line.split(",")[0] for line in history.splitlines()] == ["epoch", "0", "1"]
    for ours, theirs in zip(weights(interrupted), weights(tmp_path / "whole"), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_a_run_of_another_recipe_is_not_continued(tmp_path):
    train(tmp_path)
    recipe = dataclasses.replace(TINY_RECIPE, dropout=0.5)
    with pytest.raises(UserError, match=r"with recipe.dropout 0\.0, now it is 0\.5"):
        train(tmp_path, dataclasses.replace(KEY, recipe=recipe))


def test_a_run_of_another_seed_stands_beside(tmp_path):
    runs = [train(tmp_path), train(tmp_path, dataclasses.replace(KEY, seed=1))]
    assert [run.seed for run in runs] == [0, 1]
    parent = tmp_path / "concat_db" / "drawn"
    assert sorted(path.name for path in parent.iterdir()) == ["tiny", "tiny-seed1"]


def test_a_run_of_another_partition_is_not_continued(tmp_path, monkeypatch):
    train(tmp_path)
    other = {"A": ("Happiness", "Normal", "Sadness"), "B": ("Anger", "Fear"), "C": ("Surprise",)}
    monkeypatch.setattr("fer_tf.training.run_folder.PATHS", other)
    with pytest.raises(UserError, match="with paths.C"):
        train(tmp_path)


def test_a_run_begun_before_there_was_a_choice_is_continued(tmp_path, interrupted):
    path = KEY.folder(interrupted, "subnet_y") / RUN_FILE
    run = json.loads(path.read_text())
    del run["paths"], run["training_precision"]
    run["recipe"]["start_from"] = None  # The field's name at that time.
    for name in ("expansion", "bottleneck", "batch_norm_momentum"):
        del run["recipe"]["backbone"][name]
    write_json(path, run)
    assert train(interrupted).epochs_done == 2


def test_a_network_starts_from_the_weights_of_another(tmp_path):
    slow = Schedule(epochs=1, batch_size=16, learning_rate=1e-12)
    recipe = dataclasses.replace(
        TINY_RECIPE, init_from="flat", schedules=TINY_RECIPE.schedules | {"subnet_y": slow}
    )
    assert recipe.multi_network == ("flat", "begin", "subnet_x", "subnet_y", "subnet_z")
    key = dataclasses.replace(KEY, recipe=recipe)
    with pytest.raises(UserError, match="subnet_y starts from flat, which is not trained in"):
        train(tmp_path, key)
    data = split(40), split(10, 1)
    train_network("flat", key, *data, tmp_path, verbose=0)
    with pytest.raises(UserError, match="flat was trained on other faces than concat_db/drawn"):
        other = dataclasses.replace(key, fingerprint="other")
        train_network("subnet_z", other, *data, tmp_path, verbose=0)
    run = train(tmp_path, key)
    assert run.init_sha256 == checkpoint_sha256(key.folder(tmp_path, "flat"))
    flat, subnet = (load_best(key.folder(tmp_path, name)) for name in ("flat", "subnet_y"))
    kernels = [
        (layer.get_weights()[0], subnet.get_layer(layer.name).get_weights()[0])
        for layer in flat.layers
        if layer.name.endswith(("_grouped", "attention", "stem"))
    ]
    assert len(kernels) == 4
    for theirs, ours in kernels:
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_the_first_network_starts_from_that_of_another_database_the_others_share_a_stage(tmp_path):
    recipe = dataclasses.replace(
        TINY_RECIPE, init_from="flat", init_database="mixed", shared_stages=1
    )
    key = dataclasses.replace(KEY, recipe=recipe, origin_fingerprint="of mixed")
    mixed = dataclasses.replace(
        key, database="mixed", occlusion="mixed", fingerprint="of mixed", origin_fingerprint=None
    )
    data = split(40), split(10, 1)

    def train(each, network, **options):
        return train_network(network, each, *data, tmp_path, verbose=0, **options)

    with pytest.raises(UserError, match="train flat --database mixed/drawn --recipe tiny` first"):
        train(key, "flat")
    assert train(mixed, "flat").init_sha256 is None
    other = dataclasses.replace(key, origin_fingerprint="other")
    with pytest.raises(UserError, match="flat was trained on other faces than mixed/drawn"):
        train(other, "flat", restart=True)
    run = train(key, "flat", restart=True)
    assert run.init_sha256 == checkpoint_sha256(mixed.folder(tmp_path, "flat"))
    train_network("flat", mixed, split(40, 2), data[1], tmp_path, verbose=0, restart=True)
    with pytest.raises(UserError, match="flat started from a flat that is gone.*mixed"):
        train(key, "flat")
    train(key, "flat", restart=True)
    run = train(key, "subnet_y")
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


def test_faces_are_covered_after_they_are_moved():
    recipe = dataclasses.replace(strong(), usual_eyes=0.25)
    for occlusion, kinds in (("upper", ("upper",)), ("mixed", RECOGNISED)):
        key = dataclasses.replace(KEY, recipe=recipe, occlusion=occlusion)
        *_, last = training.augmentation_of(key)
        assert (last.kinds, last.usual_eyes) == (kinds, 0.25)


@pytest.fixture
def from_flat(tmp_path):
    """A key whose networks start from flat, which is trained."""
    key = dataclasses.replace(KEY, recipe=dataclasses.replace(TINY_RECIPE, init_from="flat"))
    train_network("flat", key, split(40), split(10, 1), tmp_path, verbose=0)
    return key


def train_flat_anew(runs_dir, key):
    train_network("flat", key, split(40, 2), split(10, 1), runs_dir, verbose=0, restart=True)


def test_a_network_is_not_kept_beside_another_than_it_started_from(tmp_path, from_flat):
    """As after `train flat --restart` and `train all`: the four would be the old flat's."""
    run = train(tmp_path, from_flat)
    assert train(tmp_path, from_flat) == run
    train_flat_anew(tmp_path, from_flat)
    with pytest.raises(UserError, match="subnet_y started from a flat that is gone.*--restart"):
        train(tmp_path, from_flat)
    again = train(tmp_path, from_flat, restart=True)
    assert again.init_sha256 != run.init_sha256


def test_a_run_that_goes_on_keeps_where_it_started(tmp_path, from_flat, monkeypatch):
    origin, subnet = (from_flat.folder(tmp_path, name) for name in ("flat", "subnet_y"))
    started_from = checkpoint_sha256(origin)
    save, saved = Checkpoint._save, []

    def killed(self):
        saved.append(save(self))
        raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "_save", killed)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, from_flat)
    assert read_run(subnet).init_sha256 == started_from
    monkeypatch.setattr(Checkpoint, "_save", save)
    kept = origin.rename(tmp_path / "kept")
    train_flat_anew(tmp_path, from_flat)
    with pytest.raises(UserError, match="subnet_y started from a flat that is gone"):
        train(tmp_path, from_flat)
    shutil.rmtree(origin)
    kept.rename(origin)
    assert train(tmp_path, from_flat).init_sha256 == started_from


def test_an_empty_split_is_refused_by_name(tmp_path):
    empty = (np.zeros((0, 48, 48, 1), np.uint8), np.zeros(0, np.int32))
    with pytest.raises(UserError, match="subnet_z has no validation image in concat_db/drawn"):
        train_network("subnet_z", KEY, split(4), empty, tmp_path)
    assert not list(tmp_path.iterdir())


def test_label_smoothing_and_cosine_decay_train(tmp_path):
    recipe = dataclasses.replace(TINY_RECIPE, label_smoothing=0.1, warmup_epochs=0)
    run = train(tmp_path, dataclasses.replace(KEY, recipe=recipe))
    assert np.isfinite(run.best_validation_loss)


def test_a_balanced_loss_does_not_give_up_the_rare_class(tmp_path):
    """Nothing can be learnt from blank images but the classes' shares."""
    images = np.zeros((80, 48, 48, 1), np.uint8)
    classes = (np.arange(80) < 8).astype(np.int32)
    probabilities = {}
    for balanced in (False, True):
        schedule = Schedule(epochs=15, batch_size=16, learning_rate=0.05, balanced=balanced)
        recipe = dataclasses.replace(TINY_RECIPE, schedules={"subnet_y": schedule})
        key = dataclasses.replace(KEY, config=f"balanced-{balanced}", recipe=recipe)
        data = (images, classes)
        train_network("subnet_y", key, data, data, tmp_path, verbose=0)
        network = load_best(key.folder(tmp_path, "subnet_y"))
        probabilities[balanced] = keras.ops.softmax(network.predict(images[:1], verbose=0))[0, 1]
    assert probabilities[False] < 0.2
    assert abs(probabilities[True] - 0.5) < 0.1


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_leaves_a_float32_network(tmp_path, precision, monkeypatch):
    recipe = TINY_RECIPE
    if precision == "float16":  # For GPUs; a CPU trains in it only without groups.
        with pytest.raises(UserError, match="float16 needs a GPU"):
            train(tmp_path, dataclasses.replace(KEY, precision=precision))
        monkeypatch.setattr(training, "_refuse_cpu", lambda: None)
        backbone = dataclasses.replace(TINY_RECIPE.backbone, groups=1)
        recipe = dataclasses.replace(TINY_RECIPE, backbone=backbone)
    key = dataclasses.replace(KEY, precision=precision, recipe=recipe)
    run = train(tmp_path, key)
    assert run.training_precision == precision and np.isfinite(run.best_validation_loss)
    network = load_best(key.folder(tmp_path, "subnet_y"))
    assert {layer.compute_dtype for layer in network.layers} == {"float32"}
    images, classes = split(10, 1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    measured = float(loss(classes, network.predict(images, verbose=0)))
    assert measured == pytest.approx(run.best_validation_loss, rel=0.1)
    with pytest.raises(UserError, match=f"with training_precision {precision}, now it is float32"):
        train(tmp_path, dataclasses.replace(key, precision="float32"))
    assert keras.config.dtype_policy().name == "float32"


def test_a_folder_in_use_is_left_alone(tmp_path):
    folder = KEY.folder(tmp_path, "subnet_y")
    with locked(folder), pytest.raises(UserError, match="Another process trains in"):
        train(tmp_path)
    assert not list(folder.iterdir())
    train(tmp_path)


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_good_epoch(tmp_path):
    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                weight = self.model.trainable_variables[-1]
                weight.assign(weight * np.nan)

    folder = KEY.folder(tmp_path, "subnet_y")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reports, "reports", lambda *_: [Spoil()])
        with pytest.raises(UserError, match="nan in step 1 of epoch 2 at learning rate") as error:
            train(tmp_path)
    assert f"Epoch 1, the last finished one, stays in {folder}" in str(error.value)
    assert "--learning-rate 0.0125 --restart" in str(error.value)
    assert train(tmp_path).epochs_done == 2
    assert all(np.isfinite(array).all() for array in weights(tmp_path))


def test_memory_that_runs_out_names_a_batch_size_to_try(tmp_path, monkeypatch):
    def no_memory(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(ReplicatedModel, "train_step", no_memory)
    with pytest.raises(UserError, match="--batch-size 8 --learning-rate 0.025 --restart"):
        train(tmp_path)


def test_a_full_disk_is_not_taken_for_full_memory(tmp_path, monkeypatch):
    full = RuntimeError("RESOURCE_EXHAUSTED: events.v2: No space left on device")
    for error in (full, OSError(28, "No space left on device")):
        monkeypatch.setattr("fer_tf.training.train._fit", mock.Mock(side_effect=error))
        with pytest.raises(UserError, match="disk is full.*make room.*without --restart"):
            train(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_damaged_run_file_is_named(tmp_path, content):
    folder = KEY.folder(tmp_path, "subnet_y")
    folder.mkdir(parents=True)
    (folder / RUN_FILE).write_text(content)
    for read in (lambda: is_finished(folder), lambda: train(tmp_path)):
        with pytest.raises(UserError, match="run.json .* train again with --restart"):
            read()
    (folder / RUN_FILE).write_text("{}")  # Of whatever program.
    with pytest.raises(UserError, match="run.json lacks database, .* train again with --restart"):
        train(tmp_path)
    assert train(tmp_path, restart=True).finished


def test_other_package_versions_are_told(tmp_path, interrupted):
    path = KEY.folder(interrupted, "subnet_y") / RUN_FILE
    run = json.loads(path.read_text())
    run["packages"]["numpy"] = "1.0"
    write_json(path, run)
    notes = []
    train(interrupted, note=notes.append)
    assert [note for note in notes if "numpy 1.0 (now " in note] == notes and len(notes) == 1


def test_what_was_reported_of_an_unfinished_epoch_is_cut(interrupted):
    path = KEY.folder(interrupted, "subnet_y") / HISTORY
    with open(path, "a") as file:
        file.write("1,0.5,0.5,0.5,0.5\n2,0.")
    train(interrupted)
    assert [line.split(",")[0] for line in path.read_text().splitlines()] == ["epoch", "0", "1"]


def test_a_restart_that_was_killed_does_not_go_on_from_what_it_threw_away(interrupted):
    folder = KEY.folder(interrupted, "subnet_y")
    (folder / RUN_FILE).unlink()  # Goes first.
    run = open_run(folder, KEY.setup("subnet_y"))
    assert not run.finished and [path.name for path in folder.iterdir()] == [RUN_FILE]


def test_eyes_are_also_covered_where_they_usually_are(tmp_path):
    weights = {}
    for occlusion in ("eyes", "upper"):
        for rate in (0.0, 1.0):
            recipe = dataclasses.replace(TINY_RECIPE, usual_eyes=rate)
            key = dataclasses.replace(KEY, occlusion=occlusion, recipe=recipe)
            folder = tmp_path / occlusion / str(rate)
            run = train(folder, key)
            assert run.recipe.usual_eyes == (rate if occlusion == "eyes" else 0)
            weights[occlusion, rate] = load_best(key.folder(folder, "subnet_y")).get_weights()
    same = {
        occlusion: all(
            np.allclose(one, other, atol=1e-6)
            for one, other in zip(weights[occlusion, 0.0], weights[occlusion, 1.0], strict=True)
        )
        for occlusion in ("eyes", "upper")
    }
    assert same == {"eyes": False, "upper": True}


def test_a_run_goes_on_with_the_backend_that_it_was_begun_with(interrupted):
    path = KEY.folder(interrupted, "subnet_y") / RUN_FILE
    write_json(path, json.loads(path.read_text()) | {"backend": "jax"})
    with pytest.raises(UserError, match="backend jax, now it is tensorflow.*KERAS_BACKEND=jax"):
        train(interrupted)


@pytest.mark.parametrize(
    "name, value, usual",
    [("floatx", "float16", "float32"), ("image_data_format", "channels_first", "channels_last")],
)
def test_settings_of_keras_that_the_networks_are_not_made_for(tmp_path, name, value, usual):
    getattr(keras.config, f"set_{name}")(value)
    try:
        with pytest.raises(UserError, match=f"Keras is set to {name} {value}, {usual} is"):
            train(tmp_path)
    finally:
        getattr(keras.config, f"set_{name}")(usual)
    assert not list(tmp_path.iterdir())
