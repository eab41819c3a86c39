r"""A convolution as depthwise filters and a pointwise mixture: what is reachable, and how near one comes.

A convolution with weights :math:`W_{o i u}` (output map o, input map i, tap u) is a depthwise convolution with m filters
per input map, followed by a pointwise one without anything in between, exactly if

.. math:: W_{o i u} = \sum_{r=1}^{m} P_{o i r}\, D_{i r u},

that is if for each input map i the matrix :math:`W_i` (outputs x taps) has rank at most m. The nearest such weights take
the m largest singular values of each :math:`W_i` (Eckart and Young). Only numpy is needed here.

Source: Eckart and Young (1936).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keyfilters.checks import finite


@dataclass(frozen=True)
class Factorisation:
    """The nearest depthwise-separable layer.

    Attributes
    ----------
    depthwise : ndarray, shape (d_in, m, k, k)
        Filters of each input map, of unit norm.
    pointwise : ndarray, shape (d_out, d_in, m)
    singular_values : ndarray, shape (d_in, min(d_out, k^2))
        Of the matrices of all input maps, descending.
    """

    depthwise: np.ndarray
    pointwise: np.ndarray
    singular_values: np.ndarray

    @property
    def weight(self) -> np.ndarray:
        """The full weights that the two layers amount to, shape (d_out, d_in, k, k)."""
        return np.einsum("oir,iruv->oiuv", self.pointwise, self.depthwise)

    @property
    def error(self) -> float:
        """Norm of what is left over as a share of the norm of the weights; 0 if these are all zero."""
        energy = self.singular_values**2
        total = energy.sum()
        return float(np.sqrt(energy[:, self.depthwise.shape[1] :].sum() / total)) if total > 0 else 0.0


def _weights(weight) -> np.ndarray:
    w = finite(weight, "weight")
    if w.ndim != 4 or w.shape[2] != w.shape[3] or 0 in w.shape:
        raise ValueError(f"weight has shape {w.shape}: expected (outputs, inputs, k, k)")
    return w


def _multiplier(value, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 1 <= value <= most:
        raise ValueError(f"multiplier is {value!r}: expected an integer from 1 to {most}")
    return int(value)


def depthwise_separable(weight, multiplier: int = 1) -> Factorisation:
    """Return the depthwise-separable layer whose weights are nearest in the sum of squares.

    Parameters
    ----------
    weight : array_like, shape (d_out, d_in, k, k)
    multiplier : int
        Filters per input map, m, from 1 to min(d_out, k^2).

    Raises
    ------
    ValueError
        For weights of another shape or not finite, and a multiplier out of range.

    Examples
    --------
    >>> blur, edge = np.ones((3, 3)), np.array([[1.0, 0, -1]] * 3)
    >>> weight = np.stack([[blur, edge], [2 * blur, 3 * edge], [blur, blur]])
    >>> depthwise_separable(weight[:2]).error < 1e-12, round(depthwise_separable(weight).error, 3)
    (True, 0.271)
    >>> depthwise_separable(weight, 2).error < 1e-12
    True
    """
    w = _weights(weight)
    outputs, inputs, side, _ = w.shape
    m = _multiplier(multiplier, min(outputs, side**2))
    left, values, right = np.linalg.svd(w.transpose(1, 0, 2, 3).reshape(inputs, outputs, side**2), full_matrices=False)
    pointwise = (left[:, :, :m] * values[:, None, :m]).transpose(1, 0, 2)
    return Factorisation(right[:, :m].reshape(inputs, m, side, side), pointwise, values)


def dimension(inputs: int, outputs: int, side: int, multiplier: int = 1) -> int:
    r"""Return the dimension of the set of weights that a depthwise-separable layer reaches.

    .. math:: d_{in}\, m\, (d_{out} + k^2 - m),

    which is :math:`m^2` per input map less than it has weights: the m filters of a map can be recombined, and the
    mixture can undo it.

    Examples
    --------
    >>> dimension(6, 16, 5), 6 * 25 + 6 * 16
    (240, 246)
    >>> dimension(6, 16, 5, 16) == 6 * 16 * 25
    True
    """
    m = _multiplier(multiplier, min(outputs, side**2))
    return inputs * m * (outputs + side**2 - m)


def span_share(kernels, bank) -> float:
    r"""Return the share of the sum of squares of kernels that lies in the span of a bank of filters.

    .. math:: \frac{\sum_n \lVert Q^T w_n \rVert^2}{\sum_n \lVert w_n \rVert^2},

    with the columns of Q an orthonormal basis of the span. A bank of p independent filters of white noise explains
    p / k^2 of white noise.

    Parameters
    ----------
    kernels : array_like, shape (N, k, k)
    bank : array_like, shape (K, k, k)

    Raises
    ------
    ValueError
        For arrays of other shapes, or not finite, and kernels that are all zero.

    Examples
    --------
    >>> span_share([np.eye(3)], [np.ones((3, 3))])
    0.333...
    """
    k, b = finite(kernels, "kernels"), finite(bank, "bank")
    if k.ndim != 3 or b.ndim != 3 or k.shape[1:] != b.shape[1:]:
        raise ValueError(f"kernels and bank have shapes {k.shape} and {b.shape}: expected (N, k, k) and (K, k, k)")
    if not k.any():
        raise ValueError("kernels are all zero: expected at least one that is not")
    rows = k.reshape(len(k), -1)
    return float((project_on_bank(k, b).reshape(rows.shape) ** 2).sum() / (rows**2).sum())


def project_on_bank(kernels, bank) -> np.ndarray:
    """Return kernels (N, k, k) projected on the span of a bank (K, k, k).

    Examples
    --------
    >>> project_on_bank([np.eye(3)], [np.ones((3, 3))])[0, 0].round(3)
    array([0.333, 0.333, 0.333])
    """
    rows, b = np.asarray(kernels, dtype=float), np.asarray(bank, dtype=float)
    left, values, _ = np.linalg.svd(b.reshape(len(b), -1).T, full_matrices=False)
    basis = left[:, values > 1e-12 * max(values.max(), 1e-300)]
    return (rows.reshape(len(rows), -1) @ basis @ basis.T).reshape(rows.shape)
