"""What the tests of the three builders share; import the module, not the class."""

import functools
import tempfile
from pathlib import Path
from unittest import mock

import tensorflow_datasets as tfds

from fer_tf.data.sources import drawn
from tests.helpers import draw_fer2013

few_drawn_faces = functools.partial(drawn.read, persons=10, takes=1)
"""A stand-in for `drawn.read` that yields 70 faces within a second."""


class OccludedFacesCase(tfds.testing.DatasetBuilderTestCase):
    """TFDS' own checks, with archives of ten images per expression drawn on the spot."""

    BUILDER_CONFIG_NAMES_TO_TEST = ["drawn", "fer2013", "fer2013-leakfree"]
    SPLITS = {"train": 56, "validation": 7, "test": 7}

    @classmethod
    def setUpClass(cls):
        raw_dir = tempfile.TemporaryDirectory()
        cls.addClassCleanup(raw_dir.cleanup)
        draw_fer2013(Path(raw_dir.name) / "fer2013", count_per_expression=10)
        cls.EXAMPLE_DIR = raw_dir.name
        cls.enterClassContext(mock.patch.object(drawn, "read", few_drawn_faces))
        super().setUpClass()
