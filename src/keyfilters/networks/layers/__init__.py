"""Depthwise convolutions of idealised filters.

- ``kernels``: the filters of all channels at once, differentiable
- ``base``: weights that are computed, in a network's own convolutions or in a stand-alone depthwise one
- ``scale_space``: such weights of discrete Gaussians, ``ScaleSpaceConv1d`` to ``3d``; ``filter_bank``: of a bank, ``FilterBankConv2d``
"""
