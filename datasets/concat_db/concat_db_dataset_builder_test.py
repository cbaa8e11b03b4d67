from datasets.concat_db import concat_db_dataset_builder
from tests.fer_tf import occluded_faces_case


class ConcatDbTest(occluded_faces_case.OccludedFacesCase):
    DATASET_CLASS = concat_db_dataset_builder.Builder
