"""A combined SavedModel of tiny networks, exported once in a test run, which takes seconds."""

import functools
import shutil
from pathlib import Path

from fer_tf.files import exclusive

shared_folder: Path | None = None
"""Set by `tests/conftest.py`: a folder of this test run, which all processes of it share."""


@functools.cache
def tiny_model(precision: str = "float32") -> Path:
    """The folder of a version of the kind "upper"; no test may change it.

    The first process that needs it exports it, the others wait meanwhile.
    """
    from fer_tf.export.contract import ExportOptions
    from fer_tf.export.signatures import export
    from tests.served import tiny_networks

    version = shared_folder / f"tiny-{precision}" / "1"
    with exclusive(shared_folder):
        if not version.is_dir():
            beside = version.with_name("writing")
            export(tiny_networks(), "upper", beside, ExportOptions(precision))
            beside.rename(version)
    return version


def copy_tiny_model(folder: Path) -> None:
    """Puts the version in float32 into a folder that does not exist."""
    shutil.copytree(tiny_model(), folder)
