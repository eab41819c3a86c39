r"""The picture that a unit multiplies the image by, to first order.

For the weighted sum a of a unit and an image x, :math:`a(x + h) \approx a(x) + \langle \nabla a(x), h \rangle`. In the
first layer the gradient is the unit's kernel, whatever the image: a mask. Behind a nonlinearity it depends on the image.
"""

from __future__ import annotations

import numpy as np
import torch

from keyfilters.checks import choice

UNITS = {"a1": (14, 14, 5), "a3": (5, 10, 14), "a5": (0, 0, 32)}
"""Weighted sums of C1, C3, C5 -> row (and column) of a unit near the middle of its map, first row and side of its field."""


def unit_gradients(network, images, layer: str = "a3") -> np.ndarray:
    """Return the gradients of a layer's middle units with respect to the image, cut to their field.

    Parameters
    ----------
    network : LeNet5
    images : Tensor, shape (N, 1, 32, 32)
    layer : {"a1", "a3", "a5"}
        Weighted sums of C1 (field 5 x 5 pixels), of C3 (14 x 14) or of C5 (32 x 32).

    Returns
    -------
    ndarray, shape (N, maps, side, side)
        In float64; with layer ``"a1"`` the kernels of C1, for every image.

    Raises
    ------
    ValueError
        For another layer.

    Examples
    --------
    >>> from keyfilters_book.background.lenet import LeNet5
    >>> network = LeNet5()
    >>> found = unit_gradients(network, torch.zeros(2, 1, 32, 32), "a1")
    >>> found.shape, bool(np.allclose(found[1], network.c1.weight.detach().numpy()[:, 0]))
    ((2, 6, 5, 5), True)
    """
    place, start, side = UNITS[choice(layer, UNITS, "layer")]
    x = images.detach().clone().requires_grad_(True)
    units = network.maps(x)[layer][:, :, place, place]
    found = []
    for unit in units.sum(0):
        (gradient,) = torch.autograd.grad(unit, x, retain_graph=True)
        found.append(gradient[:, 0, start : start + side, start : start + side])
    return torch.stack(found, dim=1).double().numpy()


def alignment(pictures) -> np.ndarray:
    """Return the cosines between the pictures of each pair of images, for each map.

    Parameters
    ----------
    pictures : array_like, shape (N, maps, n, n)

    Returns
    -------
    ndarray, shape (maps, N (N - 1) / 2)

    Raises
    ------
    ValueError
        For fewer than two images.

    Examples
    --------
    >>> alignment([[np.eye(3)], [np.ones((3, 3))]]).round(3)
    array([[0.577]])
    """
    p = np.asarray(pictures, dtype=float)
    if p.ndim != 4 or len(p) < 2:
        raise ValueError(f"pictures has shape {p.shape}: expected (images, maps, n, n) with at least two images")
    flat = p.reshape(*p.shape[:2], -1).transpose(1, 0, 2)
    norm = np.linalg.norm(flat, axis=-1, keepdims=True)
    flat = np.divide(flat, norm, out=np.zeros_like(flat), where=norm > 0)
    rows, columns = np.triu_indices(len(p), 1)
    return np.einsum("mnk,mlk->mnl", flat, flat)[:, rows, columns]
