"""Depthwise convolutions of idealised filters.

- ``kernels``: the filters of all channels at once, differentiable
- ``base``: weights that are computed, in a network's own convolutions or in a stand-alone depthwise one
- ``tabled``: such weights that are made of discrete Gaussians
- ``scale_space``: ``ScaleSpaceWeight`` and ``ScaleSpaceConv2d``, ``FilterBankWeight`` and ``FilterBankConv2d``
- ``lines_and_volumes``: ``ScaleSpaceConv1d`` and ``ScaleSpaceConv3d``
"""
