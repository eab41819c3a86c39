"""Depthwise convolutions of idealised filters.

- ``kernels``: the filters of all channels at once, differentiable
- ``weights``: weights that are computed; ``parametrised``: a network's own convolutions with such weights
- ``tabled``: such weights that are made of discrete Gaussians; ``base``: a stand-alone depthwise convolution whose weight is computed
- ``scale_space``: ``ScaleSpaceWeight`` and ``ScaleSpaceConv2d``; ``filter_bank``: ``FilterBankWeight`` and ``FilterBankConv2d``
- ``lines_and_volumes``: ``ScaleSpaceConv1d`` and ``ScaleSpaceConv3d``
"""
