"""Eight filters extracted from trained networks: the best that eight filters of any shape could be."""

from __future__ import annotations

import numpy as np

from keyfilters.networks.klines import k_lines

COUNT = 8


def extracted_banks(filters, seed: int = 0) -> dict[str, np.ndarray]:
    """Principal components and k-lines of the filters of trained networks.

    Both describe filters of l2 norm 1. The principal components are those of the uncentred second-moment
    matrix, since a filter and its negative are the same for what follows a depthwise convolution.

    Parameters
    ----------
    filters : array_like, shape (C, n, n)
    seed : int
        For the starts of k-lines.

    Returns
    -------
    dict with ``"pca"`` and ``"lines"``, arrays of shape (8, n, n)

    Raises
    ------
    ValueError
        For fewer than 8 filters that are not zero.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> {name: f.shape for name, f in extracted_banks(rng.standard_normal((40, 3, 3))).items()}
    {'pca': (8, 3, 3), 'lines': (8, 3, 3)}
    """
    filters = np.asarray(filters, dtype=np.float64)
    vectors = filters.reshape(len(filters), -1)
    norms = np.sqrt((vectors**2).sum(1))
    vectors = vectors[norms > 0] / norms[norms > 0, None]
    if len(vectors) < COUNT:
        raise ValueError(f"filters: {len(vectors)} are not zero; expected at least {COUNT}")
    _, axes = np.linalg.eigh(vectors.T @ vectors)
    components = axes.T[::-1][:COUNT]
    # Sign: the entry of largest size is positive, so that two machines give the same arrays.
    components = components * np.sign(components[np.arange(COUNT), np.abs(components).argmax(1)])[:, None]
    shape = (COUNT, *filters.shape[1:])
    return {"pca": components.reshape(shape), "lines": k_lines(vectors, COUNT, seed=seed).lines.reshape(shape)}
