"""Commands that make databases and show what they are made of."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from fer_tf.cli.common import DATA_DIR, Databases, DataDir, interruptible, suggest
from fer_tf.errors import UserError
from fer_tf.terminal import console


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

    After an interruption the same command goes on: sources that are read and databases that are
    written are not made again.
    """
    from fer_tf.occlusion.kinds import DATABASES

    names = databases or list(DATABASES)
    for name in names:
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
    # In the wheel, `datasets/` is a package of fer_tf; its own name belongs to another project.
    folder = "fer_tf.datasets" if find_spec("fer_tf.datasets") else "datasets"
    builders = {name: f"{folder}.{name}.{name}_dataset_builder" for name in names}
    typer.echo(f"{', '.join(names)} with config {config.name}: from {', '.join(config.sources)}")
    notes = []
    with interruptible("Interrupted. The same command goes on with what is missing."):
        for _, built in build(builders, config, raw_dir, data_dir, jobs, rebuild):
            verb = "Wrote" if built.is_new else "Ready, from the same files:"
            typer.echo(f"{verb} {built.folder}: {built.splits}")
            notes += _notes(built.metadata)
    for note in dict.fromkeys(notes):
        typer.echo(note)
    recipe = " --recipe demo" if chosen == ["drawn"] else ""
    suggest(f"python cli.py train all{recipe}")


def inspect(databases: Databases = None, data_dir: DataDir = DATA_DIR):
    """Show what a database is made of: Table 1 as built, copies, leaks, odd labels and images."""
    from fer_tf.data.database import find_database
    from fer_tf.data.inspection_report import INSPECTION_DIR, read_inspection, tables
    from fer_tf.occlusion.kinds import DATABASES

    prepared = [find_database(name, data_dir) for name in databases or DATABASES]
    for database in prepared:
        inspection = read_inspection(database.folder)
        typer.echo(f"{database}: {inspection.images:,} images")
        for renderable in tables(inspection):
            console().print(renderable)
        folder = database.folder / INSPECTION_DIR
        typer.echo(f"Every id, Table 1 and two pictures of the faces: {folder}")
    suggest(f"python cli.py train all --database {' --database '.join(map(str, prepared))}")


def _notes(metadata):
    notes = [f"Note: {sentence}" for sentence in metadata["table_1_differences"]]
    if faces := metadata["eyes_found"]:
        eyes = f"two {faces[2]:,}, one {faces[1]:,}, none {faces[0]:,}"
        notes.append(f"Eyes found by the cascade: {eyes}; the others are placed.")
    return notes
