"""Figures, drawn by matplotlib.

In: faces or results. Out: PNG files.
"""
