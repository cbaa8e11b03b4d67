"""`assets.extra/manifest.json`, the record of what a version of a model is made of."""

from dataclasses import dataclass, field
from pathlib import Path

from fer_tf.errors import UserError
from fer_tf.files import read_record
from fer_tf.provenance import Provenance
from fer_tf.records.evaluation import NetworkScores, Scores, upgrade_names

MANIFEST = Path("assets.extra") / "manifest.json"
"""The file in a version's folder, which a server ignores."""


@dataclass(frozen=True, kw_only=True)
class NetworkEntry:
    """One network of a version.

    Attributes:
        seed, training_images, best_epoch, best_validation_loss: see `fer_tf.records.run.Run`.
        sha256: of the network's checkpoint, in hexadecimal digits.
        fer_tf, packages: the program that trained the network, if it differs from the manifest's.
    """

    seed: int
    training_images: int
    best_epoch: int
    best_validation_loss: float
    sha256: str
    fer_tf: str | None = None
    packages: dict[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class NetworkEvaluation:
    """The test scores of a version's networks, each on its own database."""

    split: str
    results: list[NetworkScores]


@dataclass(frozen=True, kw_only=True)
class RecallScores(Scores):
    """Scores, and the recall of each expression that occurs: expression -> 0 to 1."""

    recall: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class KindEvaluation:
    """The scores of a version on the faces of one kind of occlusion.

    Attributes:
        faces: the database with its config.
        recognised: share of the faces whose occlusion the version recognises.
        path_selection: scores of `serving_default`.
        joint_probability: scores of `all_paths`.
    """

    faces: str
    recognised: float
    path_selection: RecallScores
    joint_probability: RecallScores


@dataclass(frozen=True, kw_only=True)
class ModelEvaluation:
    """The scores of a whole version that recognises the occlusion.

    Attributes:
        provenance: the program that measured.
        model: name and version of the model.
        data: the databases, e.g. "any_occlusion/fer2013-leakfree".
        split: "test".
        kinds: kind of occlusion -> the scores on its faces.
    """

    provenance: Provenance
    model: str
    data: str
    split: str
    kinds: dict[str, KindEvaluation]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The parts of a version and its test scores.

    Attributes:
        database: the database's name, or "any_occlusion".
        config: the config of the databases.
        data_fingerprint: hash of the databases' faces, labels and splits.
        occlusion: "upper", "lower", "eyes" or "none"; "any" if the version recognises it.
        recipe: name of the recipe.
        image_size: side in pixels to which the networks resize faces.
        training_precision: the type in which the networks computed while they were trained.
        labels: the expressions in label order.
        paths: path -> its expressions.
        fer_tf, packages: the program that trained the networks.
        networks: network -> its entry; "database/network" if there are several databases.
        answering: kind of occlusion -> the database whose networks are used; None for one database.
        usual_eyes: see `fer_tf.training.recipe.Recipe`.
        precision: "float32", or "bfloat16" of the convolutions.
        weights: "float32" or "float16", in which the weights are stored.
        mirrored: whether predictions are averaged with those of the mirror image.
        warm_up_paths: the routes that a warm-up request takes.
        evaluation: test scores of the networks.
        measured: test scores of the whole version.
    """

    database: str
    config: str
    occlusion: str
    recipe: str
    image_size: int
    labels: list[str]
    networks: dict[str, NetworkEntry]
    data_fingerprint: str | None = None
    training_precision: str = "float32"
    paths: dict[str, list[str]] = field(default_factory=dict)
    fer_tf: str = ""
    packages: dict[str, str] = field(default_factory=dict)
    answering: dict[str, str] | None = None
    usual_eyes: float | None = None
    precision: str = "float32"
    weights: str = "float32"
    mirrored: bool = False
    warm_up_paths: list[str] = field(default_factory=list)
    evaluation: NetworkEvaluation | None = None
    measured: ModelEvaluation | None = None

    @property
    def recognises_occlusion(self) -> bool:
        """Whether the version recognises the occlusion itself."""
        return self.occlusion == "any"

    @property
    def trained_on(self) -> list[str]:
        """The databases with their config, e.g. ["concat_db/drawn"]."""
        names = dict.fromkeys(self.answering.values()) if self.answering else [self.database]
        return [f"{name}/{self.config}" for name in names]


def read_manifest(version: Path) -> Manifest:
    """Reads the manifest of a version.

    Raises:
        UserError: the manifest is missing, because `combine` did not write the version, or damaged.
    """
    path = version / MANIFEST
    cure = "make the model again with `python cli.py combine`"
    if not path.is_file():
        raise UserError(f"{path} is missing; {cure}.")
    return read_record(path, Manifest, cure, _upgraded)


def _upgraded(values):
    """Returns the values of an earlier version's file with today's keys."""
    values = upgrade_names(values)
    for kind in (values.get("measured") or {}).get("kinds", {}).values():
        for name in ("path selection", "joint probability"):
            if name in kind:
                kind[name.replace(" ", "_")] = kind.pop(name)
    if "occlusion" in values.get("networks", {}):
        values["networks"]["occlusion_net"] = values["networks"].pop("occlusion")
    return values
