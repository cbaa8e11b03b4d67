"""Trains networks by recipes.

In: a prepared database and a recipe. Out: a run folder: run.json, checkpoint, history.
"""
