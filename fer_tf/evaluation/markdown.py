"""The tables of a reproduction in Markdown, with the paper's values."""

from fer_tf.data.database import UNCOVERED
from fer_tf.evaluation.report import sentences
from fer_tf.expressions import EXPRESSIONS, MULTI_NETWORK, TASKS
from fer_tf.markdown import markdown_table
from fer_tf.models.backbone import BACKBONES
from fer_tf.models.networks import title_of
from fer_tf.occlusion.kinds import DATABASES
from fer_tf.paper import MODELS, RESNET18_SEVEN_CLASSES, TABLE_2, TABLE_3, TABLE_4
from fer_tf.percent import accuracy_with_interval, percent, percent_with_interval
from fer_tf.records.reproduction import Reproduction

NOT_RUN = "not run"

_TITLES = {
    "concat_db": "ConcatDB",
    "bconcat_db": "BConcatDB",
    "eye_cdb": "eyeCDB",
    UNCOVERED: "no occlusion",
}


def central_tables(collected: Reproduction) -> str:
    """Returns Tables 3 and 4, the comparisons and the commands that measured them."""
    by_place = {numbers.database: numbers for numbers in collected.evaluations}
    seeds = max((len(s) for n in by_place.values() for s in n.seeds.values()), default=1)
    seed_or_seeds = "seed" if seeds == 1 else "seeds"
    images = "; ".join(
        f"{name}: {n.images:,} test images in {n.groups:,} groups, largest class "
        f"{percent(n.methods[0].majority_baseline)} %"
        for name, n in by_place.items()
        if n.methods
    )
    parts = [
        f"Recipe `{collected.recipe}`, {seeds} {seed_or_seeds} at most. {images}. "
        f"Percentages with 95 % intervals over these images. Made by {_commands(by_place)}.",
        f"**Table 3**: each network on its own task.\n\n{_table_3(by_place)}",
        f"**Table 4**: seven expressions. Quoted rows are the paper's, on four sources at 224x224."
        f"\n\n{_table_4(by_place)}",
    ]
    for name, numbers in by_place.items():
        if lines := sentences(numbers):
            parts.append(f"{name}, on the same images:\n\n" + "\n".join(f"- {s}." for s in lines))
    return "\n\n".join(parts)


def other_tables(collected: Reproduction) -> str:
    """Returns Tables 1 and 2, and the ensemble methods on each database."""
    parts = [
        f"## Table 1: images\n\n{_table_1(collected.table_1)}",
        f"## Table 2: other networks on ConcatDB, %\n\n{_table_2(collected.table_2)}",
    ]
    for numbers in collected.evaluations:
        title = f"## {numbers.database}, recipe {numbers.recipe}: ensemble methods, %"
        parts.append(f"{title}\n\n{_methods(numbers)}")
        if numbers.training:
            parts.append(f"Their training:\n\n{_training(numbers.training)}")
    return "\n\n".join(parts)


def _commands(by_place):
    """Each command with its databases, commit, machine and date."""
    places_of = {}
    for name, numbers in by_place.items():
        source = numbers.provenance
        place = f"commit {source.commit}; {source.machine}; {source.date}"
        places_of.setdefault(source.command, {}).setdefault(place, []).append(name)
    return " and ".join(
        f"`{command}`, "
        + "; ".join(f"{', '.join(names)}: {place}" for place, names in places.items())
        for command, places in places_of.items()
    )


def _table_1(configs):
    lines = []
    for config, sources in configs.items():
        for source, row in sources.items():
            lines.append([config, source, "built", *row.counts, sum(row.counts)])
            if row.paper:
                lines.append([config, source, "paper", *row.paper, sum(row.paper)])
    return markdown_table(["config", "source", "", *EXPRESSIONS, "total"], lines)


def _table_2(rows):
    lines = []
    for network in BACKBONES:
        measured = [row for row in rows if row.network == network]
        quoted = RESNET18_SEVEN_CLASSES if network == "resnet18" else ""
        places = dict.fromkeys((row.recipe, row.config) for row in measured) or {("", ""): None}
        for recipe, config in places:
            cells = {r.task: r for r in measured if (r.recipe, r.config) == (recipe, config)}
            begin, flat = _accuracy(cells.get("begin")), _accuracy(cells.get("flat"))
            lines.append([network, recipe, config, begin, TABLE_2[network], flat, quoted])
    head = ["network", "recipe", "config", "three paths, validation", "paper"]
    return markdown_table([*head, "seven expressions, test", "paper"], lines)


def _table_3(by_place):
    places = _places(by_place, DATABASES)
    lines = []
    for network in MULTI_NETWORK:
        title = TASKS[network].title
        line = [title]
        for database, place in places:
            row = _named(by_place[place].results, title) if place in by_place else None
            baseline = f"; {percent(row.majority_baseline)}" if row else ""
            line.append(f"{_accuracy(row)}{baseline}; *{TABLE_3[network][database]}*")
        lines.append(line)
    table = markdown_table(["network", *_heads(places)], lines)
    return f"{table}\n\nBehind each accuracy: always the largest class; *the paper's, quoted*."


def _table_4(by_place):
    places = _places(by_place, (*DATABASES, UNCOVERED))
    lines = []
    for name, model in MODELS.items():
        rows = [_named(by_place[p].methods, name) if p in by_place else None for _, p in places]
        lines.append([model, *map(_accuracy, rows)])
    lines += [
        [f"*{model}, quoted*"]
        + [f"*{quoted[database]}*" if database in quoted else "" for database, _ in places]
        for model, quoted in TABLE_4.items()
    ]
    return markdown_table(["model", *_heads(places)], lines)


def _places(by_place, databases):
    """The columns as (database, database/config): one for each config that was evaluated."""
    columns = []
    for database in databases:
        evaluated = [place for place in by_place if place.startswith(f"{database}/")]
        columns += [(database, place) for place in evaluated or [database]]
    return columns


def _heads(places):
    return [
        " ".join([_TITLES[database], *(f"`{config}`" for config in place.split("/")[1:])])
        for database, place in places
    ]


def _methods(numbers):
    lines = []
    for row in numbers.methods:
        pair = numbers.reliability.get(row.name)
        ece = [percent(pair.before.ece), percent(pair.after.ece)] if pair else ["", ""]
        cells = [
            _accuracy(row),
            percent_with_interval(row.balanced_accuracy, row.balanced_accuracy_95),
            percent_with_interval(row.macro_f1, row.macro_f1_95),
            percent(row.path_right),
            percent(row.right_given_path),
        ]
        lines.append([row.name, row.networks, *cells, *ece])
    head = ["method", "networks", "accuracy", "balanced accuracy", "macro-F1", "P(path right)"]
    return markdown_table([*head, "P(label right \\| path right)", "ECE", "ECE, scaled"], lines)


def _training(runs):
    lines = [
        [
            title_of(network),
            f"{run.weights:,}",
            f"{run.training_images:,}",
            run.epochs_done,
            run.best_epoch,
            f"{run.best_validation_loss:.3f}",
            f"{run.seconds / 60:.1f}",
            run.images_per_second,
            run.commit,
        ]
        for network, run in runs.items()
    ]
    head = ["network", "weights", "images", "epochs", "best epoch", "validation loss there"]
    return markdown_table([*head, "minutes", "images/s", "commit"], lines)


def _named(rows, name):
    return next((row for row in rows if row.name == name), None)


def _accuracy(row):
    return accuracy_with_interval(row) if row else NOT_RUN
