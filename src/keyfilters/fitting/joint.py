"""Joint scales of groups of keys, the table of all fits, and the scales of all keys by one method."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import choice
from ..choices import DC, Edge, JointName, Search
from ..filters import GROUPS, KEYS, SHARPENING
from .methods import METHODS, by_norm, by_variance, check_options, fit, fit_one, learned
from .result import Certificate, Fit, finish

if TYPE_CHECKING:
    import pandas as pd


JOINT_METHODS: tuple[JointName, ...] = ("A-joint", "B-joint", "C-joint", "D-joint")
"""Names of the methods with scales shared by groups of keys, see :func:`fit_joint`."""


def fit_joint(method: JointName, *, dc: DC = "published", edge: Edge = "crop", search: Search = "exact") -> dict[int, Fit]:
    """Fit one scale for the keys {1, 2, 3, 4, 8} and one for {5, 6}; key 7 keeps its own fit.

    A and B take the geometric mean of the separate scales of the group; C minimises the pooled l1
    norm, D the pooled squared l2 norm.

    Parameters
    ----------
    method : {"A", "B", "C", "D"} or the same with "-joint"
    dc, edge, search : str
        As in :func:`fit`.

    Returns
    -------
    dict of int to Fit
        By key; ``objective`` is the pooled one of the key's group.

    Raises
    ------
    ValueError
        For an unknown method, dc, edge or search.

    Examples
    --------
    >>> fits = fit_joint("D")
    >>> fits[1].sigma_x == fits[8].sigma_y, fits[5].sigma_x == fits[6].sigma_x
    (True, True)
    """
    name = method if isinstance(method, str) and method.endswith("-joint") else f"{method}-joint"
    if name not in JOINT_METHODS:
        raise ValueError(f"unknown method {method!r}: expected one of A, B, C, D")
    check_options(dc, edge, search)
    letter = name[0]
    power = {"C": 1, "D": 2}.get(letter, 0)
    fits: dict[int, Fit] = {}
    for keys in GROUPS.values():
        rows = tuple(KEYS[k - 1] for k in keys)
        given = learned(keys, dc, edge)
        if power or rows[0].kind == SHARPENING:
            group = by_norm(name, power or 2, 1, given, search)
        else:
            separate = [by_variance(row, METHODS[letter], given, search) for row in rows]
            sigma = float(np.exp(np.mean([np.log([f.sigma_x, f.sigma_y]) for f in separate])))
            kind = Certificate(separate[0].certificate.kind, stationarity=max(f.certificate.stationarity for f in separate))
            converged = all(f.converged for f in separate)
            group = [finish(row, name, (sigma, sigma, None), given, float("nan"), converged, kind) for row in rows]
        fits |= {f.key: f for f in group}
    return dict(sorted(fits.items()))


TABLE_COLUMNS = ("method", "key", "sigma_x", "sigma_y", "gamma", "objective", "relative_l1", "relative_l2", "cosine")
"""Columns of :func:`fit_table`."""


def all_fits(*, dc: DC = "published", edge: Edge = "crop", search: Search = "exact") -> list[Fit]:
    """The fits of the learned filters behind :func:`fit_table`: six methods, then four joint ones, eight keys each.

    Parameters and errors as :func:`fit_table`.

    Examples
    --------
    >>> len({id(found.given) for found in all_fits()})
    54
    """
    check_options(dc, edge, search)
    cached: dict = {}
    fits: list[Fit] = []
    for method in METHODS.values():
        for row in KEYS:
            given = learned((row.number,), dc, edge)
            if row.kind == SHARPENING:
                # The same two fits serve six methods: compute each once.
                power = method.power or 2
                if power not in cached:
                    cached[power] = fit_one(row, method, given, search)
                fits.append(replace(cached[power], method=method.name))
            else:
                fits.append(fit_one(row, method, given, search))
    shared: dict = {}
    for name in JOINT_METHODS:
        joint = fit_joint(name, dc=dc, edge=edge, search=search)
        # Key 7 again: one fit by the l1 norm, one by the l2 norm.
        joint[7] = replace(shared.setdefault(name[0] == "C", joint[7]), method=name)
        fits += joint.values()
    return fits


def fit_table(*, dc: DC = "published", edge: Edge = "crop", search: Search = "exact") -> pd.DataFrame:
    """Return all fits of the learned filters: six methods and four joint ones, eight keys each.

    Parameters
    ----------
    dc, edge, search : str
        As in :func:`fit`.

    Returns
    -------
    pandas.DataFrame
        80 rows; columns method, key, sigma_x, sigma_y, gamma, objective, relative_l1, relative_l2,
        cosine. ``gamma`` is NaN but for key 7.

    Examples
    --------
    >>> table = fit_table()
    >>> len(table), list(table.method.unique())[-1]
    (80, 'D-joint')
    """
    import pandas as pd

    fits = all_fits(dc=dc, edge=edge, search=search)
    table = pd.DataFrame([{c: getattr(f, c) for c in TABLE_COLUMNS} for f in fits], columns=list(TABLE_COLUMNS))
    return table.astype({"gamma": "float64"})


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
