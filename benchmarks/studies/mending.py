"""What of path selection can be mended by what its networks are taught.

    python benchmarks/studies/mending.py --database concat_db

Beside the trained networks of a recipe whose four start from the flat one, others are trained with
the same schedules, seed and start:

- again: as they were, by the loop below; a control.
- distilled: the targets of all four are half the labels and half what the flat network says: of a
  path the sum over its expressions, within a path each expression's share of that sum.
- BeginNet weighed, alone: each image counts by the probability that the subnet of its path gives
  its label: where that subnet errs, the right path is worth nothing.

What flat network and subnets say is of images that they learnt from, so they look surer and better
than they are. All answer the same test images. The epoch with the lowest validation loss is taken,
in which labels alone are the targets.
"""

import json
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np
from run_options import run_options

from fer_tf.data.database import find_database
from fer_tf.data.input_pipeline import evaluation_batches, training_batches
from fer_tf.data.splits import SPLITS
from fer_tf.errors import UserError
from fer_tf.evaluation.ensembles import (
    FLAT,
    JOINT,
    PATH_SELECTION,
    concatenated,
    joint,
    path_selection,
)
from fer_tf.evaluation.metrics import Bootstrap, compare, scores, tempered
from fer_tf.evaluation.run_set import check_runs, find_runs, groups_of, predict_logits
from fer_tf.expressions import MULTI_NETWORK, TASKS
from fer_tf.files import write_json
from fer_tf.provenance import provenance
from fer_tf.training.checkpoint import load_best
from fer_tf.training.network import augmentation_of, begin_from, build_network
from fer_tf.training.optimizer import make_optimizer
from fer_tf.training.recipes import get_recipe
from fer_tf.training.run_folder import RunKey

AGAIN = "again"


def main():
    parser = run_options(__doc__)
    arguments = parser.parse_args()

    database = find_database(arguments.database, arguments.data_dir)
    key = RunKey.of(database, get_recipe(arguments.recipe))
    if key.recipe.init_from != FLAT:
        raise UserError(f"The networks of recipe {key.recipe.name} do not start from {FLAT}.")
    runs = find_runs(key.folder(arguments.runs_dir, FLAT).parent)
    check_runs(database, runs)
    if missing := [name for name in (FLAT, *MULTI_NETWORK) if name not in runs]:
        raise UserError(f"{', '.join(missing)} must be trained before.")
    folders = {name: runs[name] for name in (FLAT, *MULTI_NETWORK)}
    splits = dict(zip(SPLITS, map(database.read, SPLITS), strict=True))
    logits = dict(zip(SPLITS, predict_logits(folders, *splits.values()), strict=True))
    said = {name: tempered(values, {}) for name, values in logits.items()}
    start, test = load_best(folders[FLAT]), splits["test"]

    def taught(network, targets, weights=None):
        net = teach(network, key, start, splits, targets, weights)
        return probabilities_of(net, test)

    ours, again, distilled = said["test"], {}, {}
    for network in MULTI_NETWORK:
        targets = {name: labels_as_targets(network, splits[name].labels) for name in SPLITS}
        again[network] = taught(network, targets)
        targets["train"] = (targets["train"] + of_flat(network, said["train"][FLAT])) / 2
        distilled[network] = taught(network, targets)
    weights = {name: right_behind_path(said[name], splits[name].labels) for name in SPLITS}
    targets = {name: labels_as_targets("begin", splits[name].labels) for name in SPLITS}
    weighed = again | {"begin": taught("begin", targets, weights)}

    answers = {FLAT: ours[FLAT], PATH_SELECTION: path_selection(ours), JOINT: joint(ours)}
    for name, found in (
        (AGAIN, again),
        ("distilled", distilled),
        ("BeginNet weighed", weighed),
    ):
        answers[f"{PATH_SELECTION}, {name}"] = path_selection(found)
        answers[f"{JOINT}, {name}"] = joint(found)
    numbers = {
        "provenance": provenance(),
        "data": f"{database}, {len(test.labels):,} test images",
        "recipe": arguments.recipe,
        "ways": measure(answers, test.labels, Bootstrap(groups_of(database, test))),
    }
    print(json.dumps(numbers, indent=1))
    if arguments.json:
        write_json(arguments.json, numbers)


def labels_as_targets(network, labels):
    """One-hot classes of a task, float32 [N, classes]; all 0 for images that are not its own."""
    classes = np.array(TASKS[network].class_of)[labels]
    return np.eye(len(TASKS[network].classes), dtype=np.float32)[classes] * (classes >= 0)[:, None]


def of_flat(network, flat):
    """What the flat network's float [N, 7] say of a task, float32 [N, classes]."""
    parts = np.stack([flat[:, labels].sum(axis=1) for labels in TASKS[network].expressions], axis=1)
    return (parts / parts.sum(axis=1, keepdims=True)).astype(np.float32)


def right_behind_path(said, labels):
    """The probability that the subnet of each image's path gives its label, mean 1."""
    weights = concatenated(said)[np.arange(len(labels)), labels].astype(np.float32)
    return weights / weights.mean()


def teach(network, key, start, splits, targets, weights=None):
    """Trains a network as `train_network` does, but on probabilities; no loss is balanced."""
    schedule = key.recipe.schedules[network]
    keras.utils.set_random_seed(key.seed)
    net = build_network(network, key.recipe, key.occlusion)
    begin_from(net, start)
    data = {}
    for name in ("train", "validation"):
        rows = np.flatnonzero(np.array(TASKS[network].class_of)[splits[name].labels] >= 0)
        data[name] = [splits[name].images[rows], targets[name][rows]]
        data[name] += [weights[name][rows]] if weights else []
    steps = -(-len(data["train"][0]) // schedule.batch_size)
    model = keras.Sequential([net.input, *augmentation_of(key), net])
    model.compile(
        optimizer=make_optimizer(key, schedule, steps),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        weighted_metrics=[],
        jit_compile=False,
    )
    with tempfile.TemporaryDirectory() as place:
        best = Path(place) / "best.weights.h5"
        model.fit(
            training_batches(*data["train"], batch_size=schedule.batch_size, seed=key.seed),
            validation_data=evaluation_batches(*data["validation"]),
            steps_per_epoch=steps,
            epochs=schedule.epochs,
            callbacks=[
                keras.callbacks.ModelCheckpoint(best, save_best_only=True, save_weights_only=True)
            ],
            verbose=2,
        )
        model.load_weights(best)
    return net


def probabilities_of(net, split):
    logits = net.predict(evaluation_batches(split.images, split.labels), verbose=0)
    return tempered({"": logits}, {})[""]


def measure(answers, labels, bootstrap):
    """Accuracies and differences from the flat network and from the control."""
    right = {name: answer.argmax(axis=1) == labels for name, answer in answers.items()}
    rows = []
    for name, answer in answers.items():
        row = {"name": name} | vars(scores(labels, answer.argmax(axis=1), bootstrap))
        row["minus_flat"] = vars(compare(right[name], right[FLAT], bootstrap))
        control = f"{name.partition(',')[0]}, {AGAIN}"
        if "," in name and name != control:
            row["minus_again"] = vars(compare(right[name], right[control], bootstrap))
        rows.append(row)
    return rows


if __name__ == "__main__":
    main()
