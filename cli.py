"""The command line: `python cli.py --help`.

Each command parses, calls one function of `fer_tf`, and prints what was made and what comes next.
TensorFlow is imported by the commands, not here, so that help is instant.
"""

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from fer_tf.errors import InputError

# On CPUs oneDNN alone differentiates grouped convolutions (fer_tf/layers/grouped_conv2d.py).
# TensorFlow reads this when it is imported.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

app = typer.Typer(
    help="Facial expression recognition for partly covered faces.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Databases = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[DATABASE]...",
        help="concat_db (upper half black), bconcat_db (lower half), eye_cdb (eyes), each with or "
        "without /CONFIG; all three when none is named.",
        show_default=False,
    ),
]
DataDir = Annotated[Path, typer.Option(help="Where prepared databases live.")]
RunsDir = Annotated[Path, typer.Option(help="Where training runs live.")]
ModelsDir = Annotated[Path, typer.Option(help="Where combined models live.")]
RecipeName = Annotated[str, typer.Option("--recipe", help="paper, quick or demo.")]
ModelName = Annotated[str | None, typer.Option("--name", help="Name of the combined model.")]
Replace = Annotated[
    bool,
    typer.Option(
        help="Let a version of another database, config or recipe become the newest of its name."
    ),
]
DATA_DIR, RUNS_DIR, MODELS_DIR = Path("data/tfds"), Path("runs"), Path("saved_models")


@app.command()
def build_datasets(
    databases: Databases = None,
    sources: Annotated[
        str | None,
        typer.Option(
            help="fer2013, jaffe, kdef, raf_db joined by commas, or drawn; by default every one "
            "found under --raw-dir.",
            show_default=False,
        ),
    ] = None,
    raw_dir: Annotated[Path, typer.Option(help="Holds one folder for each source.")] = Path(
        "data/raw"
    ),
    data_dir: DataDir = DATA_DIR,
    leak_free: Annotated[
        bool, typer.Option("--leak-free", help="Keep look-alikes and persons on one side.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Threads; all cores by default.", show_default=False)
    ] = None,
):
    """Make the three databases of covered faces from raw archives or from drawn faces."""
    from fer_tf.occlusion import DATABASES

    for name in databases or DATABASES:
        if name not in DATABASES:
            raise InputError(
                f"No database is named {name!r}; choose among {', '.join(DATABASES)}. The config "
                "follows from --sources and --leak-free."
            )
    from fer_tf.sources import find_sources

    chosen = sources.split(",") if sources else find_sources(raw_dir)

    _import_tensorflow()
    import tensorflow_datasets as tfds

    from fer_tf.occluded_faces import config_for

    config = config_for(chosen, leak_free)
    if not sys.stdout.isatty():
        tfds.disable_progress_bar()  # Its bars would fill a log.
    for name in databases or DATABASES:
        module = import_module(f"datasets.{name}.{name}_dataset_builder")
        builder = module.Builder(data_dir=data_dir, config=config, jobs=jobs)
        typer.echo(f"{name}/{config.name}: from {', '.join(config.sources)}")
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(manual_dir=raw_dir)
        )
        splits = {key: split.num_examples for key, split in builder.info.splits.items()}
        typer.echo(f"Wrote {builder.data_dir}: {splits}")
        if found := builder.info.metadata.get("eyes_found"):
            typer.echo(
                f"Eyes found by the cascade: two {found[2]}, one {found[1]}, none {found[0]}."
            )
    recipe = " --recipe demo" if chosen == ["drawn"] else ""
    _next(f"python cli.py train all{recipe}")


@app.command()
def train(
    network: Annotated[
        str, typer.Argument(help="all (the four), begin, subnet_x, subnet_y, subnet_z or flat.")
    ],
    database: Annotated[
        list[str] | None,
        typer.Option(help="DATABASE or DATABASE/CONFIG; may be repeated; all three by default."),
    ] = None,
    recipe: RecipeName = "quick",
    strategy: Annotated[
        str, typer.Option(help="auto, one, or mirrored (all local GPUs).")
    ] = "auto",
    seed: Annotated[int, typer.Option(help="Of weights, shuffling and augmentation.")] = 0,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew instead of going on.")
    ] = False,
    name: ModelName = None,
    replace: Replace = False,
    data_dir: DataDir = DATA_DIR,
    runs_dir: RunsDir = RUNS_DIR,
    models_dir: ModelsDir = MODELS_DIR,
):
    """Train networks; `all` then combines the four into a SavedModel. Interrupted, it goes on."""
    from fer_tf.expressions import MULTI_NETWORK, TASKS
    from fer_tf.input_pipeline import find_database
    from fer_tf.recipes import get_recipe

    if network != "all" and network not in TASKS:
        raise InputError(f"No network is named {network!r}; choose all, {', '.join(TASKS)}.")
    chosen = get_recipe(recipe)
    found = [find_database(db, data_dir) for db in _databases(database)]

    _import_tensorflow()
    from fer_tf.training import RunKey, make_strategy, train_network

    scope = make_strategy(strategy)
    for db in found:
        splits = {split: db.read(split) for split in ("train", "validation")}
        key = RunKey(db.name, db.config, db.fingerprint(), db.occlusion, chosen, seed)
        for each in MULTI_NETWORK if network == "all" else [network]:
            task = TASKS[each]
            typer.echo(f"{db}: {task.title} with recipe {chosen.name}")
            try:
                run = train_network(
                    each,
                    key,
                    splits["train"].for_task(task),
                    splits["validation"].for_task(task),
                    runs_dir,
                    scope,
                    restart,
                    verbose=1 if sys.stdout.isatty() else 2,
                )
            except KeyboardInterrupt:
                typer.echo(
                    "\nInterrupted. The same command, without --restart, goes on from the last "
                    "finished epoch.",
                    err=True,
                )
                raise typer.Exit(130) from None
            typer.echo(
                f"{key.folder(runs_dir, each)}: best of {run['epochs_done']} epochs is "
                f"{run['best_epoch']}, validation loss {run['best_validation_loss']:.4f}, "
                f"{run['images_per_second']:.0f} images/s"
            )
    if network != "all":
        _next(f"python cli.py evaluate {' '.join(map(str, found))} --recipe {recipe}")
        return
    _combine(found, recipe, name, replace, runs_dir, models_dir)


