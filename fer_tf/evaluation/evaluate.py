"""Numbers: how well trained networks do on a split, alone and by every way of combining them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import confusion_matrix, log_loss

from fer_tf.data.input_pipeline import Database, Split
from fer_tf.errors import UserError
from fer_tf.evaluation.ensembles import (
    FLAT,
    FLAT_LONGER,
    FLAT_NO_ATTENTION,
    JOINT,
    PATH_SELECTION,
    TWO_FLAT,
    Method,
    joint,
    methods,
    path_selection,
)
from fer_tf.evaluation.metrics import (
    Bootstrap,
    compare,
    fit_temperature,
    reliability,
    scores,
    tempered,
)
from fer_tf.evaluation.run_set import (
    check_runs,
    find_runs,
    groups_of,
    how_trained,
    other_seeds,
    predict_logits,
)
from fer_tf.expressions import EXPRESSIONS, MULTI_NETWORK, TASKS
from fer_tf.models.networks import COMBINED, title_of
from fer_tf.training.checkpoint import checkpoint_sha256
from fer_tf.training.run_folder import SEED

_COMPARED = (
    (PATH_SELECTION, FLAT),
    (JOINT, FLAT),
    (PATH_SELECTION, FLAT_LONGER),
    (JOINT, FLAT_LONGER),
    (PATH_SELECTION, TWO_FLAT),
    (JOINT, PATH_SELECTION),
    (FLAT, FLAT_NO_ATTENTION),
)
_SEEDS_OF = {PATH_SELECTION: path_selection, JOINT: joint, FLAT: lambda p: p[FLAT]}


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` measured, and the answers behind it.

    Attributes:
        numbers: plain values; see `evaluate`.
        split: the images.
        probabilities: network -> float [N, classes].
        answers: name of a method -> scores float [N, 7].
        folders: network -> its run's folder.
    """

    numbers: dict
    split: Split
    probabilities: dict[str, np.ndarray]
    answers: dict[str, np.ndarray]
    folders: dict[str, Path]


def evaluate(database: Database, parent: Path, split: str = "test") -> Evaluation:
    """Evaluates the networks of one recipe and every way to combine those that are trained.

    All intervals and tests are about the images: they say how sure the difference of two trained
    networks is, not that of two recipes, for which see "seeds".

    Args:
        database: the prepared database.
        parent: the recipe's folder; runs of other seeds are looked for beside it.
        split: which split. Temperatures and what a method chooses come from "validation".

    Returns:
        Its numbers are the names of database, split and recipe; "images" and "groups";
        "sha256" of each checkpoint; "training", network -> how its run went (see
        `fer_tf.evaluation.run_set.how_trained`); "results", a dict for each network on its own
        images and one for the combination (see `fer_tf.evaluation.metrics.scores`, and "name"; the
        combination also has "confusion_matrix", rows true labels); "methods", the same for each of
        `fer_tf.evaluation.ensembles.methods` on all images, with "path_right" and
        "right_given_path", the shares of images whose label's path is answered and of right labels
        among these, "networks", "fitted_on" and "sources" (source -> the same of its images);
        "comparisons" (see `fer_tf.evaluation.metrics.compare`, with "one" and "other");
        "calibration", network -> "temperature" and cross-entropy and expected calibration error
        before and after dividing by it; "reliability", method -> "before" and "after"; "seeds",
        method -> seed -> accuracy.

    Raises:
        UserError: if no network is trained, or some were trained for something else; see
            `fer_tf.evaluation.run_set.check_runs`.
    """
    folders = find_runs(parent)
    check_runs(database, folders)
    data, held_out = database.read(split), database.read("validation")
    bootstrap = Bootstrap(groups_of(database, data))
    logits, before = predict_logits(folders, data, held_out)
    temperatures = _temperatures(before, held_out.labels)
    probabilities, calibrated = tempered(logits, {}), tempered(logits, temperatures)
    found = methods(tempered(before, {}), held_out.labels)
    answers = {method.name: method.answer(probabilities) for method in found}

    measured = [name for name in folders if len(_own(name, data.labels)[0])]
    results = [_of_network(name, logits[name], data.labels, bootstrap) for name in measured]
    if PATH_SELECTION in answers:
        predicted = answers[PATH_SELECTION].argmax(axis=1)
        matrix = confusion_matrix(data.labels, predicted, labels=range(len(EXPRESSIONS)))
        combined = scores(data.labels, predicted, bootstrap)
        results.append({"name": COMBINED} | combined | {"confusion_matrix": matrix.tolist()})
    right = {name: answer.argmax(axis=1) == data.labels for name, answer in answers.items()}
    numbers = {
        "database": str(database),
        "split": split,
        "recipe": parent.name,
        "labels": list(EXPRESSIONS),
        "images": len(data.labels),
        "groups": bootstrap.groups,
        "sha256": {name: checkpoint_sha256(folder) for name, folder in folders.items()},
        "training": {name: how_trained(folder) for name, folder in folders.items()},
        "results": results,
        "methods": [_of_method(m, answers[m.name], data, bootstrap) for m in found],
        "comparisons": [
            {"one": one, "other": other} | compare(right[one], right[other], bootstrap)
            for one, other in _COMPARED
            if one in right and other in right
        ],
        "calibration": {
            name: {"temperature": value} | _calibrated(name, logits[name], data.labels, value)
            for name, value in temperatures.items()
            if name in measured
        },
        "reliability": {
            m.name: {
                "before": reliability(answers[m.name].max(axis=1), right[m.name]),
                "after": _reliability(m.answer(calibrated), data.labels),
            }
            for m in found
            if m.is_distribution and not m.fitted_on
        },
        "seeds": _seeds(database, parent, data, right),
    }
    return Evaluation(numbers, data, probabilities, answers, folders)


