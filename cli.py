"""The command line: `python cli.py --help`.

Each command parses, calls one function of `fer_tf`, and prints what was made and what comes next.
TensorFlow is imported by the commands, not here, so that help is instant.
"""

import contextlib
import errno
import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from fer_tf.errors import UserError
from fer_tf.terminal import console, prepare_streams

# On CPUs oneDNN alone differentiates grouped convolutions (fer_tf/models/layers/grouped_conv2d.py).
# TensorFlow reads this when it is imported.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# OpenCV writes lines of its own about pictures that the readers refuse with a sentence.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # The same of videos.
# What other projects set up for Keras must not change these networks: the backend, and in a
# keras.json the float type, the image data format and the epsilon. No such file lies below devnull.
os.environ |= {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": os.devnull}
for limit in ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH"):
    os.environ.pop(limit, None)

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
RunName = Annotated[
    str,
    typer.Option(
        "--recipe",
        help="Recipe of the runs; with what was changed, e.g. quick-no_attention or quick-seed1.",
    ),
]
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
        bool, typer.Option("--leak-free", help="Keep near duplicates and persons on one side.")
    ] = False,
    clean: Annotated[
        bool,
        typer.Option("--clean", help="Drop blank images and those whose copies disagree in label."),
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Cores to use; all by default.", show_default=False),
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Replace databases that were built from other files.")
    ] = False,
):
    """Make the three databases of covered faces from raw archives or from drawn faces.

    Interrupted, the same command goes on: sources that are read and databases that are written are
    not made again.
    """
    from fer_tf.occlusion.kinds import DATABASES

    for name in databases or DATABASES:
        if name not in DATABASES:
            raise UserError(
                f"No database is named {name!r}; choose among {', '.join(DATABASES)}. The config "
                "follows from --sources, --leak-free and --clean."
            )
    from fer_tf.data.sources import find_sources

    chosen = sources.split(",") if sources else find_sources(raw_dir)

    from fer_tf.data.build import build
    from fer_tf.data.tfds_configs import config_for

    config = config_for(chosen, leak_free, clean)
    builders = {name: f"datasets.{name}.{name}_dataset_builder" for name in databases or DATABASES}
    typer.echo(f"{', '.join(builders)} with config {config.name}: from {', '.join(config.sources)}")
    notes = []
    try:
        for _, built in build(builders, config, raw_dir, data_dir, jobs, rebuild):
            verb = "Wrote" if built.is_new else "Ready, from the same files:"
            typer.echo(f"{verb} {built.folder}: {built.splits}")
            notes += [f"Note: {sentence}" for sentence in built.metadata["table_1_differences"]]
            if found := built.metadata["eyes_found"]:
                eyes = f"two {found[2]:,}, one {found[1]:,}, none {found[0]:,}"
                notes.append(f"Eyes found by the cascade: {eyes}; the others are placed.")
    except KeyboardInterrupt:
        typer.echo("\nInterrupted. The same command goes on with what is missing.", err=True)
        raise typer.Exit(130) from None
    for note in dict.fromkeys(notes):
        typer.echo(note)
    recipe = " --recipe demo" if chosen == ["drawn"] else ""
    _next(f"python cli.py train all{recipe}")


@app.command()
def inspect(databases: Databases = None, data_dir: DataDir = DATA_DIR):
    """Show what a database is made of: Table 1 as built, copies, leaks, odd labels and images."""
    from fer_tf.data.database import find_database
    from fer_tf.data.inspection_report import INSPECTION_DIR, read_inspection, tables

    found = [find_database(name, data_dir) for name in _databases(databases)]
    for db in found:
        report = read_inspection(db.folder)
        typer.echo(f"{db}: {report.images:,} images")
        for renderable in tables(report):
            console().print(renderable)
        typer.echo(f"Every id, Table 1 and two pictures of the faces: {db.folder / INSPECTION_DIR}")
    _next(f"python cli.py train all --database {' --database '.join(map(str, found))}")


