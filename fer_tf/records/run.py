"""`run.json`, the record of a training run: its setup, the program and the result."""

from dataclasses import dataclass, field, fields
from pathlib import Path

from fer_tf.expressions import PAPER_PATHS
from fer_tf.files import read_record, write_record

RUN_FILE = "run.json"

RETRAIN = "train again with --restart"
"""The remedy for a run's file that is damaged or too old."""

_RENAMED = {"start_from": "init_from", "start_database": "init_database"}
_RENAMED_RUN = {"started_from": "init_sha256"}
_BACKBONE = {
    **{"expansion": 2, "bottleneck": True, "batch_norm_momentum": 0.9},
    **{"widths": None, "stem_strides": 2, "pool_stages": False},
}
"""Values of the backbone in files that were written before these fields existed."""


@dataclass(frozen=True, kw_only=True)
class RecipeRecord:
    """The hyperparameters of one network's training; see `fer_tf.training.recipes.Recipe`.

    The default of a field is the value that all recipes had before the field existed. `backbone`
    and the items of `augmentation` are dicts of plain values. No recipe uses `label_smoothing` any
    more.
    """

    name: str
    backbone: dict | None = None
    image_size: int = 224
    visible_rows: bool = False
    init_from: str | None = None
    init_database: str | None = None
    shared_stages: int = 0
    expression_logits: bool = False
    distillation: dict | None = None
    covers_anew: bool = False
    attention: bool = True
    dropout: float = 0.0
    optimizer: str = "sgd"
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    warmup_epochs: float = 0.0
    cosine_decay: bool = False
    keeps: str = "best"
    augmentation: list = field(default_factory=list)
    usual_eyes: float = 0.0
    schedule: dict | None = None


@dataclass(frozen=True, kw_only=True)
class RunSetup:
    """What a run is made of. A run continues only with an equal setup.

    Attributes:
        database: "concat_db", "bconcat_db", "eye_cdb", "uncovered" or "mixed".
        config: the database's config, e.g. "fer2013-leakfree".
        data_fingerprint: hash of the database's faces, labels and splits.
        occlusion: "upper", "lower", "eyes", "none" or "mixed".
        recipe: the hyperparameters.
        seed: seed of weights, shuffling and augmentation.
        training_precision: "float32", "float16" or "bfloat16".
        network: a name in `fer_tf.models.networks.NETWORKS`.
        classes: the network's class names, in the order of its logits.
        labels: the expressions in label order; None for OcclusionNet.
        paths: path -> its expressions; None for OcclusionNet.
    """

    database: str
    config: str
    data_fingerprint: str
    occlusion: str
    recipe: RecipeRecord
    seed: int
    training_precision: str = "float32"
    network: str
    classes: list[str]
    labels: list[str] | None = None
    paths: dict[str, list[str]] | None = None


@dataclass(frozen=True, kw_only=True)
class Run(RunSetup):
    """A run: its setup, the program that began it, and its result once it is finished.

    Attributes:
        fer_tf: version of this package.
        packages: name -> version of the packages that decide numbers.
        finished: whether the network is trained to its last epoch.
        begun, ended: times with their zones, to the second.
        commit: the program's commit, see `fer_tf.provenance`.
        python: Python's version.
        backend: Keras' backend.
        machine: operating system, processor type and cores.
        command: the command as it was typed.
        deterministic: whether only operations with reproducible bits were used.
        init_sha256: SHA-256 of the checkpoint from which the network was initialised.
        epochs_done: number of finished epochs.
        best_epoch: the epoch of the checkpoint that was kept, from 1.
        best_validation_loss: the validation loss of that epoch.
        weights: number of the network's weights.
        training_images: images in an epoch.
        replicas: devices that shared each batch.
        seconds: duration of training.
        images_per_second: training images per second.
    """

    fer_tf: str = ""
    packages: dict[str, str] = field(default_factory=dict)
    finished: bool = False
    begun: str | None = None
    ended: str | None = None
    commit: str | None = None
    python: str | None = None
    backend: str = "tensorflow"
    machine: str | None = None
    command: str | None = None
    deterministic: bool | None = None
    init_sha256: str | None = None
    epochs_done: int | None = None
    best_epoch: int | None = None
    best_validation_loss: float | None = None
    weights: int | None = None
    training_images: int | None = None
    replicas: int | None = None
    seconds: float | None = None
    images_per_second: float | None = None

    @property
    def setup(self) -> RunSetup:
        """What the run is made of."""
        return RunSetup(**{each.name: getattr(self, each.name) for each in fields(RunSetup)})


def read_run(folder: Path) -> Run | None:
    """Reads `run.json` in a run's folder; None if no run was begun.

    Raises:
        UserError: the file is damaged, or another version of this program wrote it.
    """
    path = folder / RUN_FILE
    return read_record(path, Run, RETRAIN, _upgraded) if path.is_file() else None


def write_run(folder: Path, run: Run) -> None:
    """Writes `run.json` into a run's folder."""
    write_record(folder / RUN_FILE, run)


def is_finished(folder: Path) -> bool:
    """Whether the run in a folder is trained to its last epoch."""
    run = read_run(folder)
    return run is not None and run.finished


def _upgraded(values):
    """Returns an earlier version's values with today's keys and that version's choices."""
    values = {_RENAMED_RUN.get(name, name): value for name, value in values.items()}
    if values.get("network") == "occlusion":
        values["network"] = "occlusion_net"
    elif "labels" in values:
        values.setdefault("paths", {path: list(names) for path, names in PAPER_PATHS.items()})
    if recipe := values.get("recipe"):
        recipe = {_RENAMED.get(name, name): value for name, value in recipe.items()}
        if "backbone" in recipe:
            recipe["backbone"] = _BACKBONE | recipe["backbone"]
        values["recipe"] = recipe
    return values
