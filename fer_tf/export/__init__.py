"""Combines trained networks into a version of one SavedModel.

In: run folders. Out: saved_models/NAME/VERSION with signatures, warm-up requests, manifest and
model card.
"""
