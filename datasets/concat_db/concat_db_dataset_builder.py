"""ConcatDB: faces with the upper half covered."""

from fer_tf.data.tfds_builder import OccludedFaces


class Builder(OccludedFaces):
    """The paper's ConcatDB (section 3.1), see README.md beside this file.

    Its name, taken by TFDS from this file's, chooses the occlusion in
    `fer_tf.occlusion.kinds.DATABASES`.
    """