@app.command()
def train(
    network: Annotated[
        str,
        typer.Argument(
            help="all (the four), begin, subnet_x, subnet_y, subnet_z or flat; or occlusion_net, "
            "which tells how a face is covered."
        ),
    ],
    database: Annotated[
        list[str] | None,
        typer.Option(
            help="DATABASE or DATABASE/CONFIG; may be repeated; all three by default, for "
            "occlusion_net uncovered."
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="paper, quick, from_scratch or demo; quick by default. For occlusion_net its own.",
            show_default=False,
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            "--network",
            metavar="resnet18|resnet101|resnet152|wide_resnet101_2",
            help="For the recipe's ResNeXt: a network of the paper's Table 2.",
            show_default=False,
        ),
    ] = None,
    attention: Annotated[
        bool, typer.Option("--attention/--no-attention", help="Spatial attention before it.")
    ] = True,
    strategy: Annotated[
        str,
        typer.Option(
            help="auto, one, mirrored (all local GPUs) or multi-worker (TF_CONFIG); not run on "
            "GPUs so far."
        ),
    ] = "auto",
    parallel: Annotated[
        bool,
        typer.Option("--parallel", help="One network per GPU at a time; not run on GPUs so far."),
    ] = False,
    deterministic: Annotated[
        bool,
        typer.Option("--deterministic", help="The same bits each time; slower."),
    ] = False,
    mixed_precision: Annotated[
        str | None,
        typer.Option(
            metavar="float16|bfloat16",
            help="Compute in it, keep weights and logits in float32; not run on GPUs so far.",
            show_default=False,
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Images per step, for the recipe's.", show_default=False),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="For the recipe's.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights, shuffling and augmentation.")] = 0,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew instead of going on.")
    ] = False,
    stream: Annotated[
        bool | None,
        typer.Option(
            "--stream/--no-stream",
            help="Fetch images from disk batch by batch, or hold all in memory; by default the "
            "former where they would fill much of it. The results are the same.",
            show_default=False,
        ),
    ] = None,
    name: ModelName = None,
    replace: Replace = False,
    data_dir: DataDir = DATA_DIR,
    runs_dir: RunsDir = RUNS_DIR,
    models_dir: ModelsDir = MODELS_DIR,
):
    """Train networks; `all` then combines the four into a SavedModel. Interrupted, it goes on."""
    from fer_tf.data.database import UNCOVERED, find_database
    from fer_tf.data.occluder_dataset import refuse_covered
    from fer_tf.models.networks import NETWORKS, OCCLUSION_NET
    from fer_tf.training.recipes import RECOGNISER, get_recipe, with_changes
    from fer_tf.training.run_folder import PRECISIONS

    if network != "all" and network not in NETWORKS:
        raise UserError(f"No network is named {network!r}; choose all, {', '.join(NETWORKS)}.")
    if mixed_precision not in (None, *PRECISIONS[1:]):
        raise UserError(
            f"--mixed-precision is {mixed_precision!r}; choose {' or '.join(PRECISIONS[1:])}."
        )
    if parallel and strategy not in ("auto", "one"):
        raise UserError(f"--parallel and --strategy {strategy} exclude each other; give one.")
    tells_occlusion = network == OCCLUSION_NET
    usual = get_recipe(recipe or (RECOGNISER if tells_occlusion else "quick"))
    chosen = with_changes(usual, batch_size, learning_rate, backbone, attention)
    networks = chosen.multi_network if network == "all" else [network]
    chosen.refuse_others(networks)
    names = database or ([UNCOVERED] if tells_occlusion else _databases(None))
    if tells_occlusion:
        refuse_covered(names)
        if seed or backbone:
            raise UserError(
                "--seed and --network are for the networks of expressions: of each config there is "
                "one OcclusionNet, which `combine any_occlusion` takes. Leave them out."
            )
    found = [find_database(db, data_dir) for db in names]

    _import_tensorflow()
    from fer_tf.training.jobs import train_in_turn, train_side_by_side, visible_gpus
    from fer_tf.training.run_folder import RunKey, run_name
    from fer_tf.training.strategies import listed_workers, make_strategy
    from fer_tf.training.workers import is_chief

    gpus = visible_gpus() if parallel else []
    if parallel and len(gpus) < 2:
        typer.echo("Note: --parallel would not help on one device; one network after the other.")
    scope = None
    try:
        if len(gpus) > 1:
            options = {
                "--recipe": recipe,
                "--network": backbone,
                "--no-attention": not attention,
                "--mixed-precision": mixed_precision,
                "--batch-size": batch_size,
                "--learning-rate": learning_rate,
                "--seed": seed,
                "--deterministic": deterministic,
                "--restart": restart,
                "--stream": stream is True,
                "--no-stream": stream is False,
                "--data-dir": data_dir,
                "--runs-dir": runs_dir,
            }
            command = sys.executable, __file__, "train"
            train_side_by_side(
                networks, found, chosen.init_from, command, options, gpus, typer.echo
            )
        else:
            if strategy in ("auto", "multi-worker") and (workers := listed_workers()):
                typer.echo(f"Waiting until all {len(workers)} workers have started", err=True)
            scope = make_strategy(strategy)
            for db in found:
                key = RunKey.of(db, chosen, seed, mixed_precision or "float32")
                train_in_turn(
                    networks, db, key, runs_dir, scope, restart, deterministic, stream, typer.echo
                )
    except KeyboardInterrupt:
        typer.echo(
            "\nInterrupted. The same command, without --restart, goes on from the last finished "
            "epoch.",
            err=True,
        )
        raise typer.Exit(130) from None
    if not is_chief(scope):
        return
    for db in found:
        parent = runs_dir / db.name / db.config / run_name(chosen.name, seed)
        folders = {each: parent / each for each in networks}
        typer.echo(f"Wrote {', '.join(map(str, folders.values()))}")
        if network == "all":
            typer.echo(f"Wrote {_plot_losses(db, folders)}")
    if tells_occlusion:
        for db in found:
            _tell_accuracies(db, runs_dir / db.name / db.config / run_name(chosen.name, seed), seed)
        _next(f"python cli.py combine any_occlusion/{found[-1].config}")
        return
    if network != "all":
        _next(f"python cli.py evaluate {' '.join(map(str, found))} --recipe {parent.name}")
        return
    _combine(found, parent.name, name, replace, runs_dir, models_dir)


