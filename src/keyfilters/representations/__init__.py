"""Representations that need no learning, and what layers learn without labels: the background of the lecture.

It needs the extra ``representations`` (PyWavelets, curvelets, scikit-learn, scikit-image):
``pip install 'keyfilters[representations]'``; the parts that train networks are in :mod:`keyfilters.networks`.
"""
