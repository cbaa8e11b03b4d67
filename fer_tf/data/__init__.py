"""Databases: built from the owners' archives, inspected, and read as batches of images.

In: data/raw. Out: TFDS databases, inspections and tf.data pipelines.
"""
