"""Measures trained networks on a split.

In: run folders and a database. Out: numbers with confidence intervals, tables and figures.
"""