def _own(name, labels):
    """Which images belong to a network's task, and their classes in it."""
    classes = np.array(_task(name).class_of)[labels]
    rows = np.flatnonzero(classes >= 0)
    return rows, classes[rows]


def _task(name):
    return TASKS.get(name, TASKS[FLAT])


def _of_network(name, logits, labels, bootstrap):
    rows, classes = _own(name, labels)
    return {"name": title_of(name)} | scores(classes, logits[rows].argmax(axis=1), bootstrap, rows)


def _of_method(method: Method, answer, data, bootstrap):
    predicted = answer.argmax(axis=1)
    path_of = np.array(TASKS["begin"].class_of)
    right, path_right = predicted == data.labels, path_of[predicted] == path_of[data.labels]
    sources = {
        source: scores(data.labels[rows], predicted[rows], bootstrap, rows)
        for source in np.unique(data.sources).tolist()
        for rows in [np.flatnonzero(data.sources == source)]
    }
    return {
        "name": method.name,
        **scores(data.labels, predicted, bootstrap),
        "path_right": float(path_right.mean()),
        "right_given_path": float(right[path_right].mean()) if path_right.any() else 0.0,
        "networks": method.networks,
        "fitted_on": method.fitted_on,
        "sources": sources,
    }


def _temperatures(logits, labels):
    found = {}
    for name, values in logits.items():
        rows, classes = _own(name, labels)
        if len(rows):
            found[name] = fit_temperature(values[rows], classes)
    return found


def _calibrated(name, logits, labels, temperature):
    rows, classes = _own(name, labels)
    found = {}
    for when, value in (("before", 1.0), ("after", temperature)):
        probabilities = tempered({name: logits[rows]}, {name: value})[name]
        found[f"cross_entropy_{when}"] = float(
            log_loss(classes, probabilities, labels=range(probabilities.shape[1]))
        )
        found[f"ece_{when}"] = _reliability(probabilities, classes)["ece"]
    return found


def _reliability(answer, classes):
    return reliability(answer.max(axis=1), answer.argmax(axis=1) == classes)


def _seeds(database, parent, data, right):
    """Accuracies of the methods that need no fitting, for each seed whose networks are trained."""
    own = parent.name.partition(SEED)[2] or "0"
    found = {name: {own: float(right[name].mean())} for name in _SEEDS_OF if name in right}
    for seed, folders in other_seeds(parent).items():
        try:
            check_runs(database, folders)
        except UserError:
            continue  # Its networks were trained on something else, e.g. before a rebuild.
        (logits,) = predict_logits(folders, data)
        probabilities = tempered(logits, {})
        for name in found:
            if set([FLAT] if name == FLAT else MULTI_NETWORK) <= set(folders):
                answer = _SEEDS_OF[name](probabilities).argmax(axis=1)
                found[name][seed] = float((answer == data.labels).mean())
    return {name: dict(sorted(values.items())) for name, values in found.items()}
