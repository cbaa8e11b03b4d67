import csv
import dataclasses
import json

import keras
import numpy as np
import pytest

from fer_tf.errors import UserError
from fer_tf.files import write_json
from fer_tf.occlusion.kinds import RECOGNISED
from fer_tf.records.run import RUN_FILE, read_run, write_run
from fer_tf.training import callbacks as reports
from fer_tf.training import requirements
from fer_tf.training.callbacks import HISTORY
from fer_tf.training.checkpoint import STATE, load_best
from fer_tf.training.network import augmentation_of
from fer_tf.training.recipe import Schedule
from fer_tf.training.recipes import strong
from fer_tf.training.run_folder import BEST
from fer_tf.training.session import TrainingSession
from fer_tf.training.train import train_network
from tests.networks import TINY_RECIPE
from tests.tiny_training import KEY, split, train, weights


def one_epoch(**changes):
    """The tiny recipe with one epoch and other changes."""
    schedule = dataclasses.replace(TINY_RECIPE.schedules["subnet_y"], epochs=1)
    return dataclasses.replace(TINY_RECIPE, schedules={"subnet_y": schedule}, **changes)


def test_leaves_a_run_folder(finished_run):
    folder = finished_run / "concat_db" / "drawn" / "tiny" / "subnet_y"
    names = {path.name for path in folder.iterdir()}
    assert names == {BEST, STATE, "history.csv", "tensorboard", RUN_FILE}
    assert list(folder.glob("tensorboard/validation/events*"))
    history = list(csv.DictReader(open(folder / "history.csv")))
    assert [row["epoch"] for row in history] == ["0", "1"]
    best = min(history, key=lambda row: float(row["val_loss"]))
    run = read_run(folder)
    assert run.best_epoch == int(best["epoch"]) + 1
    assert run.best_validation_loss == pytest.approx(float(best["val_loss"]), rel=1e-5)
    assert run.classes == ["Anger", "Fear"] and run.finished
    assert run.packages["tensorflow"] and run.data_fingerprint == "fingerprint"
    assert run.backend == "tensorflow"


def test_an_epoch_contains_all_images_in_batches_of_which_the_last_is_smaller(
    tmp_path, monkeypatch
):
    steps = []
    counter = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: steps.append(batch)
    )
    monkeypatch.setattr(reports, "reports", lambda *_: [counter])
    run = train(tmp_path, dataclasses.replace(KEY, recipe=one_epoch()))
    assert run.training_images == 40 and steps == [0, 1, 2]  # Batches of 16, 16 and 8.


def test_a_finished_run_is_not_trained_again_unless_asked(finished):
    folder = KEY.folder(finished, "subnet_y")
    first, state = read_run(folder), (folder / STATE).read_bytes()
    assert train(finished) == first and (folder / STATE).read_bytes() == state
    assert train(finished, restart=True).begun >= first.begun
    assert len((folder / "history.csv").read_text().splitlines()) == 3


def test_an_interrupted_run_goes_on_from_the_last_finished_epoch(finished_run, interrupted):
    run = train(interrupted)
    assert run.epochs_done == 2
    history = (KEY.folder(interrupted, "subnet_y") / "history.csv").read_text()
    assert [line.split(",")[0] for line in history.splitlines()] == ["epoch", "0", "1"]
    for ours, theirs in zip(weights(interrupted), weights(finished_run), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_an_interrupted_run_of_other_package_versions_goes_on_with_a_note(interrupted):
    """Its last report was cut short, too."""
    folder = KEY.folder(interrupted, "subnet_y")
    run = read_run(folder)
    packages = run.packages | {"numpy": "1.0"}
    write_run(folder, dataclasses.replace(run, packages=packages))
    with open(folder / HISTORY, "a") as file:
        file.write("1,0.5,0.5,0.5,0.5\n2,0.")
    notes = []
    train(interrupted, note=notes.append)
    assert [note for note in notes if "numpy 1.0 (now " in note] == notes and len(notes) == 1
    lines = (folder / HISTORY).read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "0", "1"]


def test_a_run_without_later_fields_is_continued(interrupted):
    path = KEY.folder(interrupted, "subnet_y") / RUN_FILE
    run = json.loads(path.read_text())
    del run["paths"], run["training_precision"]
    run["recipe"]["start_from"] = None  # The field's name at that time.
    for name in ("expansion", "bottleneck", "batch_norm_momentum"):
        del run["recipe"]["backbone"][name]
    write_json(path, run)
    assert train(interrupted).epochs_done == 2


