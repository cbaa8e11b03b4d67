from datasets.concat_db import concat_db_dataset_builder
from tests.fer_tf.data import tfds_builder_case


class ConcatDbTest(tfds_builder_case.OccludedFacesCase):
    DATASET_CLASS = concat_db_dataset_builder.Builder
