"""Depthwise convolutions of idealised filters.

- ``kernels``: the filters of all channels at once, differentiable
- ``base``: a depthwise convolution whose weight is computed
- ``scale_space``: ``ScaleSpaceConv2d``; ``filter_bank``: ``FilterBankConv2d``
"""
