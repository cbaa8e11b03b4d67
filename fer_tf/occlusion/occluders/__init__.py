"""Masks, glasses, headsets and hands, drawn over a face.

In: a face and a random generator. Out: the covered face.
"""
