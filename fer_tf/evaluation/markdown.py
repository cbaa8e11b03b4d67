"""What `fer_tf.evaluation.reproduce` collected, as Markdown for readers: measured beside quoted."""

from fer_tf.data.input_pipeline import UNCOVERED
from fer_tf.evaluation.report import sentences
from fer_tf.expressions import EXPRESSIONS, MULTI_NETWORK, TASKS
from fer_tf.markdown import markdown_table
from fer_tf.models.networks import title_of
from fer_tf.occlusion.kinds import DATABASES
from fer_tf.paper import MODELS, RESNET18_SEVEN_CLASSES, TABLE_2, TABLE_3, TABLE_4
from fer_tf.training.recipes import BACKBONES

NOT_RUN = "not run"

_TITLES = {
    "concat_db": "ConcatDB",
    "bconcat_db": "BConcatDB",
    "eye_cdb": "eyeCDB",
    UNCOVERED: "no occlusion",
}


def central_tables(collected: dict) -> str:
    """Tables 3 and 4 and the comparisons, configs side by side, with what made them."""
    by_place = {numbers["database"]: numbers for numbers in collected["evaluations"]}
    made = {}
    for name, numbers in by_place.items():
        source = numbers["provenance"]
        place = "commit {commit}; {machine}; {date}".format(**source)
        made.setdefault(source["command"], {}).setdefault(place, []).append(name)
    made = [
        f"`{command}`, "
        + "; ".join(f"{', '.join(names)}: {place}" for place, names in places.items())
        for command, places in made.items()
    ]
    found = (len(seeds) for n in by_place.values() for seeds in n["seeds"].values())
    seeds = max(found, default=1)
    images = "; ".join(
        f"{name}: {n['images']:,} test images in {n['groups']:,} groups, largest class "
        f"{100 * n['methods'][0]['majority_baseline']:.1f} %"
        for name, n in by_place.items()
        if n["methods"]
    )
    parts = [
        f"Recipe `{collected['recipe']}`, {seeds} seed{'s' * (seeds > 1)} at most. {images}. "
        f"Percentages with 95 % intervals over these images. Made by {' and '.join(made)}.",
        f"**Table 3**: each network on its own task.\n\n{_table_3(by_place)}",
        f"**Table 4**: seven expressions. Quoted rows are the paper's, on four sources at 224x224."
        f"\n\n{_table_4(by_place)}",
    ]
    for name, numbers in by_place.items():
        if lines := sentences(numbers):
            parts.append(f"{name}, on the same images:\n\n" + "\n".join(f"- {s}." for s in lines))
    return "\n\n".join(parts)


def other_tables(collected: dict) -> str:
    """Tables 1 and 2, and the ways to combine networks for each database."""
    parts = [
        f"## Table 1: images\n\n{_table_1(collected['table_1'])}",
        f"## Table 2: other networks on ConcatDB, %\n\n{_table_2(collected['table_2'])}",
    ]
    for numbers in collected["evaluations"]:
        title = f"## {numbers['database']}, recipe {numbers['recipe']}: ways to combine, %"
        parts.append(f"{title}\n\n{_methods(numbers)}")
        if runs := numbers.get("training"):
            parts.append(f"Their training:\n\n{_training(runs)}")
    return "\n\n".join(parts)


def _table_1(configs):
    lines = []
    for config, sources in configs.items():
        for source, row in sources.items():
            lines.append([config, source, "built", *row["counts"], sum(row["counts"])])
            if row["paper"]:
                lines.append([config, source, "paper", *row["paper"], sum(row["paper"])])
    return markdown_table(["config", "source", "", *EXPRESSIONS, "total"], lines)


def _table_2(rows):
    lines = []
    for network in BACKBONES:
        own = [row for row in rows if row["network"] == network]
        quoted = RESNET18_SEVEN_CLASSES if network == "resnet18" else ""
        for recipe, config in dict.fromkeys((r["recipe"], r["config"]) for r in own) or {
            ("", ""): 0
        }:
            cells = {r["task"]: r for r in own if (r["recipe"], r["config"]) == (recipe, config)}
            begin, flat = _cell(cells.get("begin")), _cell(cells.get("flat"))
            lines.append([network, recipe, config, begin, TABLE_2[network], flat, quoted])
    head = ["network", "recipe", "config", "three paths, validation", "paper"]
    return markdown_table([*head, "seven expressions, test", "paper"], lines)


def _table_3(by_place):
    places = _places(by_place, DATABASES)
    lines = []
    for network in MULTI_NETWORK:
        line = [TASKS[network].title]
        for database, place in places:
            row = _named(by_place, place, "results", TASKS[network].title)
            baseline = f"; {100 * row['majority_baseline']:.1f}" if row else ""
            line.append(f"{_cell(row)}{baseline}; *{TABLE_3[network][database]}*")
        lines.append(line)
    table = markdown_table(["network", *_heads(places)], lines)
    return f"{table}\n\nBehind each accuracy: always the largest class; *the paper's, quoted*."


def _table_4(by_place):
    places = _places(by_place, (*DATABASES, UNCOVERED))
    lines = [
        [model, *(_cell(_named(by_place, place, "methods", name)) for _, place in places)]
        for name, model in MODELS.items()
    ]
    lines += [
        [f"*{model}, quoted*"]
        + [f"*{quoted[database]}*" if database in quoted else "" for database, _ in places]
        for model, quoted in TABLE_4.items()
    ]
    return markdown_table(["model", *_heads(places)], lines)


def _places(by_place, databases):
    """The columns: (database, database/config), every config that was evaluated, or none."""
    columns = []
    for database in databases:
        own = [place for place in by_place if place.startswith(f"{database}/")]
        columns += [(database, place) for place in own or [database]]
    return columns


def _heads(places):
    return [
        " ".join([_TITLES[database], *(f"`{config}`" for config in place.split("/")[1:])])
        for database, place in places
    ]


def _methods(numbers):
    lines = []
    for row in numbers["methods"]:
        curves = numbers["reliability"].get(row["name"])
        ece = [f"{100 * curves[when]['ece']:.1f}" for when in curves] if curves else ["", ""]
        cells = [_cell(row, name) for name in ("accuracy", "balanced_accuracy", "macro_f1")]
        cells += [f"{100 * row[name]:.1f}" for name in ("path_right", "right_given_path")]
        lines.append([row["name"], row["networks"], *cells, *ece])
    head = ["method", "networks", "accuracy", "balanced accuracy", "macro-F1", "P(path right)"]
    return markdown_table([*head, "P(label right \\| path right)", "ECE", "ECE, scaled"], lines)


def _training(runs):
    lines = []
    for network, run in runs.items():
        line = [f"{run[name]:,}" for name in ("weights", "training_images")]
        line += [run["epochs_done"], run["best_epoch"], f"{run['best_validation_loss']:.3f}"]
        line += [f"{run['seconds'] / 60:.1f}", run["images_per_second"], run["commit"]]
        lines.append([title_of(network), *line])
    head = ["network", "weights", "images", "epochs", "best epoch", "validation loss there"]
    return markdown_table([*head, "minutes", "images/s", "commit"], lines)


def _named(by_place, place, key, name):
    rows = by_place[place][key] if place in by_place else []
    return next((row for row in rows if row["name"] == name), None)


def _cell(row, name="accuracy"):
    if row is None:
        return NOT_RUN
    low, high = row[f"{name}_95"]
    return f"{100 * row[name]:.1f} ({100 * low:.1f} to {100 * high:.1f})"
