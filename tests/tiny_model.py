"""A combined SavedModel of tiny networks, for the tests that serve one."""

import functools
import shutil
import tempfile
from pathlib import Path

from fer_tf.export.signatures import export
from tests.served import tiny_networks


def copy_tiny_model(folder: Path) -> None:
    """Puts a version of the kind "upper" into a folder that does not exist."""
    shutil.copytree(Path(_exported().name) / "1", folder)


@functools.cache
def _exported():
    """Exported once in a test run, which takes seconds; removed at its end."""
    folder = tempfile.TemporaryDirectory()
    export(tiny_networks(), "upper", Path(folder.name) / "1")
    return folder
