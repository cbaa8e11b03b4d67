"""`evaluation.json`, the evaluation of a recipe's runs, in the recipe's folder."""

from dataclasses import dataclass, field
from pathlib import Path

from fer_tf.files import read_record
from fer_tf.provenance import Provenance

EVALUATION = "evaluation.json"
"""The file's name in the recipe's folder."""

Interval = tuple[float, float]
"""The ends of a 95 % confidence interval."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How predictions agree with labels; shares from 0 to 1.

    Attributes:
        images: number of images.
        accuracy: share of right predictions.
        balanced_accuracy: mean recall of the classes.
        macro_f1: mean over the classes of the F1 score.
        majority_baseline: share of the majority class: the accuracy of always predicting it.
        chance: the balanced accuracy of random guesses.
    """

    images: int
    accuracy: float
    accuracy_95: Interval
    balanced_accuracy: float
    balanced_accuracy_95: Interval
    macro_f1: float
    macro_f1_95: Interval
    majority_baseline: float
    chance: float


@dataclass(frozen=True, kw_only=True)
class _Named:
    name: str


@dataclass(frozen=True, kw_only=True)
class NetworkScores(Scores, _Named):
    """Scores of a network on the images of its task, or of path selection on all images.

    Attributes:
        name: title of the network.
        confusion_matrix: numbers of images, a row for each true label; only of path selection.
    """

    confusion_matrix: list[list[int]] | None = None


@dataclass(frozen=True, kw_only=True)
class MethodScores(Scores, _Named):
    """Scores of an ensemble method on all images.

    Attributes:
        name: name of the method, see `fer_tf.evaluation.ensembles`.
        path_right: share of the images whose label is on the predicted path.
        right_given_path: share of right predictions among these images.
        networks: largest number of networks that an image needs.
        fitted_on: the split on which the method was fitted, or "".
        sources: source -> the scores on its images.
    """

    path_right: float
    right_given_path: float
    networks: int
    fitted_on: str
    sources: dict[str, Scores]


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """A comparison of two predictors on the same images.

    Attributes:
        difference: difference of their accuracies.
        only_one_right: number of images on which only the first predictor is right.
        only_other_right: number of images on which only the other one is right.
        mcnemar_p: p-value of McNemar's exact test that both are right equally often; the test
            assumes independent images.
    """

    difference: float
    difference_95: Interval
    only_one_right: int
    only_other_right: int
    mcnemar_p: float


@dataclass(frozen=True, kw_only=True)
class _Pair:
    one: str
    other: str


@dataclass(frozen=True, kw_only=True)
class Comparison(PairedDifference, _Pair):
    """Two ensemble methods, `one` and `other`, compared on the same images."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A network before and after its logits are divided by a temperature.

    Attributes:
        temperature: fitted on the validation split.
        cross_entropy_before, cross_entropy_after: in nats.
        ece_before, ece_after: expected calibration error, 0 to 1.
    """

    temperature: float
    cross_entropy_before: float
    ece_before: float
    cross_entropy_after: float
    ece_after: float


@dataclass(frozen=True, kw_only=True)
class ConfidenceBin:
    """The images whose confidence lies in one bin: their mean confidence and their accuracy."""

    images: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """The agreement of confidence and accuracy.

    Attributes:
        ece: expected calibration error, 0 to 1.
        bins: those that contain an image.
    """

    ece: float
    bins: list[ConfidenceBin]


@dataclass(frozen=True, kw_only=True)
class ReliabilityPair:
    """The reliability of a method before and after temperature scaling."""

    before: Reliability
    after: Reliability


@dataclass(frozen=True, kw_only=True)
class TrainingSummary:
    """Fields of a run that describe its training, see `fer_tf.records.run.Run`."""

    seed: int | None = None
    training_images: int | None = None
    weights: int | None = None
    epochs_done: int | None = None
    best_epoch: int | None = None
    best_validation_loss: float | None = None
    seconds: float | None = None
    images_per_second: float | None = None
    replicas: int | None = None
    machine: str | None = None
    commit: str | None = None
    begun: str | None = None
    ended: str | None = None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """All numbers of one recipe's networks on one split of a database.

    Attributes:
        provenance: the program that measured.
        database: with its config, e.g. "concat_db/fer2013-leakfree".
        split: "test" or another one.
        recipe: name of the runs' folder.
        labels: the expressions in label order.
        images: number of images.
        groups: number of groups that the bootstrap resamples.
        sha256: network -> SHA-256 of its checkpoint, in hexadecimal digits.
        results: each network on its own images, and path selection.
        training: network -> how it was trained.
        methods: each ensemble method on all images.
        comparisons: pairs of methods.
        calibration: network -> its calibration.
        reliability: method -> its reliability.
        seeds: method -> seed -> accuracy.
    """

    provenance: Provenance | None = None
    database: str
    split: str
    recipe: str
    labels: list[str]
    images: int
    groups: int
    sha256: dict[str, str]
    results: list[NetworkScores]
    training: dict[str, TrainingSummary] = field(default_factory=dict)
    methods: list[MethodScores] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    calibration: dict[str, Calibration] = field(default_factory=dict)
    reliability: dict[str, ReliabilityPair] = field(default_factory=dict)
    seeds: dict[str, dict[str, float]] = field(default_factory=dict)


def read_evaluation(folder: Path) -> Evaluation | None:
    """Reads the evaluation in a recipe's folder; None if there is none.

    Raises:
        UserError: the file is damaged, or another version of this program wrote it.
    """
    path = folder / EVALUATION
    if not path.is_file():
        return None
    cure = "give `python cli.py evaluate` again, or remove it"
    return read_record(path, Evaluation, cure, upgrade_names)


def upgrade_names(values):
    """Returns the values of an earlier version's file with today's keys."""
    if isinstance(values, dict):
        return {
            "majority_baseline" if key == "floor" else key: upgrade_names(value)
            for key, value in values.items()
        }
    return [upgrade_names(value) for value in values] if isinstance(values, list) else values
