"""One filter against all keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from ..checks import choice, square_filter
from ..choices import DC, Edge, MethodName
from ..filters import KEYS, key_row
from ..normalization import constant_and_response
from .methods import METHODS, fit

if TYPE_CHECKING:
    import pandas as pd

COMPARED = ("method", "key", "sigma_x", "sigma_y", "gamma", "explained", "relative_l1", "relative_l2", "cosine", "converged")
"""Columns of :func:`rank_keys` beside ``note``."""


def rank_keys(
    filter: ArrayLike,
    keys: Iterable[int] | None = None,
    methods: Iterable[MethodName] | None = None,
    *,
    dc: DC = "published",
    edge: Edge = "crop",
) -> pd.DataFrame:
    """Fit every key to a filter by every method, the nearest key first.

    Parameters
    ----------
    filter : array_like, shape (n, n), n odd
        A raw filter.
    keys : sequence of int, optional
        Default: 1 to 8.
    methods : sequence of str, optional
        Names of :data:`METHODS`; default: all.
    dc, edge : str
        As in :func:`fit`.

    Returns
    -------
    pandas.DataFrame
        Methods in their order, within each the keys by ``relative_l2``. A key that does not apply, such as a derivative of a filter
        without a slope along its axis, stands last, with the reason in ``note`` and no numbers.

    Raises
    ------
    ValueError
        For an unknown key or method, and a filter that is not a finite odd-sized square array or is all zero.

    Examples
    --------
    >>> from keyfilters import ideal_filter
    >>> table = rank_keys(ideal_filter(8, 0.5), methods=["D2"])
    >>> int(table.key[0]), bool(table.explained[0] > 0.99), table.note[table.key == 5].item()
    (8, True, 'filter has no response to x: it cannot be normalised for key 5')
    """
    import pandas as pd

    h = square_filter(filter)
    rows = [key_row(key) for key in ([row.number for row in KEYS] if keys is None else keys)]
    records = []
    for method in [choice(name, METHODS, "method") for name in (METHODS if methods is None else methods)]:
        found = []
        for row in rows:
            try:
                constant_and_response(h, row, dc)
            except ValueError as error:
                found.append({"method": method, "key": row.number, "note": str(error)})
                continue
            one = fit(row, method, filter=h, dc=dc, edge=edge)
            found.append({name: getattr(one, name) for name in COMPARED} | {"note": ""})
        records += sorted(found, key=lambda record: record.get("relative_l2", float("inf")))
    return pd.DataFrame(records, columns=[*COMPARED, "note"]).astype({"gamma": "float64"})
