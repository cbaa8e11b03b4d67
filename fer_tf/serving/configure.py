"""The work of `serve-config`: choosing versions, writing files and reporting both."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fer_tf.export.model_store import place_pretrained
from fer_tf.files import exclusive
from fer_tf.serving.config import POLL_SECONDS, choose_versions, write_files


@dataclass(frozen=True)
class Configured:
    """The result of `configure`.

    Attributes:
        sentences: report what was copied, chosen and written.
        command: the shell command that starts the server.
        failure: a sentence on the labels that do not name the versions wanted yet, or None.
    """

    sentences: list[str]
    command: str
    failure: str | None


def configure(
    models_dir: Path,
    stable: Mapping[str, int],
    canary: Mapping[str, int],
    batching: bool | None,
    replace: bool,
) -> Configured:
    """Writes the server's files for all models of a folder.

    Args:
        models_dir: contains the models; the model that comes with the program is copied into it.
        stable: model -> version, see `fer_tf.serving.config.choose_versions`.
        canary: model -> version.
        batching: see `fer_tf.serving.config.write_files`.
        replace: whether files that were edited by hand are overwritten.

    Raises:
        UserError: see `fer_tf.serving.config.choose_versions` and `write_files`.
    """
    sentences = [
        f"Copied the model that comes with fer_tf to {version}"
        for version in place_pretrained(models_dir)
    ]
    # Without the lock, one of two runs at once would be lost.
    with exclusive(models_dir) if models_dir.is_dir() else contextlib.nullcontext():
        served = choose_versions(models_dir, stable=stable, canary=canary)
        written, kept, command = write_files(models_dir, served, batching, replace)
    unmoved = []
    for model in served:
        loads = ", ".join(map(str, model.versions))
        sentences.append(
            f"{model.name}: loads {loads}; stable {model.stable}, canary {model.canary}"
        )
        for label, version in model.pending.items():
            when = (
                f"when you give the same command again, {2 * POLL_SECONDS} s after version "
                f"{version} was listed at the earliest (a server loads it first)"
            )
            if model.name in {"stable": stable, "canary": canary}[label]:
                stays = f"{model.name}: {label} is still on {getattr(model, label)}"
                unmoved.append(f"{stays}; it moves to {version} {when}.")
            else:
                sentences.append(f"{model.name}: {label} moves to {version} {when}.")
    sentences += [f"Left {path} as it was edited; --replace writes it anew." for path in kept]
    sentences.append(f"Wrote {', '.join(map(str, written))}")
    if "--enable_batching" in command:
        sentences.append(
            "Note: with batching on, a request without a face is never answered, and ten of them "
            "stop the server: docs/serving.md lists what a proxy must refuse."
        )
    return Configured(sentences, command, " ".join(unmoved) or None)
