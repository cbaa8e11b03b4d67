"""Faces in pictures: reading picture files, finding faces, cropping them to 48x48 gray squares.

In: picture files, folders, videos. Out: `Face` and uint8 [48, 48] arrays.
"""
