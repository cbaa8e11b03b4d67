"""Numbers: how well trained networks do on a split, alone and by every way of combining them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.metrics import confusion_matrix, log_loss

from fer_tf.errors import InputError
from fer_tf.expressions import EXPRESSIONS, MULTI_NETWORK, TASKS
from fer_tf.input_pipeline import Database, Split, evaluation_batches
from fer_tf.inspection_files import read_inspection
from fer_tf.integration import (
    FLAT,
    FLAT_NO_ATTENTION,
    JOINT,
    PATH_SELECTION,
    Method,
    joint,
    methods,
    path_selection,
)
from fer_tf.metrics import Bootstrap, compare, fit_temperature, reliability, scores, tempered
from fer_tf.recipes import NO_ATTENTION
from fer_tf.runs import RUN_FILE, SEED, read_run
from fer_tf.serving import checkpoint_sha256

COMBINED = "combined"
"""Name of the path selection among the results, as the SavedModel answers."""

_COMPARED = (
    (PATH_SELECTION, FLAT),
    (JOINT, FLAT),
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


def find_runs(parent: Path) -> dict[str, Path]:
    """The finished runs of one recipe.

    Args:
        parent: the recipe's folder, e.g. `runs/concat_db/fer2013/quick`.

    Returns:
        Network -> its run's folder, in the order of `TASKS`, and `FLAT_NO_ATTENTION`, which stands
        beside under the recipe's name without attention.

    Raises:
        InputError: if none is finished.
    """
    folders = {network: parent / network for network in TASKS}
    folders[FLAT_NO_ATTENTION] = parent.with_name(f"{parent.name}{NO_ATTENTION}") / FLAT
    found = {name: path for name, path in folders.items() if (read_run(path) or {}).get("finished")}
    if not found:
        raise InputError(
            f"{parent} holds no trained network; run `python cli.py train all` first, or name "
            "another --recipe or --runs-dir."
        )
    return found


def evaluate(database: Database, parent: Path, split: str = "test") -> Evaluation:
    """Evaluates the networks of one recipe and every way to combine those that are trained.

    Args:
        database: the prepared database.
        parent: the recipe's folder; runs of other seeds are looked for beside it.
        split: which split. Temperatures and what a method chooses come from "validation".

    Returns:
        Its numbers are the names of database, split and recipe; "images" and "groups";
        "sha256" of each checkpoint; "results", a dict for each network on its own images and one
        for the combination (see `fer_tf.metrics.scores`, and "name"; the combination also has
        "confusion_matrix", rows true labels); "methods", the same for each of
        `fer_tf.integration.methods` on all images, with "path_right" and "right_given_path", the
        shares of images whose label's path is answered and of right labels among these,
        "networks", "fitted_on" and "sources" (source -> images, accuracy); "comparisons" (see
        `fer_tf.metrics.compare`, with "one" and "other"); "calibration", network -> "temperature"
        and cross-entropy and expected calibration error before and after dividing by it;
        "reliability", method -> "before" and "after"; "seeds", method -> seed -> accuracy.

    Raises:
        InputError: if no network is trained, or one on other faces than the database holds now.
    """
    folders = find_runs(parent)
    data, held_out = database.read(split), database.read("validation")
    logits, before = _logits(database, folders, data), _logits(database, folders, held_out)
    temperatures = _temperatures(before, held_out.labels)
    validation, probabilities = tempered(before, {}), tempered(logits, {})
    found = methods(validation, held_out.labels)
    answers = {method.name: method.answer(probabilities) for method in found}
    bootstrap = Bootstrap(groups_of(database, data))

    results = [_of_network(name, logits[name], data.labels, bootstrap) for name in folders]
    if PATH_SELECTION in answers:
        predicted = answers[PATH_SELECTION].argmax(axis=1)
        matrix = confusion_matrix(data.labels, predicted, labels=range(len(EXPRESSIONS)))
        combined = scores(data.labels, predicted, bootstrap)
        results.append({"name": COMBINED} | combined | {"confusion_matrix": matrix.tolist()})
    right = {name: answer.argmax(axis=1) == data.labels for name, answer in answers.items()}
    calibrated = tempered(logits, temperatures)
    refitted = {m.name: m for m in methods(tempered(before, temperatures), held_out.labels)}
    numbers = {
        "database": str(database),
        "split": split,
        "recipe": read_run(next(iter(folders.values())))["recipe"]["name"],
        "labels": list(EXPRESSIONS),
        "images": len(data.labels),
        "groups": bootstrap.groups,
        "sha256": {name: checkpoint_sha256(folder) for name, folder in folders.items()},
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
        },
        "reliability": {
            m.name: {
                "before": reliability(answers[m.name].max(axis=1), right[m.name]),
                "after": _reliability(refitted[m.name].answer(calibrated), data.labels),
            }
            for m in found
            if m.is_distribution
        },
        "seeds": _seeds(database, parent, data, right),
    }
    return Evaluation(numbers, data, probabilities, answers, folders)


def _logits(database, folders: Mapping[str, Path], data) -> dict[str, np.ndarray]:
    from fer_tf.checkpoint import load_best

    batches = evaluation_batches(data.images, data.labels)
    found = {}
    for name, folder in folders.items():
        if read_run(folder)["data_fingerprint"] != database.fingerprint():
            raise InputError(
                f"{folder / RUN_FILE} was trained on other faces than {database} holds now; train "
                "again with --restart."
            )
        found[name] = load_best(folder).predict(batches, verbose=0)
    return found


def groups_of(database: Database, data: Split) -> np.ndarray:
    """Which images a `Bootstrap` draws together, int [N]: those of a person, and look-alikes."""
    count = len(data.ids)
    place = {name: row for row, name in enumerate(data.ids)}
    edges = []
    _, person = np.unique(np.array(data.subjects, object).astype(str), return_inverse=True)
    for row, subject in enumerate(data.subjects):
        if subject:
            edges.append((row, count + person[row]))
    node = 2 * count
    for names in read_inspection(database.folder)["look_alikes"]["groups"]:
        edges += [(place[name], node) for name in names if name in place]
        node += 1
    ends = np.array(edges, int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(edges), bool), tuple(ends)), shape=(node, node))
    return connected_components(graph, directed=False)[1][:count]


def _own(name, labels):
    """Which images belong to a network's task, and their classes in it."""
    classes = np.array(_task(name).class_of)[labels]
    rows = np.flatnonzero(classes >= 0)
    return rows, classes[rows]


