"""Writes the files with which TensorFlow Serving serves every model under `saved_models/`.

Two labels name a version of each model: `stable`, for everybody, and `canary`, for those who try
a new version first. A running server reads `models.config` again every `POLL_SECONDS`. It refuses
a whole file that moves a label to a version which it has not loaded, and then loads nothing new
either (`ServerCore::ReloadConfig` checks the labels before it looks for versions). So a label moves
to a new version in two runs: one run lists the version, a later run moves the label.
"""

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from fer_tf.errors import UserError
from fer_tf.export.model_store import find_versions, is_pretrained, newest_versions
from fer_tf.serving import server_files
from fer_tf.serving.server_files import POLL_SECONDS

_HEAD = """\
# Which models and versions TensorFlow Serving loads, and which versions the labels `stable` and
# `canary` name: a ModelServerConfig. Read again while the server runs.
"""
_LISTED = "# listed since "  # A time in ISO 8601, the model's name and the version follow.


@dataclass(frozen=True)
class ServedModel:
    """What the server does with one model.

    Attributes:
        name: its folder's name.
        versions: the versions that the server loads, ascending -> the time, in seconds since 1970,
            at which `models.config` first listed them.
        stable: the version that label `stable` names.
        canary: the version that label `canary` names.
        pending: label -> version that the label moves to in a later run, once the server loaded it.
    """

    name: str
    versions: dict[int, float]
    stable: int
    canary: int
    pending: dict[str, int]


def choose_versions(
    models_dir: Path, stable: dict[str, int], canary: dict[str, int]
) -> list[ServedModel]:
    """Decide which versions the server loads and which versions the labels name.

    By default `stable` stays on the version that `models.config` has, and `canary` names the newest
    version; both name the newest version of a model that the file does not have. A label moves
    only to a version that another label names, or that the file has listed long enough for a
    running server to have read it; else this run lists the version and the move is pending. A
    listed version stays listed until a further version comes, so that a roll-back loads nothing.

    Args:
        models_dir: contains `<name>/<integer version>/`.
        stable: model -> version that the user wants for everybody.
        canary: model -> version that the user wants for those who try it first.

    Raises:
        UserError: if there is no model, a name or a version does not exist or is no SavedModel,
            a name cannot be part of an address, or `models.config` cannot be parsed.
    """
    newest = newest_versions(models_dir)
    folders = {
        name: find_versions(models_dir / name)
        for name in sorted(newest)
        if not is_pretrained(newest[name])
    }
    if not folders:
        raise UserError(
            f"{models_dir} holds no model; make one with `python cli.py train all`, or try the "
            "whole chain on drawn faces with `make demo`."
        )
    for name in (*stable, *canary):
        if name not in folders:
            raise UserError(f"{models_dir} holds {', '.join(folders)}, not {name!r}.")
    before = _read_models_config(models_dir / server_files.MODELS_CONFIG)
    now = time.time()
    served = []
    for name, versions in folders.items():
        if not re.fullmatch(r"[\w.-]+", name, re.ASCII):
            raise UserError(
                f"{models_dir / name} cannot be served under its name; letters, digits, '_', '-' "
                "and '.' are expected: rename the folder."
            )
        existing = [int(folder.name) for folder in versions]
        listed, labels = before.get(name, ({}, {}))
        wanted = {
            "stable": stable.get(name, labels.get("stable", existing[-1])),
            "canary": canary.get(name, existing[-1]),
        }
        for label, version in wanted.items():
            _check_version(models_dir / name, version, label)
        served.append(_choose(name, existing, listed, labels, wanted, now))
    return served


def _choose(name, existing, listed, labels, wanted, now):
    """The `ServedModel` of one model whose wanted versions are whole."""
    loaded = {version for version, since in listed.items() if now - since >= 2 * POLL_SECONDS}
    loaded |= {*labels.values()}
    chosen = {
        label: version if label not in labels or version in loaded else labels[label]
        for label, version in wanted.items()
    }
    versions = {*chosen.values(), *wanted.values()}
    if versions <= {*listed}:
        versions |= {*existing} & {*listed}
    return ServedModel(
        name,
        {version: listed.get(version, now) for version in sorted(versions)},
        **chosen,
        pending={label: v for label, v in wanted.items() if v != chosen[label]},
    )


