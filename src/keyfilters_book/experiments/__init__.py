"""The runs of the chapters on training: a reduced ConvNeXt V2 on Fashion-MNIST, its depthwise filters varied.

- ``variants``: what the depthwise filters are, as a table; ``basis``: eight filters extracted from trained networks
- ``design``: how many images and epochs, which seeds, what is searched
- ``runs``: one run; ``store``: the tables of results in git, which ``python -m keyfilters_build.experiments`` makes
- ``settings``: images and epochs; ``pairs``: what is explored, beside a reference
- ``summary``: means, intervals and paired differences of the tables; ``scale_sweep``: accuracy against one common scale
"""
