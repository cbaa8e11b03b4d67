from datasets.eye_cdb import eye_cdb_dataset_builder
from tests.fer_tf import occluded_faces_case


class EyeCdbTest(occluded_faces_case.OccludedFacesCase):
    DATASET_CLASS = eye_cdb_dataset_builder.Builder
