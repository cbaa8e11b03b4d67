"""Writes the files with which TensorFlow Serving serves every model under `saved_models/`.

Two labels name a version of each model: `stable`, for everybody, and `canary`, for those who try
a new version first. A running server reads `models.config` again every `POLL_SECONDS`. It refuses
a whole file that moves a label to a version which it has not loaded, and then loads nothing new
either (`ServerCore::ReloadConfig` checks the labels before it looks for versions), so a move to a
version that is not listed takes two steps here: one run lists the version, a later one moves the
label.
"""

import hashlib
import re
import time
from datetime import datetime
from pathlib import Path

from fer_tf.errors import UserError
from fer_tf.export.model_store import find_versions
from fer_tf.files import written_beside
from fer_tf.serving import server_files as texts
from fer_tf.serving.server_files import POLL_SECONDS, ServedModel

_SEAL = "# Written by `python cli.py serve-config`; sha256 of the lines above: "


def choose_versions(
    models_dir: Path, stable: dict[str, int], canary: dict[str, int]
) -> list[ServedModel]:
    """Decides which versions are loaded and where the labels stand.

    Wanted are, unless the arguments say otherwise, `stable` where `models.config` has it and
    `canary` on the newest version; both on the newest where the file does not know the model. A
    label that stands elsewhere moves only if another label names the version wanted or the file
    lists it for so long that a running server has read it; else the version is listed now and the
    move is pending.
    What is listed stays listed, for the way back, until a further version comes.

    Args:
        models_dir: holds `<name>/<integer version>/`.
        stable: model -> version that the user wants for everybody.
        canary: model -> version that the user wants for the few.

    Raises:
        UserError: if there is no model, a name or a version does not exist or is no SavedModel,
            or a name cannot stand in an address.
    """
    found = {p.name: find_versions(p) for p in sorted(models_dir.glob("*")) if find_versions(p)}
    if not found:
        raise UserError(
            f"{models_dir} holds no model; make one with `python cli.py train all`, or try the "
            "whole chain on drawn faces with `make demo`."
        )
    for name in (*stable, *canary):
        if name not in found:
            raise UserError(f"{models_dir} holds {', '.join(found)}, not {name!r}.")
    before = _read_models_config(models_dir / texts.MODELS_CONFIG)
    now = time.time()
    served = []
    for name, folders in found.items():
        if not re.fullmatch(r"[\w.-]+", name, re.ASCII):
            raise UserError(
                f"{models_dir / name} cannot be served under its name; letters, digits, '_', '-' "
                "and '.' are expected: rename the folder."
            )
        newest = int(folders[-1].name)
        listed, labels = before.get(name, ({}, {}))
        wanted = {
            "stable": stable.get(name, labels.get("stable", newest)),
            "canary": canary.get(name, newest),
        }
        loaded = {*labels.values()}
        loaded |= {v for v, since in listed.items() if now - since >= 2 * POLL_SECONDS}
        chosen = {}
        for label, version in wanted.items():
            _check_version(models_dir / name, version, label)
            free = label not in labels or version in loaded
            chosen[label] = version if free else labels[label]
        versions = {*chosen.values(), *wanted.values()}
        if versions <= {*listed}:
            there = {int(folder.name) for folder in folders}
            versions |= there & {*listed}
        served.append(
            ServedModel(
                name,
                {version: listed.get(version, now) for version in sorted(versions)},
                **chosen,
                pending={label: v for label, v in wanted.items() if v != chosen[label]},
            )
        )
    return served


def write_files(
    models_dir: Path, served: list[ServedModel], batching: bool | None, replace: bool
) -> tuple[list[Path], list[Path], str]:
    """Writes the four files, each beside and renamed, `models.config` last.

    Args:
        models_dir: where they go.
        served: see `choose_versions`.
        batching: whether the server joins requests to batches; None: as before, at first not.
        replace: whether files that were edited by hand are overwritten.

    Returns:
        The files that now hold what serve-config writes, those left as they were edited, and the
        command that starts the server.

    Raises:
        UserError: without `replace`, if `models.config` was edited by hand, or if
            `docker-compose.yml` was and batching is to change.
    """
    compose = models_dir / texts.COMPOSE
    before = compose.is_file() and "--enable_batching" in _text_of(compose)
    batching = before if batching is None else batching
    files = {
        texts.BATCHING: texts.batching_parameters(),
        texts.MONITORING: texts.monitoring(),
        texts.COMPOSE: texts.compose(served, batching),
        texts.MODELS_CONFIG: texts.models_config(served),
    }
    edited = [name for name in files if not replace and _is_edited(models_dir / name)]
    for name in (texts.MODELS_CONFIG, *[texts.COMPOSE] * (batching != before)):
        if name in edited:
            raise UserError(
                f"{models_dir / name} was edited by hand and is left as it is; move it away, or "
                "give --replace to have it written anew."
            )
    for name, text in files.items():
        if name not in edited:
            _write(models_dir / name, text)
    written = [models_dir / name for name in files if name not in edited]
    command = texts.docker_command(models_dir, batching)
    return written, [models_dir / name for name in edited], command


def _read_models_config(path):
    """Model -> (version listed -> since when, label -> version)."""
    if not path.is_file():
        return {}
    changed = path.stat().st_mtime
    models = {}
    for block in _text_of(path).split("name:")[1:]:
        name = re.match(r"\s*[\"']([\w.-]+)[\"']", block)
        labels = re.findall(r"key:\s*[\"'](\w+)[\"']\s*value:\s*(\d+)", block)
        if name:
            versions = re.findall(rf"versions:\s*(\d+)(?:{texts.LISTED}(\S+))?", block)
            # What is listed was listed when the file was changed last, or before.
            listed = {int(v): min(changed, _seconds(date, changed)) for v, date in versions}
            models[name[1]] = listed, {label: int(version) for label, version in labels}
    return models


def _seconds(date, default):
    """A time as `fer_tf.serving.server_files` writes it, in seconds since 1970."""
    try:
        return datetime.fromisoformat(date).timestamp()
    except ValueError:  # An older program, or somebody, wrote none.
        return default


def _check_version(folder, version, label):
    if not (folder / str(version) / "saved_model.pb").is_file():
        there = ", ".join(path.name for path in find_versions(folder))
        raise UserError(
            f"{folder / str(version)}, wanted as {label}, is no SavedModel; {folder} holds "
            f"{there}: choose one with --{label} {folder.name}=VERSION, or restore it."
        )


def _text_of(path):
    """A file's text, a byte that is none replaced: such a file counts as edited."""
    return path.read_text(encoding="utf-8", errors="replace")


def _sealed(text):
    """The text with a last line that tells whether the others were edited."""
    return f"{text}{_SEAL}{hashlib.sha256(text.encode()).hexdigest()}\n"


def _is_edited(path):
    if not path.is_file():
        return False
    text = _text_of(path)
    return text != _sealed(text.partition(_SEAL)[0])


def _write(path, text):
    sealed = _sealed(text)
    if path.is_file() and _text_of(path) == sealed:
        return  # Its time stays that of the last change, see `choose_versions`.
    with written_beside(path) as out:
        out.write(sealed.encode())
