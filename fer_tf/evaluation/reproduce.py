"""Every table of the paper from evaluations of trained networks, as files."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from fer_tf.data.database import UNCOVERED, Database, find_database
from fer_tf.data.inspection_report import read_inspection
from fer_tf.errors import UserError
from fer_tf.evaluation.ensembles import FLAT
from fer_tf.evaluation.evaluate import evaluate
from fer_tf.evaluation.markdown import central_tables, other_tables
from fer_tf.evaluation.metrics import Bootstrap, scores
from fer_tf.evaluation.report import FACELESS, flat_row, write_csv, write_evaluation
from fer_tf.evaluation.run_set import check_runs, groups_of, predict_logits
from fer_tf.expressions import EXPRESSIONS, MULTI_NETWORK, TASKS
from fer_tf.files import exclusive, write_record, written_beside
from fer_tf.models.backbone import BACKBONES
from fer_tf.occlusion.kinds import DATABASES
from fer_tf.paper import MODELS, RESNET18_SEVEN_CLASSES, TABLE_2, TABLE_3
from fer_tf.provenance import Provenance
from fer_tf.records.reproduction import (
    REPRODUCTION,
    Reproduction,
    SourceCounts,
    Table2Row,
    read_reproduction,
)
from fer_tf.records.run import is_finished

BEGIN, END = "<!-- made by `python cli.py reproduce --readme` -->", "<!-- end -->"
"""Lines of a Markdown file between which the tables go."""

_TABLES = (
    *("table_1", "table_2", "table_3", "table_4", "methods", "sources", "comparisons"),
    *("calibration", "seeds", "training"),
)


def find_evaluable(
    recipe: str, runs_dir: Path, data_dir: Path, note: Callable[[str], None]
) -> list[Database]:
    """The prepared databases on which networks of a recipe were trained, all configs.

    Args:
        recipe: the name of the runs' folders.
        runs_dir: where runs live.
        data_dir: where prepared databases live.
        note: is told what is left out.

    Raises:
        UserError: if there is none.
    """
    found = []
    for name in (*DATABASES, UNCOVERED):
        for parent in sorted(runs_dir.glob(f"{name}/*/{recipe}")):
            if not any(is_finished(parent / network) for network in TASKS):
                note(f"{parent} holds no network that is trained to its end; left out")
                continue
            try:
                found.append(find_database(f"{name}/{parent.parent.name}", data_dir))
            except UserError as error:
                note(f"{parent} is left out: {error}")
    if not found:
        raise UserError(
            f"{runs_dir} holds no trained network of recipe {recipe} on a prepared database; run "
            "`python cli.py train all` first, or name another --recipe or --runs-dir."
        )
    return found


def collect(
    databases: Sequence[Database],
    recipe: str,
    runs_dir: Path,
    provenance: Provenance,
    note: Callable[[str], None],
) -> Reproduction:
    """Evaluates all that was trained by a recipe; each evaluation is written beside its runs.

    Args:
        databases: from `find_evaluable`.
        recipe: name of the runs' folders.
        runs_dir: where runs live.
        provenance: the program that measures.
        note: receives a sentence on each step.
    """
    evaluations, table_1, table_2 = [], {}, []
    for database in databases:
        parent = runs_dir / database.name / database.config / recipe
        note(f"{database}: evaluating the networks of recipe {recipe}")
        evaluation = evaluate(database, parent)
        write_evaluation(evaluation, parent, provenance)
        evaluations.append(replace(evaluation.numbers, provenance=provenance))
        table_1[database.config] = _source_counts(database)
        if database.name == "concat_db":
            table_2 += _table_2(database, parent.parent)
    return Reproduction(
        provenance=provenance,
        recipe=recipe,
        evaluations=evaluations,
        table_1=table_1,
        table_2=table_2,
    )


def with_earlier(
    collected: Reproduction, earlier: Reproduction | None, note: Callable[[str], None]
) -> Reproduction:
    """Adds the earlier evaluations of databases whose runs are not here, but on other machines.

    Args:
        collected: from `collect`.
        earlier: from `read_reproduction`.
        note: receives a sentence on each evaluation that is kept.

    Returns:
        The evaluations in the databases' order, each with its own provenance.
    """
    if earlier is None:
        return collected
    here = {numbers.database for numbers in collected.evaluations}
    kept = [
        replace(numbers, provenance=numbers.provenance or earlier.provenance)
        for numbers in earlier.evaluations
        if numbers.database not in here
    ]
    for numbers in kept:
        source = f"commit {numbers.provenance.commit}, {numbers.provenance.date}"
        note(f"{numbers.database}: its runs are not here; what was measured stays ({source})")
    names = (*DATABASES, UNCOVERED)
    evaluations = sorted(
        [*collected.evaluations, *kept],
        key=lambda numbers: names.index(numbers.database.partition("/")[0]),
    )
    # The rows of Table 2 are measured with concat_db, or stay with it.
    rows = [row for row in earlier.table_2 if f"concat_db/{row.config}" not in here]
    return replace(
        collected,
        evaluations=evaluations,
        table_1=earlier.table_1 | collected.table_1,
        table_2=rows + collected.table_2,
    )


def tables(collected: Reproduction) -> dict[str, list[dict]]:
    """The rows of every table, by the name of its CSV file."""
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


def add_tables(
    folder: Path, collected: Reproduction, note: Callable[[str], None]
) -> tuple[Reproduction, list[Path]]:
    """Writes the tables of what was collected and of what the folder holds of other databases.

    Another call that ends at the same time waits and keeps these.

    Args:
        folder: made if missing.
        collected: of `collect`.
        note: is told what is kept.

    Returns:
        `with_earlier` and the files.

    Raises:
        UserError: see `read_reproduction`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder):
        earlier = read_reproduction(folder, collected.recipe)
        collected = with_earlier(collected, earlier, note)
        return collected, write_tables(folder, collected)


