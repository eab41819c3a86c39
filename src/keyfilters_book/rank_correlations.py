"""Rank correlations over rows that come in groups, alone and with the ranks of other columns held fixed, with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from keyfilters.checks import finite, integer
from keyfilters.uncertainty import confidence_level

from .significance import holm

__all__ = ["rank_correlations"]


def _ranks(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Ranks within each group, less their mean and over the number of rows, so that groups of any size count alike."""
    from scipy.stats import rankdata

    found = np.empty_like(values)
    for g in np.unique(group):
        at = group == g
        found[at] = (rankdata(values[at], axis=0) - (at.sum() + 1) / 2) / at.sum()
    return found


def _unit(columns: np.ndarray) -> np.ndarray:
    # What has no spread, or none that is left, is correlated with nothing.
    norm = np.linalg.norm(columns, axis=0)
    return np.divide(columns, norm, out=np.zeros_like(columns), where=norm > 1e-9)


def _left(columns: np.ndarray, held: np.ndarray) -> np.ndarray:
    """What a regression on the columns that are held fixed leaves."""
    return columns - held @ np.linalg.lstsq(held, columns, rcond=None)[0] if held.shape[1] else columns


def _both(x: np.ndarray, y: np.ndarray, held: np.ndarray, others: Sequence[Sequence[int]]) -> np.ndarray:
    """Correlations of ranks of columns x and y, alone and with ``others`` of ``held`` fixed, shape (2, columns of x, of y)."""
    partial = [
        _unit(_left(column[:, None], held[:, chosen])).T @ _unit(_left(y, held[:, chosen]))
        for column, chosen in zip(x.T, others, strict=True)
    ]
    return np.stack([_unit(x).T @ _unit(y), np.concatenate(partial)])


def rank_correlations(
    frame: pd.DataFrame,
    columns: Sequence[str],
    outcomes: Sequence[str],
    held: Sequence[str] = (),
    groups: str = "network",
    *,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    r"""Spearman's correlation of some columns with some outcomes within groups, alone and with other columns held fixed.

    Every column is replaced by its ranks within each group, so a difference between groups plays no part. *Alone* is the
    correlation of these ranks. *Partial* is the correlation of what a least squares regression on the ranks of ``held``
    leaves of both; a column that is itself among ``held`` is held against the others.

    The intervals are percentiles of a bootstrap of groups, then of rows within them. p-values are two-sided, of the partial
    correlation: what is left of the column is permuted within the groups. They are corrected by Holm for all rows but those
    whose column is among ``held``.

    Parameters
    ----------
    frame : DataFrame
        One row per layer, say; finite numbers.
    columns, outcomes, held : sequence of str
        Columns of ``frame``.
    groups : str
        The column that says to which group a row belongs.
    level : float
    draws, seed : int

    Returns
    -------
    DataFrame
        One row per column and outcome: column, outcome, alone, alone_low, alone_high, partial, partial_low, partial_high,
        p, p_holm (NaN for columns among ``held``).

    Raises
    ------
    ValueError
        For columns that are not there or hold no finite numbers, a level outside (0, 1), and draws or a seed out of range.

    Source: the permutation of residuals, Freedman and Lane (1983).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> size, place = rng.normal(size=(2, 60))
    >>> layers = pd.DataFrame({"size": size, "place": place, "harm": size + 2 * place, "network": ["a", "b"] * 30})
    >>> found = rank_correlations(layers, ["size"], ["harm"], ["place"], draws=200).iloc[0]
    >>> bool(found.alone < 0.4 < 0.7 < found.partial), bool(found.p_holm < 0.05)
    (True, True)
    """
    columns, outcomes, held = list(columns), list(outcomes), list(held)
    missing = [name for name in (*columns, *outcomes, *held, groups) if name not in frame]
    if missing:
        raise ValueError(f"the frame has no column {missing[0]!r}: it has {', '.join(map(str, frame))}")
    level, draws, rng = confidence_level(level), integer(draws, "draws"), np.random.default_rng(integer(seed, "seed", 0))
    values = [np.stack([finite(frame[name].astype(float), name) for name in names], axis=1) if names else np.empty((len(frame), 0))
              for names in (columns, outcomes, held)]  # fmt: skip
    cut = np.cumsum([len(columns), len(outcomes)])
    stacked, code = np.concatenate(values, axis=1), np.unique(frame[groups].astype(str), return_inverse=True)[1]
    others = [[i for i, other in enumerate(held) if other != name] for name in columns]
    members = [np.flatnonzero(code == g) for g in range(code.max() + 1)]

    def found_in(rows: np.ndarray, group: np.ndarray) -> np.ndarray:
        return _both(*np.split(_ranks(stacked[rows], group), cut, axis=1), others)

    estimate = found_in(np.arange(len(frame)), code)
    drawn = np.empty((draws, *estimate.shape))
    for draw in range(draws):
        chosen = [rng.choice(members[g], len(members[g])) for g in rng.integers(len(members), size=len(members))]
        drawn[draw] = found_in(np.concatenate(chosen), np.repeat(np.arange(len(chosen)), [len(c) for c in chosen]))
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    x, y, z = np.split(_ranks(stacked, code), cut, axis=1)
    p = np.empty((len(columns), len(outcomes)))
    orders = np.empty((draws, len(frame)), dtype=int)
    for at in members:
        orders[:, at] = rng.permuted(np.tile(at, (draws, 1)), axis=1)
    for i, column in enumerate(x.T):
        left, rest = _unit(_left(column[:, None], z[:, others[i]]))[:, 0], _unit(_left(y, z[:, others[i]]))
        p[i] = (1 + (np.abs(left[orders] @ rest) >= np.abs(left @ rest) - 1e-12).sum(axis=0)) / (1 + draws)
    rows = []
    for i, name in enumerate(columns):
        for j, outcome in enumerate(outcomes):
            row = {"column": name, "outcome": outcome}
            for k, kind in enumerate(("alone", "partial")):
                row |= {kind: estimate[k, i, j], f"{kind}_low": low[k, i, j], f"{kind}_high": high[k, i, j]}
            rows.append(row | {"p": p[i, j]})
    table = pd.DataFrame(rows)
    tested = ~table.column.isin(held)
    return table.assign(p_holm=pd.Series(holm(table.p[tested].to_numpy()), index=table.index[tested]).reindex(table.index))
