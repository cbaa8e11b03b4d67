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
    """How long and how fast one network is trained.

    Attributes:
        epochs: passes over the training split.
        batch_size: images per step over all replicas.
        learning_rate: of the optimizer; with a warm-up or a decay, the highest one.
        balanced: whether the loss weighs each class by the inverse of its share. Otherwise a
            network can ignore a rare class (one in eight of SubnetZ's images is Disgust).
    """

    epochs: int
    batch_size: int
    learning_rate: float
    balanced: bool = False


@dataclass(frozen=True)
class Distillation:
    """The teachers whose predictions for the uncovered faces a network learns beside the labels.

    Attributes:
        teachers: folders of runs under `runs/uncovered/CONFIG/`, e.g. "teacher-seed1". The flat
            network in each folder is a teacher; the teachers' probabilities are averaged.
        weight: weight of the teachers' part of the loss, 0 to 1; the labels' part has the rest.
        temperature: divides the teachers' logits; above 1 it brings their probabilities closer
            together.
    """

    teachers: tuple[str, ...] = ("teacher",)
    weight: float = 0.7
    temperature: float = 2.0


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run besides its data and its seed.

    Attributes:
        name: the recipe's name on the command line.
        schedules: network -> its `Schedule`, for each network that the recipe trains.
        backbone: the shape of the ResNeXt.
        image_size: side in pixels to which the networks resize faces.
        visible_rows: whether the networks see only the rows that the database leaves visible.
        init_from: the network ("flat") from whose best weights the other networks of a database are
            initialised; None: all begin with random weights.
        init_database: the database ("mixed") whose `init_from` network initialises the `init_from`
            network of every other database; None: that network begins with random weights.
        init_schedule: the schedule of the `init_from` network on `init_database`.
        shared_stages: number of the backbone's first stages that are not trained after
            initialisation, so that all networks of a database share them and a combined model
            evaluates them once.
        expression_logits: whether the dense layer of BeginNet and the subnets has seven logits, one
            for each expression, from which the logits of their classes are computed. Initialised
            from the flat network, they then give the flat network's probabilities.
        distillation: the teachers, or None.
        covers_anew: whether faces are covered in each step, after augmentation, and not once before
            training. It needs all three databases.
        attention: whether the networks have spatial attention before the backbone.
        dropout: rate before the last layer.
        optimizer: "sgd" or "adamw".
        momentum: of SGD.
        nesterov: whether SGD's momentum is Nesterov's.
        weight_decay: decoupled, per step and times the learning rate.
        warmup_epochs: epochs of linear warm-up.
        cosine_decay: whether the learning rate falls to 0 along a cosine.
        keeps: "best" keeps the network of the epoch with the lowest validation loss; "last" keeps
            that of the last epoch, which with a cosine decay is the most accurate even where
            overconfidence has raised its validation loss.
        augmentation: returns the Keras layers that precede a network while it is trained.
        usual_eyes: share of eyeCDB's training images in which the boxes of
            `fer_tf.occlusion.eyes.USUAL_EYES` are black too, because a model that recognises the
            occlusion blackens these boxes.
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
        """Returns one network's hyperparameters for `run.json`; augmentation is layer configs."""
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
        """The networks that `train all` trains, in this order."""
        first = (self.init_from,) if self.init_from else ()
        return (*first, *MULTI_NETWORK)

    def on(self, database: str) -> "Recipe":
        """Returns the recipe for one database: `init_schedule` applies to `init_database`."""
        if database != self.init_database:
            return self
        return replace(self, schedules=self.schedules | {self.init_from: self.init_schedule})

    def origin(self, database: str, network: str) -> tuple[str, str] | None:
        """Returns the database and the network that initialise a network, or None."""
        if self.init_from and network != self.init_from:
            return database, self.init_from
        if self.init_database and database != self.init_database:
            return self.init_database, network
        return None

    def refuse_others(self, networks: Sequence[str]) -> None:
        """Refuses networks without a schedule.

        Raises:
            UserError: naming the first of them.
        """
        for network in networks:
            if network not in self.schedules:
                raise UserError(
                    f"Recipe {self.name} trains {', '.join(self.schedules)}, not {network}; give "
                    "another --recipe, or none for the usual one."
                )
