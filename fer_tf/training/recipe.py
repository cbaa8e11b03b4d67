"""The type of a training recipe: every hyperparameter of a run in one frozen value."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace

from fer_tf.errors import UserError
from fer_tf.expressions import MULTI_NETWORK
from fer_tf.models.backbone import Backbone
from fer_tf.records.run import RecipeRecord


@dataclass(frozen=True)
class Schedule:
    """How long and how fast one network learns.

    Attributes:
        epochs: passes over its training split.
        batch_size: images per step over all replicas.
        learning_rate: of the optimizer; the highest one where a warm-up or a decay is on.
        balanced: whether the loss weighs each class by the inverse of its share, so that a rare
            one (one in eight of SubnetZ's images is Disgust) is not given up.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    balanced: bool = False


@dataclass(frozen=True)
class Distillation:
    """Whose answers to the uncovered faces a network learns beside the labels.

    Attributes:
        teachers: folders of runs under `runs/uncovered/CONFIG/`, e.g. "teacher-seed1"; of each the
            flat network, and their probabilities are averaged.
        weight: of the teachers' answer in the loss, 0 to 1; the labels have the rest.
        temperature: that softens the answers.
    """

    teachers: tuple[str, ...] = ("teacher",)
    weight: float = 0.7
    temperature: float = 2.0


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run besides its data and its seed.

    Attributes:
        name: its name on the command line.
        schedules: a `Schedule` per network that it trains.
        backbone: shape of the ResNeXt.
        image_size: side in pixels to which the networks resize faces.
        visible_rows: whether the networks look only at the rows that the database leaves visible.
        init_from: the network, "flat", from whose best weights the others begin; None: all begin
            from nothing.
        init_database: the database, "mixed", from whose network of that name those of the other
            databases begin; None: they begin from nothing.
        init_schedule: the schedule of that network; None where there is none.
        shared_stages: so many first stages of the backbone, and what comes before them, the others
            keep as the network has them from which they begin, so that a combined model evaluates
            them once; 0: none.
        expression_logits: whether the last layer of BeginNet and the subnets has a logit for each
            of the seven expressions, from which those of their classes follow; so they can begin as
            exactly what the flat network says.
        distillation: the teachers from which the networks learn too, or None.
        covers_anew: whether faces are covered while a network is trained, after augmentation, and
            not before. It needs all three databases.
        attention: whether spatial attention stands before the backbone.
        dropout: rate before the last layer.
        optimizer: "sgd" or "adamw".
        momentum: of SGD.
        nesterov: whether SGD's momentum is Nesterov's.
        weight_decay: decoupled, per step and times the learning rate.
        warmup_epochs: epochs of linear warm-up.
        cosine_decay: whether the learning rate falls to 0 along a cosine.
        keeps: "best" keeps the network of the epoch with the lowest validation loss, "last" that of
            the last one: where the learning rate falls to 0 it is the most accurate, though its
            loss may have risen because it is too sure.
        augmentation: returns the Keras layers that stand before a network while it is trained.
        usual_eyes: share of eyeCDB's images that are, while a network is trained, also black where
            eyes usually are: what a model that recognises the occlusion blackens.
    """

    name: str
    schedules: dict[str, Schedule]
    backbone: Backbone = field(default_factory=Backbone)
    image_size: int = 224
    visible_rows: bool = False
    init_from: str | None = None
    init_database: str | None = None
    init_schedule: Schedule | None = None
    shared_stages: int = 0
    expression_logits: bool = False
    distillation: Distillation | None = None
    covers_anew: bool = False
    attention: bool = True
    dropout: float = 0.0
    optimizer: str = "sgd"
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    warmup_epochs: float = 0.0
    cosine_decay: bool = False
    keeps: str = "best"
    augmentation: Callable[[], list] = list
    usual_eyes: float = 0.0

    def record(self, network: str) -> RecipeRecord:
        """The hyperparameters of one network for `run.json`, the augmentation as layer configs."""
        plain = asdict(self) | {"augmentation": []}
        if network == self.init_from:
            plain |= {"init_from": None, "shared_stages": 0, "expression_logits": False}
        else:
            plain["init_database"] = None
        del plain["schedules"], plain["init_schedule"]
        for layer in self.augmentation():
            config = {k: v for k, v in layer.get_config().items() if k not in ("name", "dtype")}
            plain["augmentation"].append({type(layer).__name__: config})
        plain["schedule"] = asdict(self.schedules[network])
        return RecipeRecord(**json.loads(json.dumps(plain)))  # Tuples become lists, as when read.

    @property
    def multi_network(self) -> tuple[str, ...]:
        """What `train all` trains, in this order: the four networks and where they start from."""
        first = (self.init_from,) if self.init_from else ()
        return (*first, *MULTI_NETWORK)

    def on(self, database: str) -> "Recipe":
        """The recipe for one database: the first network of `init_database` trains longer."""
        if database != self.init_database:
            return self
        return replace(self, schedules=self.schedules | {self.init_from: self.init_schedule})

    def origin(self, database: str, network: str) -> tuple[str, str] | None:
        """The database and the network from whose weights one begins; None: from nothing."""
        if self.init_from and network != self.init_from:
            return database, self.init_from
        if self.init_database and database != self.init_database:
            return self.init_database, network
        return None

    def refuse_others(self, networks: Sequence[str]) -> None:
        """Refuses networks that it has no schedule for.

        Raises:
            UserError: if there is one among them.
        """
        for network in networks:
            if network not in self.schedules:
                raise UserError(
                    f"Recipe {self.name} trains {', '.join(self.schedules)}, not {network}; give "
                    "another --recipe, or none for the usual one."
                )
