"""What a method finds for the eight learned filters, as one array."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..checks import choice
from .joint import JOINT_METHODS, fit_joint
from .methods import METHODS, fit

__all__ = ["key_parameters"]


def key_parameters(method: str = "B") -> np.ndarray:
    """sigma_x, sigma_y and gamma that a method fits to the eight learned filters.

    Parameters
    ----------
    method : {"A", "B", "C1", "C2", "D1", "D2", "A-joint", "B-joint", "C-joint", "D-joint"}

    Returns
    -------
    ndarray, shape (3, 8)
        gamma is 0 but for key 7.

    Raises
    ------
    ValueError
        For an unknown method.

    Examples
    --------
    >>> key_parameters("D2").shape
    (3, 8)
    """
    choice(method, (*METHODS, *JOINT_METHODS), "method")
    return _parameters(method).copy()


@lru_cache(maxsize=len(METHODS) + len(JOINT_METHODS))
def _parameters(method: Any) -> np.ndarray:
    fits = fit_joint(method).values() if method in JOINT_METHODS else [fit(k, method) for k in range(1, 9)]
    return np.array([(f.sigma_x, f.sigma_y, f.gamma or 0.0) for f in fits]).T
