"""The rows of every table of the paper, and of the tables that this program adds."""

from fer_tf.evaluation.report import flat_row
from fer_tf.expressions import EXPRESSIONS, MULTI_NETWORK, TASKS
from fer_tf.paper import MODELS, RESNET18_SEVEN_CLASSES, TABLE_2, TABLE_3
from fer_tf.records.reproduction import Reproduction

_TABLES = (
    *("table_1", "table_2", "table_3", "table_4", "methods", "sources", "comparisons"),
    *("calibration", "seeds", "training"),
)


def tables(collected: Reproduction) -> dict[str, list[dict]]:
    """Returns the rows of every table: name of its CSV file -> rows."""
    rows = {name: [] for name in _TABLES}
    rows["table_1"] = _rows_of_table_1(collected.table_1)
    rows["table_2"] = [_with_paper(flat_row(row), _quoted_2(row)) for row in collected.table_2]
    for numbers in collected.evaluations:
        database, _, config = numbers.database.partition("/")
        place = {"database": database, "config": config, "recipe": numbers.recipe}
        networks = {row.name: row for row in numbers.results}
        for network in MULTI_NETWORK:
            if row := networks.get(TASKS[network].title):
                quoted = TABLE_3[network].get(database, "")
                rows["table_3"].append(_with_paper(place | flat_row(row), quoted))
        for row in numbers.methods:
            rows["methods"].append(place | flat_row(row))
            if row.name in MODELS:
                rows["table_4"].append(place | {"model": MODELS[row.name]} | flat_row(row))
            for source, part in row.sources.items():
                line = place | {"method": row.name, "source": source}
                rows["sources"].append(line | flat_row(part))
        rows["comparisons"] += [place | flat_row(row) for row in numbers.comparisons]
        for network, row in numbers.calibration.items():
            rows["calibration"].append(place | {"network": network} | vars(row))
        for network, row in numbers.training.items():
            rows["training"].append(place | {"network": network} | vars(row))
        for method, seeds in numbers.seeds.items():
            rows["seeds"] += [
                place | {"method": method, "seed": seed, "accuracy": accuracy}
                for seed, accuracy in seeds.items()
            ]
    return rows


def _rows_of_table_1(configs):
    rows = []
    for config, sources in configs.items():
        for source, row in sources.items():
            paper = row.paper or [""] * len(EXPRESSIONS)
            rows += [
                {"config": config, "source": source, "expression": expression}
                | {"built": built, "paper": quoted}
                for expression, built, quoted in zip(EXPRESSIONS, row.counts, paper, strict=True)
            ]
    return rows


def _quoted_2(row):
    if row.task == "begin":
        return TABLE_2[row.network]
    return RESNET18_SEVEN_CLASSES if row.network == "resnet18" else ""


def _with_paper(row, percent):
    return row | {"paper": percent / 100 if percent != "" else ""}
