"""`reproduction.json`, the evaluations from which a folder of tables is written."""

from dataclasses import dataclass, field
from pathlib import Path

from fer_tf.errors import UserError
from fer_tf.files import read_record
from fer_tf.provenance import Provenance
from fer_tf.records.evaluation import Evaluation, Scores, upgrade_names

REPRODUCTION = "reproduction.json"


@dataclass(frozen=True, kw_only=True)
class _Place:
    network: str
    recipe: str
    config: str
    task: str
    split: str


@dataclass(frozen=True, kw_only=True)
class Table2Row(Scores, _Place):
    """The scores of a network of the paper's Table 2.

    Attributes:
        network: a name in `fer_tf.models.backbone.BACKBONES`.
        recipe: name of the run's folder.
        config: the database's config; the database is concat_db.
        task: "begin", the three paths, or "flat", the seven expressions.
        split: "validation" or "test".
    """


@dataclass(frozen=True, kw_only=True)
class SourceCounts:
    """The images of one source, see `fer_tf.data.inspection`.

    Attributes:
        counts: images of each expression, in label order.
        paper: the counts of the paper's Table 1; None for a source that Table 1 does not have.
    """

    counts: list[int]
    paper: list[int] | None = None


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """All evaluations of one recipe.

    Attributes:
        provenance: the program that wrote the file.
        recipe: name of the runs' folders.
        evaluations: in the order of the databases, each with its own provenance.
        table_1: config -> source -> its counts.
        table_2: the networks of Table 2, of any recipe.
    """

    provenance: Provenance
    recipe: str
    evaluations: list[Evaluation]
    table_1: dict[str, dict[str, SourceCounts]]
    table_2: list[Table2Row] = field(default_factory=list)


def read_reproduction(folder: Path, recipe: str) -> Reproduction | None:
    """Reads the evaluations of an earlier call; None if there was none.

    Args:
        folder: the folder of the tables.
        recipe: name of the runs' folders.

    Raises:
        UserError: the file is damaged, another version of this program wrote it, or it belongs to
            another recipe, whose tables would be overwritten.
    """
    path = folder / REPRODUCTION
    if not path.is_file():
        return None
    earlier = read_record(path, Reproduction, "remove it", _upgraded)
    if earlier.recipe != recipe:
        raise UserError(
            f"{folder} holds the tables of recipe {earlier.recipe}, not {recipe}; give another "
            "--results-dir."
        )
    return earlier


def _upgraded(values):
    """Returns an earlier version's values without the other counts of an inspection."""
    for sources in values.get("table_1", {}).values():
        for source, row in sources.items():
            sources[source] = {"counts": row["counts"], "paper": row.get("paper")}
    return upgrade_names(values)
