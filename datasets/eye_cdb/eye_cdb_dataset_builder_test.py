from datasets.eye_cdb import eye_cdb_dataset_builder
from tests.fer_tf.data import tfds_builder_case


class EyeCdbTest(tfds_builder_case.OccludedFacesCase):
    DATASET_CLASS = eye_cdb_dataset_builder.Builder
