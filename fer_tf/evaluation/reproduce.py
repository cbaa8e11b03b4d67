"""Every table of the paper from evaluations of trained networks, as files."""

from collections.abc import Callable, Sequence
from pathlib import Path

from fer_tf.data.input_pipeline import UNCOVERED, Database, find_database
from fer_tf.data.inspection_report import read_inspection
from fer_tf.errors import UserError
from fer_tf.evaluation.ensembles import FLAT
from fer_tf.evaluation.evaluate import evaluate
from fer_tf.evaluation.markdown import central_tables, other_tables
from fer_tf.evaluation.metrics import Bootstrap, scores
from fer_tf.evaluation.report import FACELESS, flat_row, write_csv, write_evaluation
from fer_tf.evaluation.run_set import check_runs, groups_of, predict_logits
from fer_tf.expressions import EXPRESSIONS, MULTI_NETWORK, TASKS
from fer_tf.files import exclusive, read_json, require, write_json, written_beside
from fer_tf.occlusion.kinds import DATABASES
from fer_tf.paper import MODELS, RESNET18_SEVEN_CLASSES, TABLE_2, TABLE_3
from fer_tf.training.recipes import BACKBONES
from fer_tf.training.run_folder import is_finished

BEGIN, END = "<!-- made by `python cli.py reproduce --readme` -->", "<!-- end -->"
"""Lines of a Markdown file between which the tables go."""

REPRODUCTION = "reproduction.json"
"""In the folder of the tables: everything from which they are made."""

_COLLECTED = ("recipe", "provenance", "evaluations", "table_1", "table_2")
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
    provenance: dict,
    note: Callable[[str], None],
) -> dict:
    """Evaluates all that was trained by a recipe; each evaluation is written beside its runs.

    Args:
        databases: of `find_evaluable`.
        recipe: the name of the runs' folders.
        runs_dir: where runs live.
        provenance: of `fer_tf.provenance.provenance`.
        note: is told what is done.

    Returns:
        Plain values: "provenance", "recipe", "evaluations" (a list of what
        `fer_tf.evaluation.evaluate.evaluate` returned, each with its "provenance"), "table_1"
        (config -> sources of its inspection) and "table_2" (a list of dicts "network", "recipe",
        "config", "task", "split" and those of `fer_tf.evaluation.metrics.scores`), which holds the
        networks of Table 2 whatever their recipe.
    """
    found = {"provenance": provenance, "recipe": recipe}
    found |= {"evaluations": [], "table_1": {}, "table_2": []}
    for database in databases:
        parent = runs_dir / database.name / database.config / recipe
        note(f"{database}: evaluating the networks of recipe {recipe}")
        evaluation = evaluate(database, parent)
        write_evaluation(evaluation, parent, provenance)
        found["evaluations"].append(evaluation.numbers | {"provenance": provenance})
        found["table_1"][database.config] = read_inspection(database.folder)["sources"]
        if database.name == "concat_db":
            found["table_2"] += _table_2(database, parent.parent)
    return found


def read_earlier(folder: Path, recipe: str) -> dict | None:
    """What an earlier call wrote into a folder, see `collect`; None where there was none.

    Args:
        folder: where the tables are to go.
        recipe: the name of the runs' folders.

    Raises:
        UserError: if it is of another recipe, whose tables would be overwritten, or no JSON.
    """
    path = folder / REPRODUCTION
    if not path.is_file():
        return None
    earlier = read_json(path, "remove or mend it")
    require(earlier, ("recipe", *_COLLECTED), path, "remove it")
    if earlier["recipe"] != recipe:
        raise UserError(
            f"{folder} holds the tables of recipe {earlier['recipe']}, not {recipe}; give another "
            "--results-dir."
        )
    return earlier


