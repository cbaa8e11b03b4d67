"""Predictions for photographs, by LiteRT or TensorFlow on this machine, or by a server.

In: pictures. Out: `Prediction`s, tables, JSON, annotated pictures.
"""
