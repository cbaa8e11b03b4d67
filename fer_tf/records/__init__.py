"""What travels between folders as a file: a run, an evaluation and a model's manifest.

In: JSON files. Out: frozen dataclasses, each with one reader and one writer.
"""