def with_earlier(collected: dict, earlier: dict | None, note: Callable[[str], None]) -> dict:
    """Adds what an earlier call wrote of databases whose runs are not here: on other machines.

    Args:
        collected: of `collect`.
        earlier: of `read_earlier`.
        note: is told what is kept.

    Returns:
        The same with these evaluations in the databases' order, each with its own "provenance".
    """
    if earlier is None:
        return collected
    here = {numbers["database"] for numbers in collected["evaluations"]}
    kept = [n for n in earlier["evaluations"] if n["database"] not in here]
    kept = [{"provenance": earlier["provenance"]} | numbers for numbers in kept]
    for numbers in kept:
        made = "commit {commit}, {date}".format(**numbers["provenance"])
        note(f"{numbers['database']}: its runs are not here; what was measured stays ({made})")
    names = (*DATABASES, UNCOVERED)
    evaluations = sorted(
        [*collected["evaluations"], *kept],
        key=lambda numbers: names.index(numbers["database"].partition("/")[0]),
    )
    # Those of Table 2 are measured with concat_db, or stay with it.
    rows = [row for row in earlier["table_2"] if f"concat_db/{row['config']}" not in here]
    return collected | {
        "evaluations": evaluations,
        "table_1": earlier["table_1"] | collected["table_1"],
        "table_2": rows + collected["table_2"],
    }


def tables(collected: dict) -> dict[str, list[dict]]:
    """The rows of every table, by the name of its CSV file."""
    rows = {name: [] for name in _TABLES}
    for config, sources in collected["table_1"].items():
        for source, counts in sources.items():
            paper = counts["paper"] or [""] * len(EXPRESSIONS)
            for label, built, theirs in zip(EXPRESSIONS, counts["counts"], paper, strict=True):
                row = {"config": config, "source": source, "expression": label, "built": built}
                rows["table_1"].append(row | {"paper": theirs})
    rows["table_2"] = [_with_paper(flat_row(row), _quoted_2(row)) for row in collected["table_2"]]
    for numbers in collected["evaluations"]:
        database, _, config = numbers["database"].partition("/")
        place = {"database": database, "config": config, "recipe": numbers["recipe"]}
        networks = {row["name"]: row for row in numbers["results"]}
        for network in MULTI_NETWORK:
            if row := networks.get(TASKS[network].title):
                quoted = TABLE_3[network].get(database, "")
                rows["table_3"].append(_with_paper(place | flat_row(row), quoted))
        for row in numbers["methods"]:
            rows["methods"].append(place | flat_row(row))
            if row["name"] in MODELS:
                rows["table_4"].append(place | {"model": MODELS[row["name"]]} | flat_row(row))
            for source, part in row["sources"].items():
                line = place | {"method": row["name"], "source": source}
                rows["sources"].append(line | flat_row(part))
        rows["comparisons"] += [place | flat_row(row) for row in numbers["comparisons"]]
        for network, row in numbers["calibration"].items():
            rows["calibration"].append(place | {"network": network} | row)
        # Evaluations of earlier versions do not tell it.
        for network, row in numbers.get("training", {}).items():
            rows["training"].append(place | {"network": network} | row)
        for method, seeds in numbers["seeds"].items():
            rows["seeds"] += [
                place | {"method": method, "seed": seed, "accuracy": accuracy}
                for seed, accuracy in seeds.items()
            ]
    return rows


def add_tables(
    folder: Path, collected: dict, note: Callable[[str], None]
) -> tuple[dict, list[Path]]:
    """Writes the tables of what was collected and of what the folder holds of other databases.

    Another call that ends at the same time waits and keeps these.

    Args:
        folder: made if missing.
        collected: of `collect`.
        note: is told what is kept.

    Returns:
        `with_earlier` and the files.

    Raises:
        UserError: see `read_earlier`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder):
        earlier = read_earlier(folder, collected["recipe"])
        collected = with_earlier(collected, earlier, note)
        return collected, write_tables(folder, collected)


def write_tables(folder: Path, collected: dict) -> list[Path]:
    """Writes reproduction.json, a CSV file for each table and tables.md.

    Returns:
        The files. Those of tables that have become empty are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / REPRODUCTION, collected)
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


def update_readme(path: Path, collected: dict) -> None:
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
                said = logits[network].argmax(axis=1)
                truth = data.for_task(TASKS[network])[1]
                place = {"network": backbone, "recipe": folder.name, "config": database.config}
                measured = scores(truth, said, Bootstrap(groups_of(database, data)))
                rows.append(place | {"task": network, "split": split} | measured)
    return rows


def _quoted_2(row):
    if row["task"] == "begin":
        return TABLE_2[row["network"]]
    return RESNET18_SEVEN_CLASSES if row["network"] == "resnet18" else ""


def _with_paper(row, percent):
    return row | {"paper": percent / 100 if percent != "" else ""}
