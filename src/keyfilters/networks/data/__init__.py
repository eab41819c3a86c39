"""Images and labels.

- ``datasets``: data sets, transforms, batches, and which class each folder is
"""
