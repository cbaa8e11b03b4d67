"""Evaluates all networks of a recipe and writes the tables of the paper as files."""

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
from fer_tf.evaluation.report import FACELESS, write_csv, write_evaluation
from fer_tf.evaluation.run_set import check_runs, groups_of, predict_logits
from fer_tf.evaluation.table_rows import tables
from fer_tf.expressions import TASKS
from fer_tf.files import exclusive, write_record, written_beside
from fer_tf.models.backbone import BACKBONES
from fer_tf.occlusion.kinds import DATABASES
from fer_tf.provenance import Provenance
from fer_tf.records.reproduction import (
    REPRODUCTION,
    Reproduction,
    SourceCounts,
    Table2Row,
    read_reproduction,
)
from fer_tf.records.run import is_finished


def find_evaluable(
    recipe: str, runs_dir: Path, data_dir: Path, note: Callable[[str], None]
) -> list[Database]:
    """Finds the prepared databases, of any config, on which networks of a recipe were trained.

    Args:
        recipe: the name of the runs' folders.
        runs_dir: the directory of the runs.
        data_dir: the directory of the prepared databases.
        note: receives a sentence on each run that is left out.

    Raises:
        UserError: if no database is found.
    """
    databases = []
    for name in (*DATABASES, UNCOVERED):
        for parent in sorted(runs_dir.glob(f"{name}/*/{recipe}")):
            if not any(is_finished(parent / network) for network in TASKS):
                note(f"{parent} holds no network that is trained to its end; left out")
                continue
            try:
                databases.append(find_database(f"{name}/{parent.parent.name}", data_dir))
            except UserError as error:
                note(f"{parent} is left out: {error}")
    if not databases:
        raise UserError(
            f"{runs_dir} holds no trained network of recipe {recipe} on a prepared database; run "
            "`python cli.py train all` first, or name another --recipe or --runs-dir."
        )
    return databases


def collect(
    databases: Sequence[Database],
    recipe: str,
    runs_dir: Path,
    provenance: Provenance,
    note: Callable[[str], None],
) -> Reproduction:
    """Evaluates all networks of a recipe and writes each evaluation into the folder of its runs.

    Args:
        databases: from `find_evaluable`.
        recipe: name of the runs' folders.
        runs_dir: the directory of the runs.
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
    """Adds the earlier evaluations of databases whose runs are on other machines.

    Args:
        collected: from `collect`.
        earlier: from `read_reproduction`.
        note: receives a sentence on each evaluation that is kept.

    Returns:
        The evaluations in the databases' order, each with its own provenance.
    """
    if earlier is None:
        return collected
    measured = {numbers.database for numbers in collected.evaluations}
    kept = [
        replace(numbers, provenance=numbers.provenance or earlier.provenance)
        for numbers in earlier.evaluations
        if numbers.database not in measured
    ]
    for numbers in kept:
        source = f"commit {numbers.provenance.commit}, {numbers.provenance.date}"
        note(f"{numbers.database}: its runs are not here; what was measured stays ({source})")
    names = (*DATABASES, UNCOVERED)
    evaluations = sorted(
        [*collected.evaluations, *kept],
        key=lambda numbers: names.index(numbers.database.partition("/")[0]),
    )
    # The rows of Table 2 belong to the evaluation of concat_db.
    rows = [row for row in earlier.table_2 if f"concat_db/{row.config}" not in measured]
    return replace(
        collected,
        evaluations=evaluations,
        table_1=earlier.table_1 | collected.table_1,
        table_2=rows + collected.table_2,
    )


def add_tables(
    folder: Path, collected: Reproduction, note: Callable[[str], None]
) -> tuple[Reproduction, list[Path]]:
    """Writes the tables of the collected evaluations and of the folder's earlier ones.

    The folder is locked, so that another process that writes at the same time keeps these tables.

    Args:
        folder: created if missing.
        collected: from `collect`.
        note: receives a sentence on each evaluation that is kept.

    Returns:
        The result of `with_earlier`, and the files.

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
        The files. The file of a table without rows is removed.
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
        folder: the target, created if missing.
        databases: from `find_evaluable`, evaluated by `collect`.
        recipe: the name of the runs' folders.
        runs_dir: the directory of the runs.

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


def _table_2(database, configs_runs):
    """The rows of Table 2: three paths on validation images, seven expressions on test images."""
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
