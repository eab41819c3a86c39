"""Find, match, replace and fold the depthwise filters of a network.

- ``depthwise``: find them, and those that use their weight as it stands; ``matching``: the nearest key of each; ``nulls``: what chance would explain
- ``scale_fits``: scales of single channels; ``replacing``: the table of replacements, ``replace``, ``fold``
- ``branches``: branches merged for deployment
- ``shifts``, ``shift_maps``: keys moved by fractions of a pixel
"""
