"""Records in JSON files: runs, evaluations, reproductions and manifests of models.

In: JSON files. Out: frozen dataclasses, each with one reader and one writer.
"""
