"""From the archives of the owners to prepared databases and batches of images.

In: data/raw. Out: TFDS databases, inspections and tf.data pipelines.
"""
