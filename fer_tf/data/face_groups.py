"""Groups of faces that belong together: copies, near duplicates, one person."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def connected_groups(count: int, edges: np.ndarray) -> np.ndarray:
    """Number the groups of faces that are connected by edges.

    Args:
        count: number of faces, which are the nodes 0 to count - 1.
        edges: int [K, 2], pairs of nodes. A node from `count` on is no face: it connects faces
            that share something, e.g. a person.

    Returns:
        int [count], 0 to (number of groups - 1).
    """
    nodes = max(count, edges.max(initial=-1) + 1)
    graph = coo_array((np.ones(len(edges), bool), tuple(edges.T)), shape=(nodes, nodes))
    _, group = connected_components(graph, directed=False)
    return np.unique(group[:count], return_inverse=True)[1]
