"""What a user asks `combine` to do, checked, and the models that come of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_tf.data.database import UNCOVERED, Database, find_database
from fer_tf.errors import UserError
from fer_tf.export.contract import USUAL_OPTIONS, ExportOptions
from fer_tf.export.convert import check_format, convert
from fer_tf.export.warmup import routes
from fer_tf.expressions import MULTI_NETWORK
from fer_tf.occlusion.kinds import ANY_OCCLUSION, DATABASES
from fer_tf.records.manifest import read_manifest


@dataclass(frozen=True)
class CombineOptions:
    """Which networks are combined into which models, and how.

    Attributes:
        database_names: DATABASE or DATABASE/CONFIG, a model for each; or `ANY_OCCLUSION` alone,
            with or without /CONFIG; if empty, all three databases.
        run_name: the name of the folders of the runs, e.g. "quick-seed1".
        name: of the model; None: the database's.
        replace: whether a version of another database, config or recipe may become the newest.
        data_dir: the TFDS data directory.
        runs_dir: where runs are found.
        models_dir: where models are written.
        export: how the networks are served.
        formats: names in `fer_tf.export.convert.SUFFIXES` to which each version is converted.

    Raises:
        UserError: if two options exclude each other.
    """

    database_names: Sequence[str]
    run_name: str
    name: str | None
    replace: bool
    data_dir: Path
    runs_dir: Path
    models_dir: Path
    export: ExportOptions = USUAL_OPTIONS
    formats: Sequence[str] = ()

    def __post_init__(self):
        names = self.database_names or list(DATABASES)
        if self.is_any_occlusion and len(names) > 1:
            raise UserError(f"{ANY_OCCLUSION} is of all databases; name it alone.")
        if self.is_any_occlusion and self.formats:
            raise UserError(
                f"--format converts models of one database; {ANY_OCCLUSION} is a SavedModel only."
            )
        if self.name == ANY_OCCLUSION and not self.is_any_occlusion:
            raise UserError(
                f"--name {ANY_OCCLUSION} is for the model of all databases; take another."
            )
        if self.name and len(names) > 1:
            raise UserError("--name names one model; name one database with it.")
        if self.formats and self.export.precision != "float32":
            # The libraries of these formats refuse bfloat16 or answer otherwise.
            raise UserError("--format converts float32 versions alone; leave out --precision.")

    @property
    def is_any_occlusion(self) -> bool:
        """Whether one model for all occlusions is made."""
        return any(name.partition("/")[0] == ANY_OCCLUSION for name in self.database_names)

    def find_databases(self) -> list[Database]:
        """The prepared databases; for `ANY_OCCLUSION` concat_db, which stands for all three.

        Raises:
            UserError: see `fer_tf.data.database.find_database`.
        """
        if not self.is_any_occlusion:
            names = self.database_names or DATABASES
            return [find_database(name, self.data_dir) for name in names]
        _, slash, config = self.database_names[0].partition("/")
        try:
            return [find_database(f"concat_db{slash}{config}", self.data_dir)]
        except UserError as error:
            raise UserError(f"{error} Here write {ANY_OCCLUSION}/CONFIG.") from error

    def folder(self, database: Database) -> Path:
        """The folder of the model that is made of the networks of one database."""
        return self.models_dir / self.folder_name(database)

    def folder_name(self, database: Database) -> str:
        """The name under which that model is served."""
        return self.name or (ANY_OCCLUSION if self.is_any_occlusion else database.name)


def combine_models(
    options: CombineOptions,
    load_tensorflow: Callable[[], None],
    note: Callable[[str], None] = print,
) -> list[Database]:
    """Writes the next version of each model.

    Args:
        options: which networks are combined, and how.
        load_tensorflow: imports TensorFlow; called once the databases have been found.
        note: is given a sentence for each thing that was written or that a user should know.

    Returns:
        The databases of the networks, as `CombineOptions.find_databases` does.

    Raises:
        UserError: see `fer_tf.export.combine.combine` and
            `fer_tf.export.any_occlusion.combine_any_occlusion`; or if a conversion failed, when all
            versions have been written.
    """
    prepared = options.find_databases()
    load_tensorflow()
    _check_export(options)
    if options.is_any_occlusion:
        _combine_any_occlusion(options, prepared[0], note)
        return prepared
    failures = []
    for database in prepared:
        failures += _combine_database(options, database, note)
    if failures:
        raise UserError(" ".join(failures))
    return prepared


def _check_export(options):
    from fer_tf.models.folding import INFERENCE_PRECISIONS, WEIGHTS

    for kind in options.formats:
        check_format(kind)
    precision, weights = options.export.precision, options.export.weights
    if precision not in INFERENCE_PRECISIONS:
        raise UserError(
            f"No precision is named {precision!r}; choose {', '.join(INFERENCE_PRECISIONS)}."
        )
    if weights not in WEIGHTS:
        raise UserError(f"--weights is {weights!r}; choose {' or '.join(WEIGHTS)}.")


def _combine_database(options, database, note):
    """Writes a version and its other formats; returns a sentence for each format that failed."""
    from fer_tf.export.combine import combine

    note(f"{database}: combining the four networks, about a minute")
    parent = options.runs_dir / database.name / database.config / options.run_name
    run_folders = {network: parent / network for network in MULTI_NETWORK}
    version = combine(run_folders, options.folder(database), options.replace, options.export)
    _note_version(version, note)
    failures = []
    for kind in options.formats:
        try:
            note(f"Wrote {convert(version, kind)}")
        except UserError as error:
            failures.append(f"{error} The SavedModel {version} is published all the same.")
    return failures


def _combine_any_occlusion(options, database, note):
    from fer_tf.export.any_occlusion import (
        combine_any_occlusion,
        find_run_folders,
        occlusion_folder,
    )

    config = database.config
    run_folders = find_run_folders(options.runs_dir, config, options.run_name)
    note(f"{ANY_OCCLUSION}/{config}: combining {', '.join(run_folders)}, some minutes")
    if UNCOVERED not in run_folders:
        note(
            "Note: faces without occlusion will be answered like those with covered eyes; better "
            f"is `python cli.py train all --database {UNCOVERED}/{config}` before."
        )
    version = combine_any_occlusion(
        occlusion_folder(options.runs_dir, config),
        run_folders,
        options.folder(database),
        options.replace,
        options.export,
    )
    _note_version(version, note)
    if not read_manifest(version).usual_eyes:
        note(
            f"Note: the networks of {run_folders['eye_cdb']['begin'].parent} were not trained with "
            "black boxes where eyes usually are, which they will see; recipe quick does that."
        )


def _note_version(version, note):
    """Reports a version that was written, and its routes that no warm-up request takes."""
    note(f"Wrote {version}")
    manifest = read_manifest(version)
    for route in routes(manifest.recognises_occlusion):
        if route not in manifest.warm_up_paths:
            note(f"Note: no drawn face took the path {route}; it was not tried.")