def write_files(
    models_dir: Path, served: list[ServedModel], batching: bool | None, replace: bool
) -> tuple[list[Path], list[Path], str]:
    """Write the four files, each beside its place and then renamed, `models.config` last.

    Args:
        models_dir: where they are written.
        served: see `choose_versions`.
        batching: whether the server joins requests into batches; None keeps the earlier setting,
            which is off at first.
        replace: whether files that were edited by hand are overwritten.

    Returns:
        The files that now have what serve-config writes, the files left as they were edited, and
        the command that starts the server.

    Raises:
        UserError: without `replace`, if `models.config` was edited by hand, or if
            `docker-compose.yml` was and batching is to change.
    """
    compose = models_dir / server_files.COMPOSE
    before = compose.is_file() and "--enable_batching" in server_files.read_text(compose)
    batching = before if batching is None else batching
    texts = {
        server_files.BATCHING: server_files.batching_parameters(),
        server_files.MONITORING: server_files.monitoring(),
        server_files.COMPOSE: server_files.compose([model.name for model in served], batching),
        server_files.MODELS_CONFIG: _models_config(served),
    }
    edited = [name for name in texts if not replace and server_files.is_edited(models_dir / name)]
    needed = {server_files.MODELS_CONFIG}
    if batching != before:
        needed.add(server_files.COMPOSE)
    for name in edited:
        if name in needed:
            raise UserError(
                f"{models_dir / name} was edited by hand and is left as it is; move it away, or "
                "give --replace to have it written anew."
            )
    written = [name for name in texts if name not in edited]
    for name in written:
        server_files.write_sealed(models_dir / name, texts[name])
    command = server_files.docker_command(models_dir, batching)
    return [models_dir / name for name in written], [models_dir / name for name in edited], command


def _models_config(served):
    """A `ModelServerConfig` in protobuf's text format, and when each version was listed."""
    config, listed = ModelServerConfig(), ""
    for model in served:
        entry = config.model_config_list.config.add(
            name=model.name,
            base_path=f"{server_files.MOUNTED}/{model.name}",
            model_platform="tensorflow",
            version_labels={"stable": model.stable, "canary": model.canary},
        )
        entry.model_version_policy.specific.versions.extend(model.versions)
        for version, since in model.versions.items():
            date = datetime.fromtimestamp(int(since), UTC).isoformat()
            listed += f"{_LISTED}{date}: {model.name} {version}\n"
    return _HEAD + listed + text_format.MessageToString(config)


def _read_models_config(path):
    """Model -> (version -> when it was listed first, label -> version)."""
    if not path.is_file():
        return {}
    text, dates = server_files.read_text(path), {}
    try:
        config = text_format.Parse(text, ModelServerConfig())
        for line in text.splitlines():
            if line.startswith(_LISTED):
                date, _, model_and_version = line.removeprefix(_LISTED).partition(": ")
                dates[model_and_version] = datetime.fromisoformat(date).timestamp()
    except (text_format.ParseError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read as a ModelServerConfig ({error}); correct it or move it away."
        ) from error
    # What is listed was listed when the file was changed last, or before.
    changed = path.stat().st_mtime
    return {
        model.name: (
            {
                version: min(changed, dates.get(f"{model.name} {version}", changed))
                for version in model.model_version_policy.specific.versions
            },
            dict(model.version_labels),
        )
        for model in config.model_config_list.config
    }


def _check_version(folder, version, label):
    if not (folder / str(version) / "saved_model.pb").is_file():
        existing = ", ".join(path.name for path in find_versions(folder))
        raise UserError(
            f"{folder / str(version)}, wanted as {label}, is no SavedModel; {folder} holds "
            f"{existing}: choose one with --{label} {folder.name}=VERSION, or restore it."
        )
