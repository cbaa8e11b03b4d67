"""Facial expression recognition under occlusion by a path-selection multi-network."""

__version__ = "0.1.0"


def load_network(path):
    """Loads a trained network, e.g. `runs/.../best.keras`, as a Keras model.

    See `fer_tf.training.checkpoint.load_network`. Keras is imported by this function, not with the
    package.
    """
    from fer_tf.training import checkpoint

    return checkpoint.load_network(path)
