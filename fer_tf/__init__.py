"""Facial expression recognition under occlusion by a path-selection multi-network."""

__version__ = "0.1.0"


def load_network(path):
    """Loads a trained network, e.g. `runs/.../best.keras`; see `fer_tf.checkpoint.load_network`.

    Keras is imported here, not with the package.
    """
    from fer_tf import checkpoint

    return checkpoint.load_network(path)