def _tell_accuracies(database, parent, seed):
    from fer_tf.models.networks import OCCLUSION_NET
    from fer_tf.training.jobs import validation_accuracies

    shares = validation_accuracies(database, parent / OCCLUSION_NET, seed)
    told = ", ".join(f"{kind} {share:.1%}" for kind, share in shares.items())
    typer.echo(f"{database}: recognised in validation, on drawn occluders: {told}")


@app.command()
def combine(
    databases: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DATABASE]...",
            help="As for evaluate, a model for each; or any_occlusion, with or without /CONFIG: "
            "one of all three and of `train occlusion_net`, which recognises what is covered.",
            show_default=False,
        ),
    ] = None,
    recipe: RunName = "quick",
    name: ModelName = None,
    replace: Replace = False,
    data_dir: DataDir = DATA_DIR,
    runs_dir: RunsDir = RUNS_DIR,
    models_dir: ModelsDir = MODELS_DIR,
    precision: Annotated[
        str,
        typer.Option(help="float32, or bfloat16 convolutions: faster where CPUs have it."),
    ] = "float32",
    weights: Annotated[
        str, typer.Option(help="Store them in float32, or in float16: half the size.")
    ] = "float32",
    mirrored: Annotated[
        bool,
        typer.Option(
            "--mirrored", help="Average with the answer for the mirror image: twice the work."
        ),
    ] = False,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            help="Also onnx, litert or openvino, of the all-paths form; may be repeated.",
            show_default=False,
        ),
    ] = None,
):
    """Combine four trained networks, or those of all occlusions, into ONE SavedModel."""
    from fer_tf.data.database import find_database
    from fer_tf.occlusion.kinds import ANY_OCCLUSION

    names = [db.partition("/") for db in _databases(databases)]
    asked_any = [config for db, _, config in names if db == ANY_OCCLUSION]
    if asked_any and len(names) > 1:
        raise UserError(f"{ANY_OCCLUSION} is of all databases; name it alone.")
    if asked_any and formats:
        raise UserError(
            f"--format converts models of one database; {ANY_OCCLUSION} is a SavedModel only."
        )
    if name == ANY_OCCLUSION and not asked_any:
        raise UserError(f"--name {ANY_OCCLUSION} is for the model of all databases; take another.")
    if asked_any:
        try:
            found = [find_database(f"concat_db/{asked_any[0]}".removesuffix("/"), data_dir)]
        except UserError as error:
            raise UserError(f"{error} Here write {ANY_OCCLUSION}/CONFIG.") from error
    else:
        found = [find_database(db, data_dir) for db in _databases(databases)]
    _import_tensorflow()
    from fer_tf.export.contract import ExportOptions
    from fer_tf.export.convert import check_format
    from fer_tf.models.folding import PRECISIONS, WEIGHTS

    for kind in formats or ():
        check_format(kind)
    if precision not in PRECISIONS:
        raise UserError(f"No precision is named {precision!r}; choose {', '.join(PRECISIONS)}.")
    if weights not in WEIGHTS:
        raise UserError(f"--weights is {weights!r}; choose {' or '.join(WEIGHTS)}.")
    options = ExportOptions(precision, weights, mirrored)
    if formats and precision != "float32":  # Their libraries refuse bfloat16 or answer otherwise.
        raise UserError("--format converts float32 versions alone; leave out --precision.")
    if asked_any:
        _combine_any(found[0].config, recipe, name, replace, runs_dir, models_dir, options)
    else:
        _combine(found, recipe, name, replace, runs_dir, models_dir, options, formats)


