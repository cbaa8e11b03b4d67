"""Answers for photographs, by a SavedModel here or by a server.

In: pictures. Out: `Prediction`s, tables, JSON, annotated pictures.
"""
