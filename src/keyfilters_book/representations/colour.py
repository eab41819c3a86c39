"""Filters over three colours, taken apart into luminance and opponent colours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from keyfilters.checks import finite

OPPONENT = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [1.0, 1.0, -2.0]]) / np.sqrt([[3.0], [2.0], [6.0]])
"""Orthonormal rows: luminance, red against green, yellow against blue. The last two span all that luminance is not."""


class ColourParts(NamedTuple):
    """A split of filters; see :func:`colour_parts`.

    Attributes
    ----------
    luminance : ndarray, shape (N, n, n)
        Coefficients along (1, 1, 1) / sqrt 3.
    chroma : ndarray, shape (N, 2, n, n)
        Along the two opponent directions.
    share : ndarray, shape (N,)
        Share of the filter's squared norm that is chroma, in [0, 1].
    separability : ndarray, shape (N,)
        Share of the squared norm that the best product of one mask and one colour holds, in [1/3, 1].
    colour : ndarray, shape (N, 3)
        The unit vector of that colour in RGB; its entry of the largest size is positive.
    mask : ndarray, shape (N, n, n)
        The mask that goes with it.
    """

    luminance: np.ndarray
    chroma: np.ndarray
    share: np.ndarray
    separability: np.ndarray
    colour: np.ndarray
    mask: np.ndarray


def _checked(filters) -> np.ndarray:
    filters = finite(filters, "filters")
    if filters.ndim != 4 or filters.shape[1] != 3 or not len(filters):
        raise ValueError(f"filters has shape {filters.shape}: expected (N, 3, n, n), red, green and blue")
    flat = np.abs(filters).reshape(len(filters), -1).max(axis=1)
    if not flat.all():
        raise ValueError(f"filter {int(flat.argmin())} is all zero: expected at least one non-zero value")
    return filters


def colour_parts(filters) -> ColourParts:
    r"""Split colour filters :math:`w_c(x)`, c = R, G, B, into luminance and chroma, and find the best single colour.

    With the orthonormal rows :math:`e_0 = (1, 1, 1)/\sqrt 3, e_1, e_2` of ``OPPONENT`` the parts are
    :math:`\sum_c e_{jc} w_c(x)`; their squared norms sum to the filter's. The matrix of 3 rows (colours) and
    :math:`n^2` columns (pixels) has singular values :math:`s_1 \ge s_2 \ge s_3`; the filter is one mask seen
    through one mixture of colours where :math:`s_1^2 / \sum s^2 = 1`.

    Parameters
    ----------
    filters : array_like, shape (N, 3, n, n)

    Raises
    ------
    ValueError
        For another shape, and a filter that is all zero.

    Examples
    --------
    >>> red_green = np.stack([np.eye(3), -np.eye(3), np.zeros((3, 3))])
    >>> parts = colour_parts([red_green, np.ones((3, 3, 3))])
    >>> parts.share.round(12).tolist(), parts.separability.round(12).tolist()
    ([1.0, 0.0], [1.0, 1.0])
    """
    filters = _checked(filters)
    parts = np.einsum("jc,ncxy->njxy", OPPONENT, filters)
    energy = (parts**2).sum(axis=(2, 3))
    left, singular, right = np.linalg.svd(filters.reshape(len(filters), 3, -1), full_matrices=False)
    colour, mask = left[:, :, 0], right[:, 0] * singular[:, :1]
    signs = np.sign(colour[np.arange(len(colour)), np.abs(colour).argmax(axis=1)])[:, None]
    share = energy[:, 1:].sum(axis=1) / energy.sum(axis=1)
    separability = singular[:, 0] ** 2 / (singular**2).sum(axis=1)
    return ColourParts(
        parts[:, 0], parts[:, 1:], share, separability, colour * signs, (mask * signs).reshape(-1, *filters.shape[2:])
    )


def colour_axes(filters) -> tuple[np.ndarray, np.ndarray]:
    """Principal axes of all pixels' colour weights: shares of the second moment (3,), largest first, and axes (3, 3) in rows.

    The second moment is taken about zero, over all pixels of all filters; each filter counts by its squared norm.

    Examples
    --------
    >>> shares, axes = colour_axes(np.ones((1, 3, 2, 2)))
    >>> shares.round(12).tolist(), axes[0].round(3).tolist()
    ([1.0, 0.0, 0.0], [0.577, 0.577, 0.577])
    """
    colours = _checked(filters).transpose(1, 0, 2, 3).reshape(3, -1)
    values, axes = np.linalg.eigh(colours @ colours.T)
    values, axes = np.maximum(values[::-1], 0.0), axes[:, ::-1].T
    signs = np.sign(axes[np.arange(3), np.abs(axes).argmax(axis=1)])
    return values / values.sum(), axes * signs[:, None]
