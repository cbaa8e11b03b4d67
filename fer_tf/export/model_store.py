"""The versions of served models: how one is published, found and described."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from fer_tf.errors import UserError
from fer_tf.files import exclusive, write_record, written_beside
from fer_tf.records.evaluation import Evaluation
from fer_tf.records.manifest import (
    MANIFEST,
    Manifest,
    ModelEvaluation,
    NetworkEvaluation,
    read_manifest,
)

MODEL_CARD = Path("assets.extra") / "model_card.md"
"""The manifest's contents as a page for users."""

PRETRAINED = Path(__file__).parents[1] / "pretrained"
"""The folder of the model that comes with the program, `<name>/<integer version>/`."""

_STALE = 24 * 60 * 60
"""Age in seconds at which the files of an interrupted `combine` are removed."""


def publish(folder: Path, write: Callable[[Path], None], manifest: Manifest) -> Path:
    """Writes the next version of a model into a temporary folder and renames it when complete.

    Args:
        folder: the model's folder, e.g. `saved_models/concat_db`.
        write: writes a SavedModel into a folder that does not exist yet.
        manifest: the version's manifest; its `warm_up_paths` are replaced.

    Returns:
        The new version's folder.

    Raises:
        UserError: if the model fails a warm-up request.
    """
    from fer_tf.export.warmup import write_warm_up

    folder.mkdir(parents=True, exist_ok=True)
    for interrupted in folder.glob("writing-*"):
        if time.time() - interrupted.stat().st_mtime > _STALE:
            shutil.rmtree(interrupted, ignore_errors=True)
    # The temporary folder is private to its owner; the version in it has the usual permissions.
    with tempfile.TemporaryDirectory(dir=folder, prefix="writing-") as writing:
        version = Path(writing) / "version"
        write(version)
        return _publish(version, folder, replace(manifest, warm_up_paths=write_warm_up(version)))


def _publish(version, folder, manifest):
    """Renames a finished version to the next free number."""
    while True:
        number = max((int(earlier.name) for earlier in find_versions(folder)), default=0) + 1
        _describe(version, folder.name, number, manifest)
        try:
            os.rename(version, folder / str(number))
        except OSError:
            if (folder / str(number)).is_dir():
                continue  # Another process took the number.
            raise
        return folder / str(number)


def _describe(version, name, number, manifest):
    """Writes manifest and model card."""
    from fer_tf.export.model_card import model_card

    write_record(version / MANIFEST, manifest)
    with written_beside(version / MODEL_CARD) as out:
        out.write(model_card(name, number, manifest).encode())


def record_evaluation(models_dir: Path, numbers: Evaluation) -> list[Path]:
    """Writes test scores into manifest and card of the versions whose networks were measured.

    Args:
        models_dir: the directory of the models, `<name>/<integer version>/`.
        numbers: the evaluation.

    Returns:
        The versions whose networks have the SHA-256 of those that were measured.
    """
    recorded = []
    for version in sorted(path for name in models_dir.glob("*") for path in find_versions(name)):
        if not (version / MANIFEST).is_file():
            continue
        with exclusive(version):  # Another `evaluate` may write rows into the same manifest.
            if manifest := with_evaluation(read_manifest(version), numbers):
                _describe(version, version.parent.name, int(version.name), manifest)
                recorded.append(version)
    return recorded


def record_measured(version: Path, measured: ModelEvaluation) -> None:
    """Writes the scores of a whole version into its manifest and card."""
    manifest = replace(read_manifest(version), measured=measured)
    _describe(version, version.parent.name, int(version.name), manifest)


def find_versions(folder: Path) -> list[Path]:
    """Returns the versions of a model, oldest first: its integer sub-folders."""
    versions = [path for path in folder.glob("*") if path.name.isdecimal() and path.is_dir()]
    return sorted(versions, key=lambda path: int(path.name))


