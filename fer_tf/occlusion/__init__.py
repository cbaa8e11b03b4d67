"""The three kinds of occlusion, applied to faces.

In: a face, uint8 [48, 48]. Out: the same face with its upper half, its lower half or its eyes
black, or with a drawn occluder.
"""
