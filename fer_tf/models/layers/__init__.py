"""Keras layers, one in a file.

In: tensors. Out: tensors.
"""
