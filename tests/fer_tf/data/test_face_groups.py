import numpy as np

from fer_tf.data.face_groups import connected_groups


def test_faces_are_grouped_by_edges_and_by_what_they_share():
    """Faces 0 and 2 are alike, 2 and 3 share node 5; 1 and 4 are alone."""
    edges = np.array([[0, 2], [2, 5], [3, 5]])
    assert connected_groups(5, edges).tolist() == [0, 1, 0, 0, 2]


def test_without_edges_every_face_is_alone():
    assert connected_groups(3, np.zeros((0, 2), int)).tolist() == [0, 1, 2]