def _task(name):
    return TASKS[FLAT if name == FLAT_NO_ATTENTION else name]


def _of_network(name, logits, labels, bootstrap):
    rows, classes = _own(name, labels)
    title = name if name == FLAT_NO_ATTENTION else _task(name).title
    return {"name": title} | scores(classes, logits[rows].argmax(axis=1), bootstrap, rows)


def _of_method(method: Method, answer, data, bootstrap):
    predicted = answer.argmax(axis=1)
    path_of = np.array(TASKS["begin"].class_of)
    right, path_right = predicted == data.labels, path_of[predicted] == path_of[data.labels]
    sources = {
        source: {"images": int(own.sum()), "accuracy": float(right[own].mean())}
        for source in np.unique(data.sources).tolist()
        for own in [data.sources == source]
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
    own, base = parent.name, parent.name.partition(SEED)[0]
    found = {name: {_seed(own): float(right[name].mean())} for name in _SEEDS_OF if name in right}
    for other in sorted(parent.parent.glob(f"{base}*")):
        if other.name == own or other.name != base and not other.name.startswith(base + SEED):
            continue
        try:
            folders = find_runs(other)
        except InputError:
            continue
        folders.pop(FLAT_NO_ATTENTION, None)
        probabilities = tempered(_logits(database, folders, data), {})
        for name in found:
            if set(MULTI_NETWORK if name != FLAT else [FLAT]) <= set(folders):
                answer = _SEEDS_OF[name](probabilities).argmax(axis=1)
                found[name][_seed(other.name)] = float((answer == data.labels).mean())
    return {name: dict(sorted(values.items())) for name, values in found.items()}


def _seed(name):
    return name.partition(SEED)[2] or "0"
