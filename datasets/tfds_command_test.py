"""`tfds build` in a builder's folder, with the requirements of `make test-all`."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import draw_fer2013

TFDS = Path(sys.executable).with_name("tfds")


@pytest.mark.slow
@pytest.mark.parametrize("database", ["concat_db", "bconcat_db", "eye_cdb"])
def test_tfds_build_makes_one_config(database, tmp_path):
    draw_fer2013(tmp_path / "raw" / "fer2013", count_per_expression=10)
    options = ["--data_dir", tmp_path / "data", "--manual_dir", tmp_path / "raw"]
    done = subprocess.run(
        [TFDS, "build", "--config", "fer2013", *options],
        cwd=Path(__file__).parent / database,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data" / database / "fer2013" / "1.0.0" / "dataset_info.json").is_file()
