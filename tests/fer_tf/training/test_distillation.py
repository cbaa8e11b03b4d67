import dataclasses

import numpy as np
import pytest

from fer_tf.errors import UserError
from fer_tf.expressions import TASKS
from fer_tf.training import checkpoint
from fer_tf.training.distillation import (
    LOGITS_FILE,
    ClassAccuracy,
    DistillationLoss,
    soft_targets,
    teacher_logits,
)
from fer_tf.training.recipe import Distillation, Schedule
from fer_tf.training.run_folder import RunKey
from fer_tf.training.session import TrainingSession
from fer_tf.training.train import train_network
from tests.networks import TINY_RECIPE

LOGITS = np.log(np.array([[0.3, 0.2, 0.1, 0.1, 0.1, 0.05, 0.15]], np.float32))


@pytest.mark.parametrize(
    "network, expected",
    [
        ("flat", [0.3, 0.2, 0.1, 0.1, 0.1, 0.05, 0.15]),
        ("begin", [0.6, 0.2, 0.2]),
        ("subnet_x", [1 / 2, 1 / 3, 1 / 6]),
        ("subnet_z", [0.25, 0.75]),
    ],
)
def test_targets_are_the_teachers_probabilities_of_the_tasks_classes(network, expected):
    targets = soft_targets(TASKS[network], np.array([1], np.int32), [LOGITS], 1.0)
    np.testing.assert_allclose(targets, [[1, *expected]], rtol=1e-5)


def test_teachers_are_averaged_and_softened():
    other = np.roll(LOGITS, 1, axis=1)
    (row,) = soft_targets(TASKS["flat"], np.array([0], np.int32), [LOGITS, other], 2.0)
    soft = [np.sqrt(np.exp(each[0])) for each in (LOGITS, other)]
    expected = np.mean([each / each.sum() for each in soft], axis=0)
    np.testing.assert_allclose(row[1:], expected, rtol=1e-5)


def test_the_loss_weighs_labels_and_teachers():
    logits = np.array([[1.0, 0.0, -1.0]], np.float32)
    labels = np.array([[2.0, 0.5, 0.3, 0.2]], np.float32)

    def cross_entropy(target, z):
        return -(target * (z - np.log(np.exp(z).sum()))).sum()

    loss = DistillationLoss(weight=0.7, temperature=2.0)
    expected = 0.3 * cross_entropy(np.eye(3)[2], logits[0])
    expected += 0.7 * 4 * cross_entropy(labels[0, 1:], logits[0] / 2)
    assert float(loss(labels, logits)) == pytest.approx(expected, rel=1e-5)
    plain = float(loss(np.array([2], np.int32), logits))
    assert plain == pytest.approx(cross_entropy(np.eye(3)[2], logits[0]), rel=1e-5)


def test_accuracy_is_that_of_the_labels():
    logits = np.array([[1.0, 0.0], [1.0, 0.0]], np.float32)
    metric = ClassAccuracy()
    metric.update_state(np.array([[0, 0.1, 0.9], [1, 0.9, 0.1]], np.float32), logits)
    assert float(metric.result()) == 0.5
    metric.update_state(np.array([0, 0], np.int32), logits)
    assert float(metric.result()) == 0.75


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """The run folder of a flat network."""
    runs_dir = tmp_path_factory.mktemp("runs")
    schedule = dataclasses.replace(TINY_RECIPE.schedules["flat"], epochs=1)
    recipe = dataclasses.replace(TINY_RECIPE, name="teacher", schedules={"flat": schedule})
    key = RunKey("uncovered", "drawn", "fingerprint", "none", recipe)
    split = faces(14), np.arange(14, dtype=np.int32) % 7
    train_network("flat", key, split, split, runs_dir, TrainingSession(verbose=0))
    return key.folder(runs_dir, "flat")


def faces(count):
    return np.random.default_rng(0).integers(0, 255, (count, 48, 48, 1)).astype(np.uint8)


def test_a_teachers_logits_are_computed_once_for_faces_and_mirror_images(teacher, monkeypatch):
    (teacher / LOGITS_FILE).unlink(missing_ok=True)
    logits = teacher_logits(teacher, faces(5), "fingerprint")
    net = checkpoint.load_best(teacher)
    expected = (net(faces(5)) + net(faces(5)[:, :, ::-1])) / 2
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    monkeypatch.setattr(checkpoint, "load_best", None)  # It would fail if it were called.
    np.testing.assert_array_equal(teacher_logits(teacher, faces(5), "fingerprint"), logits)
    with pytest.raises(TypeError):
        teacher_logits(teacher, faces(6), "fingerprint")


def test_a_teacher_of_other_faces_or_none_is_refused(teacher, tmp_path):
    with pytest.raises(UserError, match="trained on other faces than drawn holds now"):
        teacher_logits(teacher, faces(5), "other")
    missing = tmp_path / "uncovered" / "drawn" / "teacher" / "flat"
    command = "train flat --database uncovered/drawn --recipe teacher` first"
    with pytest.raises(UserError, match=command):
        teacher_logits(missing, faces(5), "fingerprint")


def test_a_network_is_trained_with_teachers_and_saved_without(teacher, tmp_path):
    schedules = {"subnet_y": Schedule(epochs=15, batch_size=16, learning_rate=0.05)}
    recipe = dataclasses.replace(
        TINY_RECIPE, schedules=schedules, distillation=Distillation(weight=1.0)
    )
    key = RunKey("concat_db", "drawn", "fingerprint", "upper", recipe)
    classes = np.zeros(40, np.int32)
    images = faces(40)
    images[::2] //= 4
    answers = np.where(np.arange(40)[:, None] % 2, [[-4.0, 4.0]], [[4.0, -4.0]])
    logits = np.full((40, 7), -9.0)
    logits[:, 3:5] = answers
    targets = soft_targets(TASKS["subnet_y"], classes, [logits], 2.0)
    validation = images, np.arange(40, dtype=np.int32) % 2
    run = train_network(
        "subnet_y", key, (images, targets), validation, tmp_path, TrainingSession(verbose=0)
    )
    assert run.recipe.distillation["weight"] == 1.0
    net = checkpoint.load_best(key.folder(tmp_path, "subnet_y"))
    # All labels are 0; only teachers tell bright from dark.
    named = net.predict(images, verbose=0).argmax(axis=1)
    assert (named == np.arange(40) % 2).mean() > 0.8
