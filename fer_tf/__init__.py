"""Facial expression recognition under occlusion by a path-selection multi-network."""

__version__ = "0.1.0"
