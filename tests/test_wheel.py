"""What is installed: the light install, its extras, and the wheel in an environment of its own."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import cv2
import pytest

from fer_tf.data.sources.drawn import draw_portrait

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# The command line where the packages of the extra `train` are not installed.
LIGHT = """
import sys
from fer_tf.cli import _TRAIN, main
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in _TRAIN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hide())
main()
"""


def names(requirements):
    return {re.match(r"[\w-]+", line)[0] for line in requirements if not line.startswith("#")}


@pytest.fixture
def portrait(tmp_path) -> Path:
    """A drawn portrait in an empty folder."""
    path = tmp_path / "empty" / "portrait.png"
    path.parent.mkdir()
    cv2.imwrite(str(path), draw_portrait(subject=200, expression=0, take=0))
    return path


def run_light(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-c", LIGHT, *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_the_pinned_requirements_are_those_of_training():
    extras = PROJECT["optional-dependencies"]
    pinned = (ROOT / "requirements.txt").read_text().splitlines()
    assert names(pinned) == names(PROJECT["dependencies"]) | names(extras["train"])


@pytest.mark.parametrize(
    "command",
    [
        ["train", "all"],
        ["build-datasets", "--sources", "drawn"],
        ["inspect"],
        ["reproduce"],
        ["serve-config"],
        ["predict", "portrait.png", "--runtime", "tensorflow"],
    ],
    ids=lambda command: command[0],
)
def test_a_command_without_its_packages_names_the_extra_in_one_sentence(portrait, command):
    done = run_light(portrait.parent, *command)
    (sentence,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert sentence.endswith('install the extra named train: pip install "fer_tf[train]"')
    assert os.listdir(portrait.parent) == ["portrait.png"]


def test_photographs_are_answered_and_counted_without_the_extra(portrait):
    done = run_light(portrait.parent, "predict", "portrait.png")
    assert done.returncode == 0 and "any_occlusion" in done.stdout, done.stderr
    (portrait.parent / "Happiness").mkdir()
    portrait.rename(portrait.parent / "Happiness" / portrait.name)
    done = run_light(portrait.parent, "evaluate-photos", ".")
    assert done.returncode == 0 and "1 photographs right" in done.stdout, done.stderr


def test_the_import_of_the_package_is_light():
    code = "import sys, fer_tf; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    modules = done.stdout.split()
    assert not {"tensorflow", "keras", "cv2", "ai_edge_litert", "scipy"} & set(modules)
