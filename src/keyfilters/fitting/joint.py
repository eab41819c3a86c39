"""Joint scales of groups of keys, and the table of all fits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..filters import GROUPS, KEYS, SHARPENING
from ..normalization import normalized_filters
from .methods import METHODS, by_norm, by_variance, check_options, fit_one
from .result import Certificate, Fit, finish

JOINT_METHODS = ("A-joint", "B-joint", "C-joint", "D-joint")
"""Names of the methods with scales shared by groups of keys, see :func:`fit_joint`."""


def fit_joint(method, *, dc="published", edge="crop", search="exact") -> dict[int, Fit]:
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
    targets = normalized_filters(dc)
    fits: dict[int, Fit] = {}
    for keys in GROUPS.values():
        rows = tuple(KEYS[k - 1] for k in keys)
        own = tuple(targets[k - 1] for k in keys)
        if power or rows[0].kind == SHARPENING:
            group = by_norm(rows, name, power or 2, 1, own, edge, search)
        else:
            separate = [by_variance(r, METHODS[letter], t, edge, search) for r, t in zip(rows, own, strict=True)]
            sigma = float(np.exp(np.mean([np.log([f.sigma_x, f.sigma_y]) for f in separate])))
            kind = Certificate(separate[0].certificate.kind, stationarity=max(f.certificate.stationarity for f in separate))
            converged = all(f.converged for f in separate)
            group = [
                finish(r, name, (sigma, sigma, None), t, edge, float("nan"), converged, kind)
                for r, t in zip(rows, own, strict=True)
            ]
        fits |= {f.key: f for f in group}
    return dict(sorted(fits.items()))


TABLE_COLUMNS = ("method", "key", "sigma_x", "sigma_y", "gamma", "objective", "relative_l1", "relative_l2", "cosine")
"""Columns of :func:`fit_table`."""


def fit_table(*, dc="published", edge="crop", search="exact"):
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

    check_options(dc, edge, search)
    targets = normalized_filters(dc)
    cached: dict = {}
    rows: list[Fit] = []
    for method in METHODS.values():
        for row, target in zip(KEYS, targets, strict=True):
            if row.kind == SHARPENING:
                # The same two fits serve six methods: compute each once.
                power = method.power or 2
                if power not in cached:
                    cached[power] = fit_one(row, method, target, edge, search)
                rows.append(replace(cached[power], method=method.name))
            else:
                rows.append(fit_one(row, method, target, edge, search))
    for name in JOINT_METHODS:
        rows += fit_joint(name, dc=dc, edge=edge, search=search).values()
    table = pd.DataFrame([{c: getattr(f, c) for c in TABLE_COLUMNS} for f in rows], columns=list(TABLE_COLUMNS))
    return table.astype({"gamma": "float64"})