def newest_versions(models_dir: Path) -> dict[str, Path]:
    """Returns the newest version of each model: name -> its folder.

    The models are those in `models_dir`, and the model that comes with the program unless one in
    `models_dir` has its name.
    """
    newest = {}
    for folder in (PRETRAINED, models_dir):
        for model in sorted(folder.glob("*")):
            if versions := find_versions(model):
                newest[model.name] = versions[-1]
    return newest


def is_pretrained(version: Path) -> bool:
    """Whether a version belongs to the model that comes with the program."""
    return version.parents[1] == PRETRAINED


def place_pretrained(models_dir: Path) -> list[Path]:
    """Copies the model that comes with the program into the directory of a server's models.

    Args:
        models_dir: the directory; a model of the same name in it is not replaced.

    Returns:
        The versions that were copied.
    """
    copied = []
    for name, version in newest_versions(models_dir).items():
        if is_pretrained(version):
            folder = models_dir / name
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder, prefix="writing-") as writing:
                copy = shutil.copytree(version, Path(writing) / "version")
                copied.append(copy.rename(folder / version.name))
    return copied


def load_version(version: Path):
    """Loads a version in TensorFlow's Python.

    Returns:
        The object that `tf.saved_model.load` returns. Keep a reference to it while its signatures
        are used.

    Raises:
        UserError: if it cannot be loaded, e.g. because a file is damaged or incomplete.
    """
    import tensorflow as tf

    try:
        with plain_path(version) as path:
            return tf.saved_model.load(path)
    except (OSError, ValueError, TypeError, LookupError, RuntimeError, tf.errors.OpError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"{version} cannot be loaded ({reason}): all its files must be there, whole and "
            "readable. Copy it again, or make it again with `python cli.py combine`."
        ) from error


@contextlib.contextmanager
def plain_path(version: Path) -> Iterator[Path]:
    """Yields a path of a version's folder without the characters of glob patterns.

    TensorFlow finds a SavedModel's variables by a glob pattern that contains the folder's path.
    """
    if not set(str(version)) & set("[]*?" if os.name == "nt" else "[]*?\\"):
        yield version
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "version"
        link.symlink_to(version.absolute(), target_is_directory=True)
        yield link


def refuse_stranger(folder: Path, manifest: Manifest) -> None:
    """Refuses a new version of a model whose newest version is made of something else.

    Args:
        folder: the model's folder, which may not exist yet.
        manifest: the new version's manifest.

    Raises:
        UserError: if the newest version has another database, config or recipe.
    """
    for newest in find_versions(folder)[-1:]:
        earlier = read_manifest(newest)
        for name in ("database", "config", "recipe"):
            before, now = getattr(earlier, name), getattr(manifest, name)
            if before != now:
                raise UserError(
                    f"{newest} was made with {name} {before}, the new version with {now}: it would "
                    "become the newest served. Choose another --name, or give --replace."
                )


def with_evaluation(manifest: Manifest, numbers: Evaluation) -> Manifest | None:
    """Returns a manifest with test scores, or None if other networks were measured.

    In the manifest of a model of several databases the name of each row begins with its database,
    and the rows of the other databases remain.

    Args:
        manifest: a version's manifest.
        numbers: an evaluation of one database.
    """
    database = numbers.database.partition("/")[0]
    prefix = f"{database}/" if manifest.answering else ""
    sha256 = {
        network.removeprefix(prefix): entry.sha256
        for network, entry in manifest.networks.items()
        if network.startswith(prefix)
    }
    measured_others = any(numbers.sha256.get(name) != value for name, value in sha256.items())
    if not sha256 or measured_others:
        return None
    results = numbers.results
    if manifest.answering:
        title = f"{database}: "
        earlier = manifest.evaluation.results if manifest.evaluation else []
        results = [row for row in earlier if not row.name.startswith(title)] + [
            replace(row, name=f"{title}{row.name}") for row in results
        ]
    return replace(manifest, evaluation=NetworkEvaluation(split=numbers.split, results=results))
