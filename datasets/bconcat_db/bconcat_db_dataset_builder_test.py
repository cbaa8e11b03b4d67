from datasets.bconcat_db import bconcat_db_dataset_builder
from tests.fer_tf import occluded_faces_case


class BconcatDbTest(occluded_faces_case.OccludedFacesCase):
    DATASET_CLASS = bconcat_db_dataset_builder.Builder
