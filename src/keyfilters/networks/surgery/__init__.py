"""Find, match, replace and fold the depthwise filters of a network.

- ``depthwise``: find them; ``matching``: the nearest key of each; ``nulls``: what chance would explain
- ``scale_fits``: scales of single channels; ``modes``: the table of replacements; ``replacing``: ``replace``, ``fold``
- ``branches``: branches merged for deployment
- ``shifts``, ``shift_maps``: keys moved by fractions of a pixel
"""