@app.command()
def combine(
    databases: Databases = None,
    recipe: RecipeName = "quick",
    name: ModelName = None,
    replace: Replace = False,
    data_dir: DataDir = DATA_DIR,
    runs_dir: RunsDir = RUNS_DIR,
    models_dir: ModelsDir = MODELS_DIR,
):
    """Combine four trained networks into the next version of ONE SavedModel."""
    from fer_tf.input_pipeline import find_database

    found = [find_database(db, data_dir) for db in _databases(databases)]
    _import_tensorflow()
    _combine(found, recipe, name, replace, runs_dir, models_dir)


@app.command()
def evaluate(
    databases: Databases = None,
    recipe: RecipeName = "quick",
    data_dir: DataDir = DATA_DIR,
    runs_dir: RunsDir = RUNS_DIR,
    require_above_floor: Annotated[
        bool, typer.Option(help="Fail when an accuracy is not above its floor.")
    ] = False,
):
    """Measure the networks, alone and combined, on the test split."""
    from fer_tf.input_pipeline import find_database

    found = [find_database(name, data_dir) for name in _databases(databases)]
    _import_tensorflow()
    from rich.console import Console

    from fer_tf.evaluation import evaluate as measure
    from fer_tf.evaluation import table
    from fer_tf.expressions import MULTI_NETWORK
    from fer_tf.training import write_json

    below = []
    for db in found:
        folders = _run_folders(db, recipe, runs_dir)
        numbers = measure(db, folders)
        path = folders[MULTI_NETWORK[0]].parent / "evaluation.json"
        write_json(path, numbers)
        Console().print(table(numbers))
        typer.echo(f"Wrote {path}")
        below += [
            f"{db} {row['name']} {row['accuracy']:.3f} (floor {row['floor']:.3f})"
            for row in numbers["results"]
            if row["accuracy"] <= row["floor"]
        ]
    if below and require_above_floor:
        typer.echo("Not above the floor: " + "; ".join(below), err=True)
        raise typer.Exit(1)
    _next("python cli.py predict PHOTO...")


@app.command()
def predict(
    photos: Annotated[list[Path], typer.Argument(help="Picture files.")],
    name: ModelName = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    models_dir: ModelsDir = MODELS_DIR,
):
    """Find the faces in photographs and name their expressions."""
    from rich.console import Console

    from fer_tf.inference import find_model, table
    from fer_tf.inference import predict as run

    model = find_model(name, models_dir)
    _import_tensorflow()
    predictions = run(photos, model)
    if as_json:
        typer.echo(json.dumps([prediction.as_dict() for prediction in predictions], indent=1))
        return
    Console().print(table(predictions))
    typer.echo(f"Answered by {model}")


def _import_tensorflow():
    """Imports TensorFlow without the lines that it writes to stderr whatever it is told.

    Four lines on each start, one of them an "E" where there is no GPU (tensorflow#100442). Who
    wants them, to see why a GPU is not found, sets TF_CPP_MIN_LOG_LEVEL=0.
    """
    quiet = "TF_CPP_MIN_LOG_LEVEL" not in os.environ
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    stderr = os.dup(2)
    try:
        if quiet:
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), 2)
        import tensorflow as tf

        gpus = len(tf.config.list_physical_devices("GPU"))
        if quiet:  # Each network is traced anew, which TensorFlow takes for a mistake.
            tf.get_logger().setLevel("ERROR")
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
    device = f"{gpus} GPU{'s' * (gpus > 1)}" if gpus else f"CPU, {os.cpu_count()} cores"
    typer.echo(f"TensorFlow {tf.__version__} on {device}", err=True)


def _databases(names):
    from fer_tf.occlusion import DATABASES

    return names or list(DATABASES)


def _run_folders(database, recipe, runs_dir):
    """Run folder of each of the four networks, and of the flat one if it is trained."""
    from fer_tf.expressions import MULTI_NETWORK
    from fer_tf.training import read_run

    parent = runs_dir / database.name / database.config / recipe
    folders = {network: parent / network for network in MULTI_NETWORK}
    flat = read_run(parent / "flat")
    return folders | ({"flat": parent / "flat"} if flat and flat["finished"] else {})


def _combine(databases, recipe, name, replace, runs_dir, models_dir):
    from fer_tf.serving import combine as make

    if name and len(databases) > 1:
        raise InputError("--name names one model; name one database with it.")
    for database in databases:
        typer.echo(f"{database}: combining the four networks, about half a minute")
        folders = _run_folders(database, recipe, runs_dir)
        version = make(folders, models_dir / (name or database.name), replace)
        typer.echo(f"Wrote {version}")
    _next(f"python cli.py evaluate {' '.join(map(str, databases))} --recipe {recipe}")


def _next(command):
    typer.echo(f"Next: {command}")


def main():
    """Runs the app; what a user can mend ends as one sentence on stderr, not as a traceback."""
    try:
        app()
    except InputError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        typer.echo(f"Error: {error.strerror}: {error.filename}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