@app.command()
def evaluate(
    databases: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DATABASE]...",
            help="concat_db, bconcat_db, eye_cdb or uncovered, each with or without /CONFIG; the "
            "first three when none is named; or any_occlusion, a combined model.",
            show_default=False,
        ),
    ] = None,
    recipe: RunName = "quick",
    data_dir: DataDir = DATA_DIR,
    runs_dir: RunsDir = RUNS_DIR,
    models_dir: ModelsDir = MODELS_DIR,
    require_above_floor: Annotated[
        bool,
        typer.Option(help="Fail when an accuracy is not above the share of the largest class."),
    ] = False,
):
    """Measure the networks, alone and combined, on the test split.

    The accuracies also go into the model cards of the versions made of these networks. For
    any_occlusion the newest version of that model is measured as a whole.
    """
    from fer_tf.data.database import find_database
    from fer_tf.occlusion.kinds import ANY_OCCLUSION

    if databases == [ANY_OCCLUSION]:
        _evaluate_any(data_dir, models_dir)
        return
    found = [find_database(name, data_dir) for name in _databases(databases)]
    _import_tensorflow()
    from fer_tf.evaluation.evaluate import evaluate as measure
    from fer_tf.evaluation.report import (
        below_baseline,
        methods_table,
        networks_table,
        sentences,
        write_evaluation,
    )
    from fer_tf.export.model_store import MODEL_CARD, record_evaluation
    from fer_tf.provenance import provenance

    below = []
    for db in found:
        parent = runs_dir / db.name / db.config / recipe
        evaluation = measure(db, parent)
        numbers = evaluation.numbers
        console().print(networks_table(numbers))
        if numbers.methods:
            console().print(methods_table(numbers))
        for sentence in sentences(numbers):
            typer.echo(f"{sentence}.")
        written = write_evaluation(evaluation, parent, provenance())
        typer.echo(f"Wrote {', '.join(map(str, written))}")
        for version in record_evaluation(models_dir, numbers):
            typer.echo(f"Wrote the accuracies into {version / MODEL_CARD} and its manifest")
        below += below_baseline(numbers)
    if below and require_above_floor:
        typer.echo("Not above the majority baseline: " + "; ".join(below), err=True)
        raise typer.Exit(1)
    _next("python cli.py predict PHOTO...")


