"""Facial expression recognition under occlusion by a path-selection multi-network.

from fer_tf import ExpressionRecognizer
recognizer = ExpressionRecognizer()
faces = recognizer("photo.jpg")
"""

__version__ = "0.1.0"
__all__ = ["ExpressionRecognizer", "__version__", "load_network"]


def load_network(path):
    """Loads a trained network, e.g. `runs/.../best.keras`, as a Keras model.

    See `fer_tf.training.checkpoint.load_network`. Keras is imported by this function, not with the
    package.
    """
    from fer_tf.training import checkpoint

    return checkpoint.load_network(path)


def __getattr__(name):
    """Import the recognizer when it is used, because NumPy and OpenCV take a while to import."""
    if name == "ExpressionRecognizer":
        from fer_tf.inference.recognizer import ExpressionRecognizer

        return ExpressionRecognizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
