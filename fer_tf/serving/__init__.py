"""TensorFlow Serving: its configuration files, and a client of its REST API.

In: versions of models, or a server address. Out: models.config and other files, or checked answers.
"""
