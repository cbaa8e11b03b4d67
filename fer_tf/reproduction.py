"""Every table of the paper from evaluations of trained networks, as CSV and Markdown."""

from collections.abc import Callable, Sequence
from pathlib import Path

from fer_tf.errors import InputError
from fer_tf.evaluation import evaluate
from fer_tf.evaluation_files import flat_row, sentences, write_csv, write_evaluation
from fer_tf.expressions import EXPRESSIONS, MULTI_NETWORK, TASKS
from fer_tf.input_pipeline import UNCOVERED, Database, find_database
from fer_tf.inspection_files import read_inspection
from fer_tf.integration import FLAT, FLAT_NO_ATTENTION, JOINT, PATH_SELECTION
from fer_tf.model_card import markdown_table
from fer_tf.occlusion import DATABASES
from fer_tf.quoted import RESNET18_SEVEN_CLASSES, TABLE_2, TABLE_3, TABLE_4
from fer_tf.recipes import BACKBONES
from fer_tf.runs import write_json, written_beside

NOT_RUN = "not run"
_TITLES = {"concat_db": "ConcatDB", "bconcat_db": "BConcatDB", "eye_cdb": "eyeCDB"}
_BEGIN, _END = "<!-- made by `python cli.py reproduce --readme` -->", "<!-- end -->"


def find_evaluable(recipe: str, runs_dir: Path, data_dir: Path) -> list[Database]:
    """The prepared databases on which networks of a recipe were trained, all configs.

    Raises:
        InputError: if there is none.
    """
    names = (*DATABASES, UNCOVERED)
    folders = [path for name in names for path in sorted(runs_dir.glob(f"{name}/*/{recipe}"))]
    if not folders:
        raise InputError(
            f"{runs_dir} holds no run of recipe {recipe}; run `python cli.py train all` first, or "
            "name another --recipe or --runs-dir."
        )
    return [find_database("/".join(path.parts[-3:-1]), data_dir) for path in folders]


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
        Plain values: "provenance", "evaluations" (what `fer_tf.evaluation.evaluate` returned, a
        list), "table_1" (config -> sources of its inspection) and "table_2" (a list of dicts
        "network", "config", "task", "split" and those of `fer_tf.metrics.scores`).
    """
    found = {"provenance": provenance, "evaluations": [], "table_1": {}, "table_2": []}
    for database in databases:
        parent = runs_dir / database.name / database.config / recipe
        note(f"{database}: evaluating the networks of recipe {recipe}")
        evaluation = evaluate(database, parent)
        write_evaluation(evaluation, parent, provenance)
        found["evaluations"].append(evaluation.numbers)
        found["table_1"][database.config] = read_inspection(database.folder)["sources"]
        if database.name == "concat_db":
            found["table_2"] += _table_2(database, parent)
    return found


def tables(collected: dict) -> dict[str, list[dict]]:
    """The rows of every table, by the name of its CSV file."""
    rows = {name: [] for name in ("table_1", "table_2", "table_3", "table_4")}
    rows |= {name: [] for name in ("methods", "sources", "comparisons", "calibration", "seeds")}
    for config, sources in collected["table_1"].items():
        for source, counts in sources.items():
            paper = counts["paper"] or [""] * len(EXPRESSIONS)
            for label, built, theirs in zip(EXPRESSIONS, counts["counts"], paper, strict=True):
                row = {"config": config, "source": source, "expression": label, "built": built}
                rows["table_1"].append(row | {"paper": theirs})
    rows["table_2"] = [_with_paper(flat_row(row), _quoted_2(row)) for row in collected["table_2"]]
    for numbers in collected["evaluations"]:
        database, _, config = numbers["database"].partition("/")
        place = {"database": database, "config": config}
        networks = {row["name"]: row for row in numbers["results"]}
        for network in MULTI_NETWORK:
            if row := networks.get(TASKS[network].title):
                quoted = TABLE_3[network].get(database, "")
                rows["table_3"].append(_with_paper(place | flat_row(row), quoted))
        rows["table_4"] += [place | flat_row(row) for row in _models(numbers)]
        rows["methods"] += [place | flat_row(row) for row in numbers["methods"]]
        for method in numbers["methods"]:
            for source, row in method["sources"].items():
                line = place | {"method": method["name"], "source": source}
                rows["sources"].append(line | row)
        rows["comparisons"] += [place | flat_row(row) for row in numbers["comparisons"]]
        for network, row in numbers["calibration"].items():
            rows["calibration"].append(place | {"network": network} | row)
        for method, seeds in numbers["seeds"].items():
            for seed, accuracy in seeds.items():
                line = place | {"method": method, "seed": seed, "accuracy": accuracy}
                rows["seeds"].append(line)
    return rows


def markdown(collected: dict) -> tuple[str, str]:
    """The tables for readers.

    Returns:
        Tables 3 and 4 with the comparisons, for a README, and all others.
    """
    evaluations = collected["evaluations"]
    configs = list(dict.fromkeys(n["database"].partition("/")[2] for n in evaluations))
    central, others = [], [_markdown_1(collected["table_1"]), _markdown_2(collected["table_2"])]
    for config in configs:
        by_database = {
            numbers["database"].partition("/")[0]: numbers
            for numbers in evaluations
            if numbers["database"].endswith(f"/{config}")
        }
        central += [_markdown_3(config, by_database), _markdown_4(config, by_database)]
        for numbers in by_database.values():
            if lines := sentences(numbers):
                central.append(f"{numbers['database']}:\n" + "\n".join(f"- {s}." for s in lines))
            others.append(_markdown_methods(numbers))
    return "\n\n".join(central), "\n\n".join(others)


def write_tables(folder: Path, collected: dict) -> list[Path]:
    """Writes reproduction.json, a CSV file for each table and tables.md.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "reproduction.json", collected)
    written = [folder / "reproduction.json"]
    for name, rows in tables(collected).items():
        if rows:
            written.append(folder / f"{name}.csv")
            write_csv(written[-1], rows)
    made = "{command}; commit {commit}; {machine}; {date}".format(**collected["provenance"])
    written.append(folder / "tables.md")
    with written_beside(written[-1]) as out:
        central, others = markdown(collected)
        out.write(f"# Tables\n\nMade by {made}.\n\n{central}\n\n{others}\n".encode())
    return written