def write_tables(folder: Path, collected: Reproduction) -> list[Path]:
    """Writes reproduction.json, a CSV file for each table and tables.md.

    Returns:
        The files. Those of tables that have become empty are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_record(folder / REPRODUCTION, collected)
    written = [folder / REPRODUCTION]
    for name, rows in tables(collected).items():
        path = folder / f"{name}.csv"
        if rows:
            write_csv(path, rows)
            written.append(path)
        else:
            path.unlink(missing_ok=True)
    written.append(folder / "tables.md")
    with written_beside(written[-1]) as out:
        text = f"# Tables\n\n{central_tables(collected)}\n\n{other_tables(collected)}\n"
        out.write(text.encode())
    return written


def copy_figures(
    folder: Path, databases: Sequence[Database], recipe: str, runs_dir: Path
) -> list[Path]:
    """Copies the figures without faces, named e.g. concat_db-drawn-losses.png.

    Args:
        folder: where to, made if missing.
        databases: of `find_evaluable`, evaluated by `collect`.
        recipe: the name of the runs' folders.
        runs_dir: where runs live.

    Returns:
        The copies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    copies = []
    for database in databases:
        for name in FACELESS:
            source = runs_dir / database.name / database.config / recipe / name
            if source.is_file():
                copies.append(folder / f"{database.name}-{database.config}-{name}")
                with written_beside(copies[-1]) as out:
                    out.write(source.read_bytes())
    return copies


def marked_parts(path: Path) -> tuple[str, str]:
    """What stands before and behind the marks of a Markdown file, marks included.

    Raises:
        UserError: if the file lacks them.
    """
    before, begin, rest = path.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise UserError(f"{path} lacks the lines {BEGIN} and {END}; put them where tables go.")
    return before + begin, end + after


def update_readme(path: Path, collected: Reproduction) -> None:
    """Puts the central tables between the marks of a Markdown file, see `marked_parts`."""
    before, after = marked_parts(path)
    with written_beside(path) as out:
        out.write(f"{before}\n\n{central_tables(collected)}\n\n{after}".encode())


def _table_2(database, configs_runs):
    """Runs of the networks of Table 2: on the three paths as in it, and on seven expressions."""
    rows = []
    for backbone in BACKBONES:
        for folder in sorted(configs_runs.glob(f"*-{backbone}")):
            for network, split in (("begin", "validation"), (FLAT, "test")):
                if not is_finished(folder / network):
                    continue
                check_runs(database, {network: folder / network})
                data = database.read(split)
                (logits,) = predict_logits({network: folder / network}, data)
                truth = data.for_task(TASKS[network])[1]
                predicted = logits[network].argmax(axis=1)
                measured = scores(truth, predicted, Bootstrap(groups_of(database, data)))
                rows.append(
                    Table2Row(
                        network=backbone,
                        recipe=folder.name,
                        config=database.config,
                        task=network,
                        split=split,
                        **vars(measured),
                    )
                )
    return rows


def _source_counts(database):
    sources = read_inspection(database.folder).sources
    return {
        source: SourceCounts(counts=row.counts, paper=row.paper) for source, row in sources.items()
    }


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