def test_a_run_of_another_seed_has_its_own_folder(finished):
    assert train(finished, dataclasses.replace(KEY, seed=1)).seed == 1
    assert read_run(KEY.folder(finished, "subnet_y")).seed == 0
    parent = finished / "concat_db" / "drawn"
    assert sorted(path.name for path in parent.iterdir()) == ["tiny", "tiny-seed1"]


def test_an_empty_split_is_refused_by_name(tmp_path):
    empty = (np.zeros((0, 48, 48, 1), np.uint8), np.zeros(0, np.int32))
    with pytest.raises(UserError, match="subnet_z has no validation image in concat_db/drawn"):
        train_network("subnet_z", KEY, split(4), empty, tmp_path)
    assert not list(tmp_path.iterdir())


def test_cosine_decay_without_warm_up_trains(tmp_path):
    run = train(tmp_path, dataclasses.replace(KEY, recipe=one_epoch(warmup_epochs=0)))
    assert np.isfinite(run.best_validation_loss)


@pytest.mark.parametrize(("balanced", "expected"), [(False, 0.1), (True, 0.5)])
def test_a_balanced_loss_does_not_ignore_the_rare_class(tmp_path, balanced, expected):
    """Nothing can be learnt from blank images but the classes' shares."""
    images = np.zeros((400, 48, 48, 1), np.uint8)
    classes = (np.arange(400) % 80 < 8).astype(np.int32)
    schedule = Schedule(epochs=3, batch_size=16, learning_rate=0.05, balanced=balanced)
    key = dataclasses.replace(
        KEY, recipe=dataclasses.replace(TINY_RECIPE, schedules={"subnet_y": schedule})
    )
    data = images, classes
    train_network(
        "subnet_y", key, data, (images[:80], classes[:80]), tmp_path, TrainingSession(verbose=0)
    )
    logits = load_best(key.folder(tmp_path, "subnet_y")).predict(images[:1], verbose=0)
    assert float(keras.ops.softmax(logits)[0, 1]) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_leaves_a_float32_network(tmp_path, precision, monkeypatch):
    recipe = one_epoch()
    if precision == "float16":  # For GPUs; a CPU trains in it only without groups.
        with pytest.raises(UserError, match="float16 needs a GPU"):
            train(tmp_path, dataclasses.replace(KEY, precision=precision))
        monkeypatch.setattr(requirements, "refuse_float16_on_cpu", lambda _: None)
        recipe = one_epoch(backbone=dataclasses.replace(TINY_RECIPE.backbone, groups=1))
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


def test_faces_are_covered_after_they_are_moved():
    recipe = dataclasses.replace(strong(), usual_eyes=0.25)
    for occlusion, kinds in (("upper", ("upper",)), ("mixed", RECOGNISED)):
        key = dataclasses.replace(KEY, recipe=recipe, occlusion=occlusion)
        *_, last = augmentation_of(key)
        assert (last.kinds, last.usual_eyes) == (kinds, 0.25)


def test_eyes_are_also_covered_where_they_usually_are(tmp_path):
    trained = {}
    for rate in (0.0, 1.0):
        key = dataclasses.replace(KEY, occlusion="eyes", recipe=one_epoch(usual_eyes=rate))
        run = train(tmp_path / str(rate), key)
        assert run.recipe.usual_eyes == rate
        trained[rate] = np.concatenate([w.ravel() for w in weights(tmp_path / str(rate), key)])
    assert not np.allclose(trained[0.0], trained[1.0], atol=1e-6)


def test_other_occlusions_do_not_cover_the_usual_eyes():
    with_eyes = dataclasses.replace(TINY_RECIPE, usual_eyes=1.0)
    layers = [
        [layer.get_config() for layer in augmentation_of(key)]
        for key in (KEY, dataclasses.replace(KEY, recipe=with_eyes))
    ]
    assert [len(configs) for configs in layers] == [len(TINY_RECIPE.augmentation())] * 2


@pytest.mark.parametrize(
    "name, value, usual",
    [("floatx", "float16", "float32"), ("image_data_format", "channels_first", "channels_last")],
)
def test_unsupported_settings_of_keras_are_refused(tmp_path, name, value, usual):
    getattr(keras.config, f"set_{name}")(value)
    try:
        with pytest.raises(UserError, match=f"Keras is set to {name} {value}, {usual} is"):
            train(tmp_path)
    finally:
        getattr(keras.config, f"set_{name}")(usual)
    assert not list(tmp_path.iterdir())