@app.command()
def reproduce(
    recipe: RunName = "quick",
    results_dir: Annotated[Path, typer.Option(help="Where the tables go.")] = Path("results"),
    readme: Annotated[
        Path | None,
        typer.Option(help="A Markdown file whose marked part is to hold Tables 3 and 4."),
    ] = None,
    data_dir: DataDir = DATA_DIR,
    runs_dir: RunsDir = RUNS_DIR,
):
    """Make the paper's tables from everything that a recipe has trained, beside its own figures.

    What was not trained is called "not run". The runs of each database are evaluated anew; what
    --results-dir holds of databases that were trained elsewhere stays.
    """
    _import_tensorflow()
    from fer_tf.evaluation.reproduce import (
        add_tables,
        collect,
        copy_figures,
        find_evaluable,
        marked_parts,
        update_readme,
    )
    from fer_tf.provenance import provenance
    from fer_tf.records.reproduction import read_reproduction

    if readme:
        marked_parts(readme)  # Refused before anything is done.
    found = find_evaluable(recipe, runs_dir, data_dir, typer.echo)
    read_reproduction(results_dir, recipe)  # Refused before anything is done.
    collected = collect(found, recipe, runs_dir, provenance(), typer.echo)
    collected, written = add_tables(results_dir, collected, typer.echo)
    written += copy_figures(results_dir, found, recipe, runs_dir)
    if readme:
        update_readme(readme, collected)
        written.append(readme)
    typer.echo(f"Wrote {', '.join(map(str, written))}")
    _next("python cli.py predict PHOTO...")


@app.command()
def predict(
    photos: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PHOTO...",
            help="Pictures, videos, folders of them, or patterns in quotes: 'holiday/**/*.jpg'.",
            show_default=False,
        ),
    ] = None,
    name: ModelName = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a table, a row for each face.")
    ] = None,
    annotate: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Also write the pictures with the answers drawn in."),
    ] = None,
    attention: Annotated[
        bool,
        typer.Option(
            "--attention",
            help="Colour in the pictures of --annotate what the subnet on the path taken weighs "
            "more than on the face's mean.",
        ),
    ] = False,
    every: Annotated[
        int, typer.Option(min=1, help="Of a video or camera one frame in so many is looked at.")
    ] = 10,
    camera: Annotated[
        int | None, typer.Option(min=0, help="Look through a camera; 0 is the first.")
    ] = None,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Of a camera so many frames; else until Ctrl-C.")
    ] = None,
    models_dir: ModelsDir = MODELS_DIR,
):
    """Find the faces in photographs, videos or before a camera and name their expressions."""
    if bool(photos) == (camera is not None):
        raise UserError("Name pictures, videos or folders, or a camera with --camera 0.")
    if attention and not annotate:
        raise UserError("--attention colours the pictures of --annotate FOLDER; give both.")
    from fer_tf.export.model_card import named_with_accuracy
    from fer_tf.faces.picture_files import find_files, left_out
    from fer_tf.faces.pictures import read_camera, read_files, summary
    from fer_tf.inference.outputs import Outputs, progress_bar
    from fer_tf.inference.predict import ExpressionModel, find_model

    failures, skipped = {}, []
    files = find_files(photos or (), skipped)
    model = find_model(name, models_dir)
    with Outputs(as_json, csv, annotate, files) as outputs:
        _import_tensorflow()
        with progress_bar(files, as_json) as bar:
            if camera is None:
                pictures = read_files(bar.track(files, description="Files"), every, failures)
            else:
                pictures = read_camera(camera, frames, every, failures)
            loaded = ExpressionModel(model)
            interrupted = outputs.take(loaded.predict(pictures, attention))
    said = [f"Answered by {named_with_accuracy(model)}", *outputs.written(), *left_out(skipped)]
    if attention and loaded.has_attention:
        said.append("In magenta: what the subnet on each path weighs more than on the face's mean.")
    elif attention:
        said.append(
            "No attention is drawn: the model does not tell it. One that is combined anew does, "
            "`python cli.py combine`, unless its networks have none."
        )
    for sentence in said:
        typer.echo(sentence, err=as_json)
    if failures:
        raise UserError(summary(failures, len(files) or 1))
    if interrupted and camera is None:
        typer.echo("Interrupted; the files that were not reached are missing.", err=True)
        raise typer.Exit(130)


