"""What the chapters on the paper compute beside the library.

- ``structure``, ``spectrum``, ``sharpening``: symmetry of filters, what they do to a wave, two models of key 7
- ``landscape``, ``exclusion``: objectives between and around their minima; where the optimum can still be
- ``procedure``, ``notes``, ``excess``: how the published numbers came about, and by how much they miss the optimum
- ``architecture``: the published network as a table of layers; ``tables``: tables of scales and of spreads
"""
