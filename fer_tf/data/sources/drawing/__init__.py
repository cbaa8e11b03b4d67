"""Drawing of the faces of the source `drawn`.

In: a person, an expression and a take. Out: a gray picture.
"""
