"""Depthwise filters that are a fixed part plus a few basis filters with trained coefficients."""

from __future__ import annotations

import torch
from torch import nn

from keyfilters.checks import finite
from keyfilters.networks.layers.base import ComputedWeight, DepthwiseKernelConv2d


class BasisConv2d(DepthwiseKernelConv2d):
    r"""Depthwise convolution whose filters lie in a plane (of any dimension) of their own.

    Channel c has the weight

    .. math:: w_c = g\,\Bigl(f_c + \sum_k a_{ck}\, B_{ck}\Bigr)

    with f and B fixed and the coefficients a trained. With :math:`B_{c1}` constant it is a frozen filter with a
    learnable offset; with f = 0 and derivatives of a Gaussian it is a structured receptive field.

    Parameters
    ----------
    fixed : array_like, shape (C, n, n)
    basis : array_like, shape (C, K, n, n)
    coefficients : array_like, shape (C, K)
        Where they start.
    gain : float
        The factor g, not trained.
    **geometry
        Of the convolution, as :meth:`from_conv` takes it from the one whose place the layer takes.

    Raises
    ------
    ValueError
        For arrays that are not finite or do not fit together.

    Source: Jacobsen et al. (2016) for the basis of Gaussian derivatives.

    Examples
    --------
    >>> import numpy as np
    >>> layer = BasisConv2d.from_conv(nn.Conv2d(2, 2, 3, groups=2, padding=1), np.eye(3)[None].repeat(2, 0), np.ones((2, 1, 3, 3)), [[0.5], [0.0]])
    >>> layer.weight.detach()[:, 0, 0].tolist()
    [[1.5, 0.5, 0.5], [1.0, 0.0, 0.0]]
    """

    def __init__(self, fixed, basis, coefficients, *, channels, gain=1.0, **geometry):
        whole = self._complete(channels, geometry)
        fixed, basis, coefficients = (
            finite(v, n) for v, n in ((fixed, "fixed"), (basis, "basis"), (coefficients, "coefficients"))
        )
        count = int(whole["out_channels"])
        if (
            fixed.ndim != 3
            or len(fixed) != count
            or basis.ndim != 4
            or basis.shape[::2] != fixed.shape[:2]
            or basis.shape[3] != fixed.shape[2]
        ):
            raise ValueError(
                f"fixed has shape {fixed.shape} and basis {basis.shape}: expected ({count}, n, n) and ({count}, K, n, n)"
            )
        if coefficients.shape != basis.shape[:2]:
            raise ValueError(f"coefficients has shape {coefficients.shape}: expected {basis.shape[:2]}, one per basis filter")
        factory = {"device": whole["device"], "dtype": whole["dtype"] or torch.get_default_dtype()}
        ComputedWeight.__init__(self, count, gain, 0.0, False, factory)
        self.register_buffer("fixed", torch.tensor(fixed, **factory))
        self.register_buffer("basis", torch.tensor(basis, **factory))
        self.coefficients = nn.Parameter(torch.tensor(coefficients, **factory))
        self._convolve(channels, fixed.shape[-1], whole)

    def filters(self) -> torch.Tensor:
        return self.fixed + (self.coefficients[:, :, None, None] * self.basis).sum(1)

    @classmethod
    def from_conv(cls, conv, fixed, basis, coefficients, gain=1.0):
        """A layer in place of a depthwise convolution."""
        return cls(fixed, basis, coefficients, gain=gain, channels=conv.in_channels, **cls._geometry(conv))._take_over(conv)
