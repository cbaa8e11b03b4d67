"""Commands that measure trained networks and make the paper's tables."""

from pathlib import Path
from typing import Annotated

import typer

from fer_tf.cli.common import (
    DATA_DIR,
    MODELS_DIR,
    RUNS_DIR,
    DataDir,
    ModelsDir,
    RunName,
    RunsDir,
    load_tensorflow,
    suggest,
)
from fer_tf.terminal import console


def evaluate(
    databases: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DATABASE]...",
            help="concat_db, bconcat_db, eye_cdb or uncovered, each with or without /CONFIG; by "
            "default the first three. any_occlusion measures the combined model of that name.",
            show_default=False,
        ),
    ] = None,
    recipe: RunName = "quick",
    data_dir: DataDir = DATA_DIR,
    runs_dir: RunsDir = RUNS_DIR,
    models_dir: ModelsDir = MODELS_DIR,
    require_above_floor: Annotated[
        bool,
        typer.Option(help="Fail if an accuracy is not above that of the majority class."),
    ] = False,
):
    """Measure the networks, alone and combined, on the test split.

    The accuracies are also written into the model cards of the versions that consist of these
    networks. For any_occlusion, the newest version of that model is measured.
    """
    from fer_tf.data.database import find_database
    from fer_tf.occlusion.kinds import ANY_OCCLUSION, DATABASES

    if databases == [ANY_OCCLUSION]:
        _evaluate_any_occlusion(data_dir, models_dir)
        return
    prepared = [find_database(name, data_dir) for name in databases or DATABASES]
    load_tensorflow()
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

    failures = []
    for database in prepared:
        parent = runs_dir / database.name / database.config / recipe
        evaluation = measure(database, parent)
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
        failures += below_baseline(numbers)
    if failures and require_above_floor:
        typer.echo(f"Not above the majority baseline: {'; '.join(failures)}", err=True)
        raise typer.Exit(1)
    suggest("python cli.py predict PHOTO...")


def reproduce(
    recipe: RunName = "quick",
    results_dir: Annotated[Path, typer.Option(help="The folder to write the tables to.")] = Path(
        "results"
    ),
    readme: Annotated[
        Path | None,
        typer.Option(help="A Markdown file whose marked part Tables 3 and 4 replace."),
    ] = None,
    data_dir: DataDir = DATA_DIR,
    runs_dir: RunsDir = RUNS_DIR,
):
    """Write the paper's tables with the numbers of all networks that a recipe has trained.

    The paper's numbers are quoted beside the measured ones; networks that were not trained are
    marked "not run". The runs of each database are evaluated again; results in --results-dir of
    databases that were trained elsewhere are kept.
    """
    load_tensorflow()
    from fer_tf.evaluation.paper_tables import write_paper_tables

    written = write_paper_tables(recipe, results_dir, readme, data_dir, runs_dir, typer.echo)
    typer.echo(f"Wrote {', '.join(map(str, written))}")
    suggest("python cli.py predict PHOTO...")


def _evaluate_any_occlusion(data_dir, models_dir):
    """Measures the newest any_occlusion model and writes the numbers into its model card."""
    from fer_tf.inference.predict import find_model
    from fer_tf.occlusion.kinds import ANY_OCCLUSION

    version = find_model(ANY_OCCLUSION, models_dir)
    load_tensorflow()
    from fer_tf.export.model_store import MODEL_CARD, record_measured
    from fer_tf.inference.model_evaluation import evaluate_model, model_table
    from fer_tf.records.manifest import MANIFEST

    measured = evaluate_model(version, data_dir)
    console().print(model_table(measured))
    record_measured(version, measured)
    typer.echo(f"Wrote the numbers into {version / MANIFEST} and {version / MODEL_CARD}")
    suggest("python cli.py predict PHOTO...")
