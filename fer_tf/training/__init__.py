"""Recipes, and how a network is trained by them.

In: a prepared database and a recipe. Out: a run folder: run.json, checkpoint, history.
"""
