"""Puts the TFDS builders of `datasets/` into the wheel as `fer_tf.datasets`.

`datasets` itself is the name of another package, and pyproject.toml can add packages from a
second folder only where it lists all of them by name.
"""

from setuptools import find_packages, setup

BUILDERS = ("concat_db", "bconcat_db", "eye_cdb")

setup(
    packages=[
        *find_packages(include=["fer_tf", "fer_tf.*"]),
        *("fer_tf.datasets", *(f"fer_tf.datasets.{name}" for name in BUILDERS)),
    ],
    package_dir={"fer_tf.datasets": "datasets"},
)
