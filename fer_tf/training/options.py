"""What a user asks `train` to do, checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_tf.data.database import UNCOVERED, Database, find_database
from fer_tf.data.occluder_dataset import refuse_covered
from fer_tf.errors import UserError
from fer_tf.models.networks import NETWORKS, OCCLUSION_NET
from fer_tf.occlusion.kinds import DATABASES
from fer_tf.training.recipe import Recipe
from fer_tf.training.recipe_changes import with_changes
from fer_tf.training.recipes import RECOGNISER, get_recipe
from fer_tf.training.run_folder import TRAINING_PRECISIONS, RunKey, run_name

ALL = "all"
"""Instead of a network's name: the four networks and the one that initialises them."""


@dataclass(frozen=True)
class TrainOptions:
    """Which networks are trained, on what, and how.

    Attributes:
        network: `ALL`, or a name in `fer_tf.models.networks.NETWORKS`.
        database_names: DATABASE or DATABASE/CONFIG; if empty, all three databases, for OcclusionNet
            the uncovered one.
        recipe_name: a name in `fer_tf.training.recipes.RECIPES`; None: "quick", for OcclusionNet
            its own recipe.
        backbone: a name in `fer_tf.models.backbone.BACKBONES`; None: the recipe's ResNeXt.
        attention: whether the recipe keeps its spatial attention.
        strategy: see `fer_tf.training.strategies.make_strategy`.
        parallel: whether each network is trained on a GPU of its own.
        deterministic: see `fer_tf.training.train.train_network`.
        mixed_precision: "float16" or "bfloat16"; None: float32.
        batch_size: images per step; None: the recipe's.
        learning_rate: None: the recipe's.
        seed: of weights, shuffling and augmentation.
        restart: whether runs begin anew instead of being resumed.
        stream: whether images stay on disk; None: where they would fill much of the memory.
        data_dir: the TFDS data directory.
        runs_dir: where runs are written.

    Raises:
        UserError: if an option has an unknown value, or if two options exclude each other.
    """

    network: str
    database_names: Sequence[str] = ()
    recipe_name: str | None = None
    backbone: str | None = None
    attention: bool = True
    strategy: str = "auto"
    parallel: bool = False
    deterministic: bool = False
    mixed_precision: str | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    seed: int = 0
    restart: bool = False
    stream: bool | None = None
    data_dir: Path = Path("data/tfds")
    runs_dir: Path = Path("runs")

    def __post_init__(self):
        if self.network != ALL and self.network not in NETWORKS:
            raise UserError(
                f"No network is named {self.network!r}; choose {ALL}, {', '.join(NETWORKS)}."
            )
        if self.mixed_precision not in (None, *TRAINING_PRECISIONS[1:]):
            raise UserError(
                f"--mixed-precision is {self.mixed_precision!r}; choose "
                f"{' or '.join(TRAINING_PRECISIONS[1:])}."
            )
        if self.parallel and self.strategy not in ("auto", "one"):
            raise UserError(
                f"--parallel and --strategy {self.strategy} exclude each other; give one."
            )
        self.recipe.refuse_others(self.networks)
        if self.is_occlusion_net:
            refuse_covered(self.database_names)
            if self.seed or self.backbone:
                raise UserError(
                    "--seed and --network are for the networks of expressions: of each config "
                    "there is one OcclusionNet, which `combine any_occlusion` takes. Leave them "
                    "out."
                )

    @property
    def is_occlusion_net(self) -> bool:
        """Whether the network recognises the occlusion instead of the expression."""
        return self.network == OCCLUSION_NET

    @property
    def recipe(self) -> Recipe:
        """The recipe with the changes that the other options make to it."""
        name = self.recipe_name or (RECOGNISER if self.is_occlusion_net else "quick")
        return with_changes(
            get_recipe(name), self.batch_size, self.learning_rate, self.backbone, self.attention
        )

    @property
    def networks(self) -> Sequence[str]:
        """The networks in the order in which they are trained."""
        return self.recipe.multi_network if self.network == ALL else (self.network,)

    @property
    def run_name(self) -> str:
        """The name of the folder that holds the runs of these networks on one database."""
        return run_name(self.recipe.name, self.seed)

    def find_databases(self) -> list[Database]:
        """The prepared databases.

        Raises:
            UserError: see `fer_tf.data.database.find_database`.
        """
        names = self.database_names or ([UNCOVERED] if self.is_occlusion_net else DATABASES)
        return [find_database(name, self.data_dir) for name in names]

    def key(self, database: Database) -> RunKey:
        """What identifies the runs on one database."""
        return RunKey.of(database, self.recipe, self.seed, self.mixed_precision or "float32")

    def run_folders(self, database: Database) -> dict[str, Path]:
        """Network -> the folder of its run on one database."""
        parent = self.runs_dir / database.name / database.config / self.run_name
        return {network: parent / network for network in self.networks}

    def arguments(self, database: Database, network: str) -> list[str]:
        """The words behind `train` that train one of the networks alone, on one device."""
        flags = {
            "--no-attention": not self.attention,
            "--deterministic": self.deterministic,
            "--restart": self.restart,
            "--stream": self.stream is True,
            "--no-stream": self.stream is False,
        }
        values = {
            "--database": database,
            "--strategy": "one",
            "--recipe": self.recipe_name,
            "--network": self.backbone,
            "--mixed-precision": self.mixed_precision,
            "--batch-size": self.batch_size,
            "--learning-rate": self.learning_rate,
            "--seed": self.seed,
            "--data-dir": self.data_dir,
            "--runs-dir": self.runs_dir,
        }
        words = [network, *(flag for flag, is_set in flags.items() if is_set)]
        for option, value in values.items():
            if value is not None:
                words += [option, str(value)]
        return words
