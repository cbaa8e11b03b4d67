"""Measures trained networks and ensemble methods on a split."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import confusion_matrix, log_loss

from fer_tf.data.database import Database
from fer_tf.data.tfrecords import Split
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
    other_seeds,
    predict_logits,
    training_summary,
)
from fer_tf.expressions import EXPRESSIONS, MULTI_NETWORK, TASKS
from fer_tf.models.networks import COMBINED, title_of
from fer_tf.records.evaluation import (
    Calibration,
    Comparison,
    Evaluation,
    MethodScores,
    NetworkScores,
    ReliabilityPair,
)
from fer_tf.training.run_folder import SEED, checkpoint_sha256

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
class EvaluatedSplit:
    """The numbers of an evaluation and the predictions from which they are computed.

    Attributes:
        numbers: the numbers.
        split: the images.
        probabilities: network -> float [N, classes].
        answers: method -> scores float [N, 7].
        folders: network -> its run's folder.
    """

    numbers: Evaluation
    split: Split
    probabilities: dict[str, np.ndarray]
    answers: dict[str, np.ndarray]
    folders: dict[str, Path]


def evaluate(database: Database, parent: Path, split: str = "test") -> EvaluatedSplit:
    """Evaluates the networks of one recipe and all ensemble methods of these networks.

    All intervals and tests are over the images: they apply to the difference of two trained
    networks, not of two recipes, which the accuracies of several seeds show.

    Args:
        database: the prepared database.
        parent: the recipe's folder; runs of other seeds are in folders next to it.
        split: the split to measure. Temperatures and methods are fitted on "validation".

    Raises:
        UserError: if no network is trained, or if the runs do not belong together; see
            `fer_tf.evaluation.run_set.check_runs`.
    """
    folders = find_runs(parent)
    check_runs(database, folders)
    data, held_out = database.read(split), database.read("validation")
    bootstrap = Bootstrap(groups_of(database, data))
    logits, held_out_logits = predict_logits(folders, data, held_out)
    temperatures = _temperatures(held_out_logits, held_out.labels)
    probabilities, calibrated = tempered(logits, {}), tempered(logits, temperatures)
    ensembles = methods(tempered(held_out_logits, {}), held_out.labels)
    answers = {method.name: method.answer(probabilities) for method in ensembles}

    measured = [name for name in folders if len(_images_of_task(name, data.labels)[0])]
    results = [_of_network(name, logits[name], data.labels, bootstrap) for name in measured]
    if PATH_SELECTION in answers:
        results.append(_of_path_selection(answers[PATH_SELECTION], data.labels, bootstrap))
    right = {name: answer.argmax(axis=1) == data.labels for name, answer in answers.items()}
    numbers = Evaluation(
        database=str(database),
        split=split,
        recipe=parent.name,
        labels=list(EXPRESSIONS),
        images=len(data.labels),
        groups=bootstrap.groups,
        sha256={name: checkpoint_sha256(folder) for name, folder in folders.items()},
        training={name: training_summary(folder) for name, folder in folders.items()},
        results=results,
        methods=[_of_method(m, answers[m.name], data, bootstrap) for m in ensembles],
        comparisons=[
            Comparison(one=one, other=other, **vars(compare(right[one], right[other], bootstrap)))
            for one, other in _COMPARED
            if one in right and other in right
        ],
        calibration={
            name: _calibration(name, logits[name], data.labels, temperatures[name])
            for name in temperatures
            if name in measured
        },
        reliability={
            method.name: ReliabilityPair(
                before=reliability(answers[method.name].max(axis=1), right[method.name]),
                after=_reliability(method.answer(calibrated), data.labels),
            )
            for method in ensembles
            if method.is_distribution and not method.fitted_on
        },
        seeds=_seeds(database, parent, data, right),
    )
    return EvaluatedSplit(numbers, data, probabilities, answers, folders)


def _images_of_task(name, labels):
    """The indices of the images of a network's task, int [M], and their classes in the task."""
    classes = np.array(_task(name).class_of)[labels]
    rows = np.flatnonzero(classes >= 0)
    return rows, classes[rows]


def _task(name):
    return TASKS.get(name, TASKS[FLAT])


def _of_network(name, logits, labels, bootstrap):
    rows, classes = _images_of_task(name, labels)
    measured = scores(classes, logits[rows].argmax(axis=1), bootstrap, rows)
    return NetworkScores(name=title_of(name), **vars(measured))


def _of_path_selection(answer, labels, bootstrap):
    predicted = answer.argmax(axis=1)
    matrix = confusion_matrix(labels, predicted, labels=range(len(EXPRESSIONS))).tolist()
    measured = scores(labels, predicted, bootstrap)
    return NetworkScores(name=COMBINED, **vars(measured), confusion_matrix=matrix)


def _of_method(method: Method, answer, data, bootstrap):
    predicted = answer.argmax(axis=1)
    path_of = np.array(TASKS["begin"].class_of)
    right, path_right = predicted == data.labels, path_of[predicted] == path_of[data.labels]
    sources = {}
    for source in np.unique(data.sources).tolist():
        rows = np.flatnonzero(data.sources == source)
        sources[source] = scores(data.labels[rows], predicted[rows], bootstrap, rows)
    return MethodScores(
        name=method.name,
        **vars(scores(data.labels, predicted, bootstrap)),
        path_right=float(path_right.mean()),
        right_given_path=float(right[path_right].mean()) if path_right.any() else 0.0,
        networks=method.networks,
        fitted_on=method.fitted_on,
        sources=sources,
    )


def _temperatures(logits, labels):
    temperatures = {}
    for name, values in logits.items():
        rows, classes = _images_of_task(name, labels)
        if len(rows):
            temperatures[name] = fit_temperature(values[rows], classes)
    return temperatures


def _calibration(name, logits, labels, temperature):
    rows, classes = _images_of_task(name, labels)
    measured = {}
    for when, value in (("before", 1.0), ("after", temperature)):
        probabilities = tempered({name: logits[rows]}, {name: value})[name]
        measured[f"cross_entropy_{when}"] = float(
            log_loss(classes, probabilities, labels=range(probabilities.shape[1]))
        )
        measured[f"ece_{when}"] = _reliability(probabilities, classes).ece
    return Calibration(temperature=temperature, **measured)


def _reliability(answer, classes):
    return reliability(answer.max(axis=1), answer.argmax(axis=1) == classes)


def _seeds(database, parent, data, right):
    """Method -> seed -> accuracy, for the methods in `_SEEDS_OF` whose networks are trained."""
    seed_of_parent = parent.name.partition(SEED)[2] or "0"
    accuracies = {
        name: {seed_of_parent: float(right[name].mean())} for name in _SEEDS_OF if name in right
    }
    for seed, folders in other_seeds(parent).items():
        try:
            check_runs(database, folders)
        except UserError:
            continue  # The seed's networks were trained on other faces, e.g. before a rebuild.
        (logits,) = predict_logits(folders, data)
        probabilities = tempered(logits, {})
        for name in accuracies:
            needed = {FLAT} if name == FLAT else {*MULTI_NETWORK}
            if needed <= folders.keys():
                answer = _SEEDS_OF[name](probabilities).argmax(axis=1)
                accuracies[name][seed] = float((answer == data.labels).mean())
    return {name: dict(sorted(values.items())) for name, values in accuracies.items()}
