from datasets.bconcat_db import bconcat_db_dataset_builder
from tests.fer_tf.data import tfds_builder_case


class BconcatDbTest(tfds_builder_case.OccludedFacesCase):
    DATASET_CLASS = bconcat_db_dataset_builder.Builder