def update_readme(path: Path, collected: dict) -> None:
    """Puts the central tables between the two marks of a Markdown file.

    Raises:
        InputError: if the file lacks them.
    """
    before, begin, rest = path.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise InputError(f"{path} lacks the lines {_BEGIN} and {_END}; put them where tables go.")
    text, _ = markdown(collected)
    with written_beside(path) as out:
        out.write(f"{before}{begin}\n\n{text}\n\n{end}{after}".encode())


def _table_2(database, parent):
    """Runs of the backbones of Table 2: on the paths as in it, and on the seven expressions."""
    rows = []
    for backbone in BACKBONES:
        folder = parent.with_name(f"{parent.name}-{backbone}")
        for network, split in (("begin", "validation"), (FLAT, "test")):
            if not (folder / network / "best.keras").is_file():
                continue
            numbers = evaluate(database, folder, split).numbers
            row = next(r for r in numbers["results"] if r["name"] == TASKS[network].title)
            place = {"network": backbone, "config": database.config, "task": network}
            rows.append(place | {"split": split} | row)
    return rows


def _quoted_2(row):
    if row["task"] == "begin":
        return TABLE_2[row["network"]]
    return RESNET18_SEVEN_CLASSES if row["network"] == "resnet18" else ""


def _with_paper(row, percent):
    return row | {"paper": percent / 100 if percent != "" else ""}


def _models(numbers):
    """The rows of Table 4 that are measured on one database."""
    shown = {PATH_SELECTION: "ours: path selection", JOINT: "ours: joint probability"}
    shown |= {FLAT: "flat, same recipe", FLAT_NO_ATTENTION: "flat, same recipe, no attention"}
    return [
        {"model": shown[row["name"]]} | row for row in numbers["methods"] if row["name"] in shown
    ]


