"""Images and labels.

- ``datasets``: data sets, transforms, batches
- ``class_numbers``: folders of ImageNet's classes
"""