@app.command()
def evaluate_photos(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="Holds a sub-folder of photographs for each expression: Happiness, Normal, "
            "Sadness, Anger, Fear, Disgust, Surprise (or happy, neutral and so on); not all are "
            "needed.",
        ),
    ],
    figure: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="Also draw the faces with the answers, green where right, red where wrong (the "
            "paper's Fig. 7); at most 8 of each expression.",
        ),
    ] = None,
    name: ModelName = None,
    models_dir: ModelsDir = MODELS_DIR,
):
    """Measure a model on photographs of your own, sorted into folders FOLDER/Happiness/ and so on.

    Where several faces are found in a photograph the largest counts. `predict` tells what is said
    of each photograph.
    """
    from fer_tf.export.model_card import named_with_accuracy
    from fer_tf.faces.picture_files import left_out
    from fer_tf.faces.pictures import read_files, summary
    from fer_tf.inference.outputs import progress_bar
    from fer_tf.inference.photo_folders import accuracy_table as table
    from fer_tf.inference.photo_folders import add_labels as answered
    from fer_tf.inference.photo_folders import choose_shown as shown
    from fer_tf.inference.photo_folders import find_labelled, panels, sentences
    from fer_tf.inference.predict import ExpressionModel, find_model
    from fer_tf.inference.prediction_files import output_file
    from fer_tf.plots.results import plot_predictions

    failures, skipped = {}, []
    photos = find_labelled(folder, skipped)
    if figure and figure.suffix.lower() != ".png":
        raise UserError(f"--figure got {figure}; the name of a PNG file is expected.")
    if figure and folder.resolve() in figure.resolve().parents:
        raise UserError(f"--figure {figure} lies among the photographs; name another place.")
    model = find_model(name, models_dir)
    with output_file(figure) if figure else contextlib.nullcontext() as out:
        _import_tensorflow()
        with progress_bar(list(photos), False) as bar:
            pictures = read_files(bar.track(photos, description="Files"), 1, failures)
            answers = answered(photos, ExpressionModel(model).predict(pictures))
        if not answers:
            raise UserError(summary(failures, len(photos)))
        console().print(table(answers))
        if out:
            lines = shown(answers)
            plot_predictions(panels(lines), out)
    by = f"Answered by {named_with_accuracy(model)}"
    for sentence in [*sentences(answers), *left_out(skipped), by]:
        typer.echo(sentence)
    if figure:
        typer.echo(f"Wrote {figure}: {sum(map(len, lines))} of {len(answers)} photographs")
    if failures:
        raise UserError(summary(failures, len(photos)))


@app.command()
def serve_config(
    stable: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VERSION",
            help="Version that label stable names; where it was, else the newest, by default.",
        ),
    ] = None,
    canary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VERSION", help="Version that label canary names; by default the newest."
        ),
    ] = None,
    batching: Annotated[
        bool | None,
        typer.Option(
            help="Let the server join requests to batches; as before by default, at first not.",
            show_default=False,
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Overwrite files that were edited by hand.")
    ] = False,
    models_dir: ModelsDir = MODELS_DIR,
):
    """Write TensorFlow Serving's files into saved_models/; print the command that starts it."""
    from fer_tf.export.model_store import place_pretrained
    from fer_tf.files import exclusive
    from fer_tf.serving.config import POLL_SECONDS, choose_versions, write_files

    for version in place_pretrained(models_dir):
        typer.echo(f"Copied the model that comes with fer_tf to {version}")
    asked = {"stable": _versions("--stable", stable), "canary": _versions("--canary", canary)}
    # Or of two runs at once one would be lost.
    with exclusive(models_dir) if models_dir.is_dir() else contextlib.nullcontext():
        served = choose_versions(models_dir, **asked)
        written, kept, command = write_files(models_dir, served, batching, replace)
    unmoved = []
    for model in served:
        loads = ", ".join(map(str, model.versions))
        typer.echo(f"{model.name}: loads {loads}; stable {model.stable}, canary {model.canary}")
        for label, version in model.pending.items():
            when = (
                f"when you give the same command again, {2 * POLL_SECONDS} s after version "
                f"{version} was listed at the earliest (a server loads it first)"
            )
            if model.name in asked[label]:
                stays = f"{model.name}: {label} is still on {getattr(model, label)}"
                unmoved.append(f"{stays}; it moves to {version} {when}.")
            else:
                typer.echo(f"{model.name}: {label} moves to {version} {when}.")
    for path in kept:
        typer.echo(f"Left {path} as it was edited; --replace writes it anew.")
    typer.echo(f"Wrote {', '.join(map(str, written))}")
    if "--enable_batching" in command:
        typer.echo(
            "Note: with batching on, a request without a face is never answered, and ten of them "
            "stop the server: docs/serving.md says what a proxy must refuse."
        )
    _next(command)
    if unmoved:
        raise UserError(" ".join(unmoved))