def _markdown_1(table_1):
    lines = []
    for config, sources in table_1.items():
        for source, row in sources.items():
            paper = row["paper"] or ["no source of the paper"] * len(EXPRESSIONS)
            lines.append([config, source, "built", *row["counts"], sum(row["counts"])])
            if row["paper"]:
                lines.append([config, source, "paper", *paper, sum(paper)])
    head = ["config", "source", "", *EXPRESSIONS, "total"]
    return f"### Table 1: images\n\n{markdown_table(head, lines)}"


def _markdown_2(rows):
    by_key = {(row["network"], row["task"]): row for row in rows}
    lines = []
    for network in BACKBONES:
        begin, flat = by_key.get((network, "begin")), by_key.get((network, FLAT))
        quoted = RESNET18_SEVEN_CLASSES if network == "resnet18" else ""
        lines.append([network, _cell(begin), TABLE_2[network], _cell(flat), quoted])
    head = ["network", "three paths, validation", "paper", "seven expressions, test", "paper"]
    return f"### Table 2: other networks on ConcatDB, %\n\n{markdown_table(head, lines)}"


def _markdown_3(config, by_database):
    lines = []
    for network in MULTI_NETWORK:
        line = [TASKS[network].title]
        for database in DATABASES:
            row = _named(by_database, database, "results", TASKS[network].title)
            line += [_cell(row), f"{100 * row['floor']:.1f}" if row else ""]
            line.append(TABLE_3[network][database])
        lines.append(line)
    head = ["network"] + [
        f"{_TITLES[database]}{part}"
        for database in DATABASES
        for part in ("", ", largest class", ", paper")
    ]
    title = f"**Table 3**, accuracy of each network, config `{config}`, %"
    return f"{title}\n\n{markdown_table(head, lines)}"


def _markdown_4(config, by_database):
    columns = [*DATABASES, UNCOVERED]
    lines = []
    for name, model in (
        (PATH_SELECTION, "ours: path selection"),
        (JOINT, "ours: joint probability"),
        (FLAT, "flat, same recipe"),
        (FLAT_NO_ATTENTION, "flat, same recipe, no attention"),
    ):
        cells = [_cell(_named(by_database, column, "methods", name)) for column in columns]
        lines.append([model, *cells])
    lines += [
        [f"*{model}, quoted*", *(f"*{quoted[column]}*" for column in DATABASES), ""]
        for model, quoted in TABLE_4.items()
    ]
    head = ["model", *_TITLES.values(), "no occlusion"]
    return f"**Table 4**, seven expressions, config `{config}`, %\n\n{markdown_table(head, lines)}"


def _markdown_methods(numbers):
    lines = []
    for row in numbers["methods"]:
        curves = numbers["reliability"].get(row["name"])
        ece = [f"{100 * curves[when]['ece']:.1f}" for when in curves] if curves else ["", ""]
        cells = [_cell(row, name) for name in ("accuracy", "balanced_accuracy", "macro_f1")]
        cells += [f"{100 * row[name]:.1f}" for name in ("path_right", "right_given_path")]
        lines.append([row["name"], row["networks"], *cells, *ece])
    head = ["method", "networks", "accuracy", "balanced accuracy", "macro-F1", "P(path right)"]
    head += ["P(label right \\| path right)", "ECE", "ECE scaled"]
    floor = f"{100 * numbers['methods'][0]['floor']:.1f}" if lines else ""
    return (
        f"### {numbers['database']}, recipe {numbers['recipe']}: ways to combine, %\n\n"
        f"{numbers['images']:,} test images in {numbers['groups']:,} groups; always the largest "
        f"class: {floor}.\n\n{markdown_table(head, lines)}"
    )


def _named(by_database, database, key, name):
    rows = by_database[database][key] if database in by_database else []
    return next((row for row in rows if row["name"] == name), None)


def _cell(row, name="accuracy"):
    if row is None:
        return NOT_RUN
    low, high = row[f"{name}_95"]
    return f"{100 * row[name]:.1f} ({100 * low:.1f} to {100 * high:.1f})"
