"""`run.json` in the folder of a training run: its setup, the program that ran, its result."""

from dataclasses import dataclass, field, fields
from pathlib import Path

from fer_tf.expressions import PAPER_PATHS
from fer_tf.files import read_record, write_record

RUN_FILE = "run.json"

RETRAIN = "train again with --restart"
"""What a user does where a run's file is damaged or too old."""

_RENAMED = {"start_from": "init_from", "start_database": "init_database"}
_RENAMED_RUN = {"started_from": "init_sha256"}
_BACKBONE = {
    **{"expansion": 2, "bottleneck": True, "batch_norm_momentum": 0.9},
    **{"widths": None, "stem_strides": 2, "pool_stages": False},
}
"""What every backbone was before there was a choice."""


@dataclass(frozen=True, kw_only=True)
class RecipeRecord:
    """The hyperparameters of one network's training; see `fer_tf.training.recipes.Recipe`.

    A field that a recipe of an earlier version did not have has that version's only value as its
    default. `backbone` and the items of `augmentation` are plain values by their names. No recipe
    has `label_smoothing` any more.
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
    """What a run is made of; the run goes on only while all of it stays the same.

    Attributes:
        database: "concat_db", "bconcat_db", "eye_cdb", "uncovered" or "mixed".
        config: the database's config, e.g. "fer2013-leakfree".
        data_fingerprint: hash of the database's faces, labels and splits.
        occlusion: "upper", "lower", "eyes", "none" or "mixed".
        recipe: the hyperparameters.
        seed: of weights, shuffling and augmentation.
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
        commit: of this program, see `fer_tf.provenance`.
        python: its version.
        backend: Keras' backend.
        machine: operating system, processor type and cores.
        command: as it was typed.
        deterministic: whether only operations with reproducible bits were taken.
        init_sha256: the checkpoint from whose weights the network was initialised.
        epochs_done: number of finished epochs.
        best_epoch: the epoch of the checkpoint that was kept, from 1.
        best_validation_loss: the validation loss of that epoch.
        weights: number of the network's weights.
        training_images: images in an epoch.
        replicas: devices that shared each batch.
        seconds: of training.
        images_per_second: training images.
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
    """Read `run.json` in a run's folder; None where no run was begun.

    Raises:
        UserError: the file is damaged, or another version of this program wrote it.
    """
    path = folder / RUN_FILE
    return read_record(path, Run, RETRAIN, _upgraded) if path.is_file() else None


def write_run(folder: Path, run: Run) -> None:
    """Write `run.json` into a run's folder."""
    write_record(folder / RUN_FILE, run)


def is_finished(folder: Path) -> bool:
    """Whether a run's folder holds a network that is trained to its last epoch."""
    run = read_run(folder)
    return run is not None and run.finished


def _upgraded(values):
    """The values of an earlier version's file, with today's names and the choices of that time."""
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
