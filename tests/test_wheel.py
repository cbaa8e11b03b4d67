import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FIND = """
from pathlib import Path
import fer_tf
from fer_tf.inference.predict import find_model
print(fer_tf.__file__, find_model(None, Path("saved_models")), sep="\\n")
"""


@pytest.mark.slow
def test_the_model_travels_in_the_wheel_and_is_found_from_any_folder(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path, ROOT]
    subprocess.run(command, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    for path in (ROOT / "fer_tf" / "pretrained").rglob("*"):
        copy = tmp_path / "site" / path.relative_to(ROOT)
        assert path.is_dir() or copy.read_bytes() == path.read_bytes()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", FIND],
        cwd=elsewhere,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    )
    package, model = map(Path, done.stdout.split())
    assert package.parent == tmp_path / "site" / "fer_tf"
    assert model.parent == package.parent / "pretrained" / "any_occlusion"
