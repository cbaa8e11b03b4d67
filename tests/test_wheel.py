"""What is installed: the light install, its extras, and the wheel in an environment of its own."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
import venv
from pathlib import Path

import cv2
import pytest

from fer_tf.data.sources.drawn import draw_portrait

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# The command line where the packages of the extra `train` are not installed.
LIGHT = """
import sys
import time
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


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """The folder of the commands of an environment with the wheel and what it requires alone."""
    folder = tmp_path_factory.mktemp("wheel")
    # Beside the sources, setuptools would leave a folder `build` and read it the next time.
    for name in ("fer_tf", "datasets"):
        shutil.copytree(ROOT / name, folder / "source" / name)
    for name in ("pyproject.toml", "setup.py", "README.md"):
        shutil.copy(ROOT / name, folder / "source")
    pip_wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder]
    subprocess.run([*pip_wheel, folder / "source"], check=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "environment", with_pip=True)
    (commands,) = (folder / "environment").glob("[bS][ic][nr]*")  # bin, on Windows Scripts
    before = size(folder / "environment")
    subprocess.run([commands / "python", "-m", "pip", "install", "--quiet", wheel], check=True)
    print(f"wheel {wheel.stat().st_size / 1e6:.1f} MB, installed with what it requires", end=" ")
    print(f"{(size(folder / 'environment') - before) / 1e6:.0f} MB")
    return commands


def size(folder):
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def run_bare(folder, *command):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    print(f"{time.perf_counter() - begun:.2f} s: {shlex.join(map(str, command))}")
    return done


@pytest.mark.slow
def test_the_wheel_answers_a_photograph_in_an_empty_folder(bare, portrait):
    done = run_bare(portrait.parent, bare / "fer-tf", "predict", portrait.name)
    assert done.returncode == 0, done.stderr
    assert "Answered by" in done.stdout and "any_occlusion" in done.stdout
    assert os.listdir(portrait.parent) == [portrait.name]


@pytest.mark.slow
def test_the_wheel_without_the_extra_trains_nothing_and_names_it(bare, portrait):
    done = run_bare(portrait.parent, bare / "fer-tf", "train", "all")
    (sentence,) = done.stderr.splitlines()
    assert done.returncode == 1 and 'pip install "fer_tf[train]"' in sentence


INSTALLED = """
import sys, time
begun = time.perf_counter()
import fer_tf
seconds = time.perf_counter() - begun
assert not {"numpy", "cv2"} & set(sys.modules)
from importlib.util import find_spec
assert not [name for name in ("tensorflow", "keras", "scipy", "joblib") if find_spec(name)]
print(seconds, fer_tf.__path__[0])
"""


@pytest.mark.slow
def test_the_wheel_contains_every_file_that_is_needed(bare, tmp_path):
    done = run_bare(tmp_path, bare / "python", "-c", INSTALLED)
    assert done.returncode == 0, done.stderr
    seconds, package = done.stdout.split()
    print(f"import fer_tf: {float(seconds):.3f} s")
    for folder, copy in (("fer_tf", Path(package)), ("datasets", Path(package, "datasets"))):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert (copy / path.relative_to(ROOT / folder)).read_bytes() == path.read_bytes()