@app.command()
def query(
    photos: Annotated[list[Path], typer.Argument(help="Picture files.")],
    url: Annotated[str, typer.Option(help="The server's REST address.")] = "http://localhost:8501",
    name: ModelName = None,
    version: Annotated[
        str | None,
        typer.Option(
            help="A version's number or label (stable, canary); the newest loaded by default.",
            show_default=False,
        ),
    ] = None,
    signature: Annotated[
        str, typer.Option(help="serving_default, serving_bytes or all_paths.")
    ] = "serving_default",
    occlusion: Annotated[
        str | None,
        typer.Option(
            help="eyes: cover the eyes before sending; none: do not. By default eyes for models "
            "named eye_cdb..., because a server does not tell.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds to wait for an answer.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
):
    """Find the faces in photographs and have a running server name their expressions."""
    from fer_tf.inference.outputs import predictions_table as table
    from fer_tf.inference.remote import Server
    from fer_tf.inference.remote import query as run

    server = Server(url, timeout)
    name = name or server.find_model()
    predictions, covered = run(photos, server, name, version, signature, occlusion)
    if as_json:
        typer.echo(json.dumps([prediction.as_dict() for prediction in predictions], indent=1))
        return
    console().print(table(predictions))
    eyes = "eyes covered before sending" if covered else "faces sent as they are"
    typer.echo(f"Answered by {name} at {url}, {eyes}")


@app.command("app")
def open_page(
    models_dir: ModelsDir = MODELS_DIR,
    url: Annotated[
        str | None,
        typer.Option(
            help="Ask a running TensorFlow Serving at its REST address instead of --models-dir.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 7860,
):
    """Open a page on which a picture is dropped and its faces are covered and answered."""
    from fer_tf.app.models import LocalModels, ServedModels
    from fer_tf.app.page import import_gradio, serve
    from fer_tf.serving.rest_client import Server

    models = ServedModels(Server(url)) if url else LocalModels(models_dir)
    models.names()  # Missing models and packages are told before anything is loaded.
    import_gradio()
    if not url:
        _import_tensorflow()
    serve(models, host, port, typer.echo)


def _versions(option, pairs):
    """Model -> version from NAME=VERSION."""
    chosen = {}
    for pair in pairs or ():
        name, _, version = pair.rpartition("=")
        if not name or not version.isdecimal():
            raise UserError(f"{option} got {pair!r}; NAME=VERSION is expected, e.g. concat_db=2.")
        chosen[name] = int(version)
    return chosen


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
        import joblib
        import tensorflow as tf

        from fer_tf.training.strategies import grow_memory

        gpus = grow_memory()
        if quiet:  # Each network is traced anew, which TensorFlow takes for a mistake.
            tf.get_logger().setLevel("ERROR")
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
    device = f"{gpus} GPU{'s' * (gpus > 1)}" if gpus else f"CPU, {joblib.cpu_count()} cores"
    typer.echo(f"TensorFlow {tf.__version__} on {device}", err=True)


def _databases(names):
    from fer_tf.occlusion.kinds import DATABASES

    return names or list(DATABASES)


def _plot_losses(database, folders):
    """Draws the validation losses of trained networks beside their folders."""
    from fer_tf.plots.faces import plot_losses
    from fer_tf.training.callbacks import validation_losses

    parent = next(iter(folders.values())).parent
    plot_losses(
        validation_losses(folders), parent / "losses.png", f"{database}, recipe {parent.name}"
    )
    return parent / "losses.png"


def _combine(databases, recipe, name, replace, runs_dir, models_dir, options=None, formats=None):
    from fer_tf.export.combine import combine as make
    from fer_tf.export.contract import USUAL_OPTIONS
    from fer_tf.export.convert import convert
    from fer_tf.expressions import MULTI_NETWORK

    if name and len(databases) > 1:
        raise UserError("--name names one model; name one database with it.")
    failed = []
    for database in databases:
        typer.echo(f"{database}: combining the four networks, about a minute")
        parent = runs_dir / database.name / database.config / recipe
        folders = {network: parent / network for network in MULTI_NETWORK}
        model = models_dir / (name or database.name)
        version = make(folders, model, replace, options or USUAL_OPTIONS)
        _tell(version)
        for kind in formats or ():
            try:
                typer.echo(f"Wrote {convert(version, kind)}")
            except UserError as error:
                failed.append(f"{error} The SavedModel {version} is published all the same.")
    if failed:
        raise UserError(" ".join(failed))
    _next(f"python cli.py evaluate {' '.join(map(str, databases))} --recipe {recipe}")


def _combine_any(config, recipe, name, replace, runs_dir, models_dir, options):
    from fer_tf.data.database import UNCOVERED
    from fer_tf.export.any_occlusion import (
        combine_any_occlusion,
        find_run_folders,
        occlusion_folder,
    )
    from fer_tf.occlusion.kinds import ANY_OCCLUSION
    from fer_tf.records.manifest import read_manifest

    folders = find_run_folders(runs_dir, config, recipe)
    typer.echo(f"{ANY_OCCLUSION}/{config}: combining {', '.join(folders)}, some minutes")
    if UNCOVERED not in folders:
        typer.echo(
            "Note: faces without occlusion will be answered like those with covered eyes; better "
            f"is `python cli.py train all --database {UNCOVERED}/{config}` before."
        )
    model = models_dir / (name or ANY_OCCLUSION)
    own = occlusion_folder(runs_dir, config)
    version = combine_any_occlusion(own, folders, model, replace, options)
    _tell(version)
    if not read_manifest(version).usual_eyes:
        typer.echo(
            f"Note: the networks of {folders['eye_cdb']['begin'].parent} were not trained with "
            "black boxes where eyes usually are, which they will see; recipe quick does that."
        )
    _next(f"python cli.py predict PHOTO... --name {model.name}")


def _evaluate_any(data_dir, models_dir):
    """Measures the newest any_occlusion model and writes the numbers into its card."""
    from fer_tf.inference.predict import find_model
    from fer_tf.occlusion.kinds import ANY_OCCLUSION

    version = find_model(ANY_OCCLUSION, models_dir)
    _import_tensorflow()
    from fer_tf.export.model_store import MODEL_CARD, record_measured
    from fer_tf.inference.model_evaluation import evaluate_model, model_table
    from fer_tf.records.manifest import MANIFEST

    measured = evaluate_model(version, data_dir)
    console().print(model_table(measured))
    record_measured(version, measured)
    typer.echo(f"Wrote the numbers into {version / MANIFEST} and {version / MODEL_CARD}")
    _next("python cli.py predict PHOTO...")


def _tell(version):
    """Tells that a version was written, and which ways through it were not tried."""
    from fer_tf.export.warmup import routes
    from fer_tf.records.manifest import read_manifest

    typer.echo(f"Wrote {version}")
    manifest = read_manifest(version)
    for route in routes(manifest.recognises_occlusion):
        if route not in manifest.warm_up_paths:
            typer.echo(f"Note: no drawn face took the path {route}; it was not tried.")


def _next(command):
    typer.echo(f"Next: {command}")


def main():
    """Runs the app; what a user can mend ends as one sentence on stderr, not as a traceback."""
    prepare_streams()
    try:
        app()
    except UserError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        where = f": {error.filename}" if error.filename else ""
        cure = "; make room, then give the same command again" * (error.errno == errno.ENOSPC)
        typer.echo(f"Error: {error.strerror or error}{where}{cure}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
