"""The page in the browser.

In: pictures that a user drops. Out: answers as HTML.
"""
