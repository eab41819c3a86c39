"""How often layered pursuits find the supports of all layers: random codes, shares with Wilson intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keyfilters.checks import choice, finite
from keyfilters.uncertainty import wilson

from .dictionaries import Dictionary
from .guarantees import basis_pursuit_guarantee, thresholding_guarantee
from .layered import PURSUIT_KINDS, layered_basis_pursuit, layered_thresholding

PURSUITS = (*PURSUIT_KINDS, "basis pursuit")
"""The three layered thresholdings and layered basis pursuit."""
SIGNS = ("positive", "mixed")


def random_codes(
    dictionaries: Sequence[Dictionary], active: int, draws: int, *, ratio: float = 1.0, signs: str = "positive",
    seed: int = 0,
) -> list[np.ndarray]:  # fmt: skip
    r"""Return codes of all layers, from the signal upwards, for random deepest codes.

    The deepest code has ``active`` atoms drawn without replacement, with magnitudes uniform between ``ratio`` and 1,
    the ends included once each if there are two or more; the codes below follow, :math:`\Gamma_{i-1} = D_i \Gamma_i`.

    Parameters
    ----------
    dictionaries : sequence of Dictionary
    active : int
        From 1 to the number of the deepest layer's atoms.
    draws : int
        Columns.
    ratio : float
        Least by largest magnitude of the deepest code, above 0 and at most 1.
    signs : {"positive", "mixed"}
        Mixed: each with probability 1/2.
    seed : int

    Examples
    --------
    >>> codes = random_codes([Dictionary(np.eye(8))], 3, 5, ratio=0.5)
    >>> codes[0].shape, (codes[0] > 0).sum(axis=0).tolist(), float(codes[0].max())
    ((8, 5), [3, 3, 3, 3, 3], 1.0)
    """
    choice(signs, SIGNS, "signs")
    size = dictionaries[-1].atoms.shape[1]
    if not 1 <= active <= size:
        raise ValueError(f"active is {active!r}: expected an integer from 1 to {size}, the atoms of the deepest layer")
    if not 0 < float(finite(ratio, "ratio")) <= 1:
        raise ValueError(f"ratio is {ratio!r}: expected a number above 0 and at most 1")
    # A stream of its own for each size: the draws of one size do not depend on which others are run.
    rng = np.random.default_rng([seed, active])
    deepest = np.zeros((size, draws))
    for column in range(draws):
        values = rng.uniform(ratio, 1, active)
        values[: min(active, 2)] = (1.0, ratio)[: min(active, 2)]
        if signs == "mixed":
            values *= rng.choice([-1, 1], active)
        deepest[rng.choice(size, active, replace=False), column] = values
    codes = [deepest]
    for dictionary in dictionaries[:0:-1]:
        below = dictionary.atoms @ codes[0]
        # Sums that cancel leave rounding errors, which are no entries.
        codes.insert(0, np.where(np.abs(below) > 1e-12, below, 0))
    return codes


def supports(estimates: Sequence, codes: Sequence) -> np.ndarray:
    """Return for each draw whether in every layer the code's own number of largest entries is its support.

    Ties across the last place count as missed.

    Parameters
    ----------
    estimates, codes : sequence of array_like, shapes (m_i, draws)

    Examples
    --------
    >>> supports([np.array([[0.9], [0.1], [0.0]])], [np.array([[1.0], [0.0], [0.0]])])
    array([ True])
    """
    right = True
    for estimate, code in zip(estimates, codes, strict=True):
        size, on = np.abs(estimate), np.asarray(code) != 0
        right = right & (np.where(on, size, np.inf).min(axis=0) > np.where(on, -1, size).max(axis=0))
    return right


def pursue(signals, codes: Sequence, dictionaries: Sequence[Dictionary], method: str, penalties: Sequence) -> list[np.ndarray]:
    """Return a method's estimates of all layers, told how many entries each code has.

    Thresholding uses the number for its threshold (:func:`~.layered.leave`); basis pursuit runs without it, and
    :func:`supports` uses it in judging both. Codes without negative entries are looked for without negative entries
    by "basis pursuit".
    """
    choice(method, PURSUITS, "method")
    if method != "basis pursuit":
        return layered_thresholding(signals, dictionaries, method, counts=[(code != 0).sum(axis=0) for code in codes])
    return layered_basis_pursuit(signals, dictionaries, penalties, nonnegative=all((code >= 0).all() for code in codes))


def recovery(
    dictionaries: Sequence[Dictionary], active: Sequence[int], draws: int, *, ratio: float = 1.0, noise: float = 0.0,
    signs: str = "positive", methods: Sequence[str] = PURSUITS, penalty: float = 1e-3, seed: int = 0, level: float = 0.95,
):  # fmt: skip
    """Return how often each method finds all supports, for each number of active atoms.

    Parameters
    ----------
    dictionaries : sequence of Dictionary
    active : sequence of int
        Active atoms of the deepest code.
    draws : int
        Random codes for each number; all methods see the same.
    ratio, signs, seed
        As for :func:`random_codes`.
    noise : float
        Local norm of the noise: normal noise is scaled to have it, draw by draw.
    methods : sequence of str
        Of :data:`PURSUITS`; "relu" only for positive codes.
    penalty : float
        Of the lasso's first layer; 4 times as much in each layer above. With noise, 4 times the noise if that is more.
    level : float
        Of Wilson's intervals.

    Returns
    -------
    DataFrame
        Columns active, method, found, draws, share, low, high (of the share), covered (share of draws for which a
        guarantee holds), covered_found (how many of those were found), stripe (largest stripe sparsity of the
        first layer, mean over draws).

    Examples
    --------
    >>> recovery([Dictionary(np.eye(8))], [2], 10, methods=["soft"])[["found", "covered"]].values.tolist()
    [[10.0, 1.0]]
    """
    import pandas as pd

    rows = []
    for count in active:
        codes = random_codes(dictionaries, count, draws, ratio=ratio, signs=signs, seed=seed)
        rng = np.random.default_rng([seed, count, 1])
        signals = dictionaries[0].atoms @ codes[0]
        if noise:
            e = rng.normal(size=signals.shape)
            signals = signals + e * (noise / dictionaries[0].local_norm(e))
        least = max(penalty, 4 * noise)
        penalties = [least * 4**layer for layer in range(len(dictionaries))]
        for method in methods:
            found = supports(pursue(signals, codes, dictionaries, method, penalties), codes)
            if method == "basis pursuit":
                guarantee = basis_pursuit_guarantee(codes, dictionaries, noise)
            else:
                guarantee = thresholding_guarantee(codes, dictionaries, method, noise)
            covered = np.broadcast_to(guarantee[-1].holds, found.shape)
            low, high = wilson(int(found.sum()), draws, level)
            rows.append({
                "active": int(count), "method": method, "found": int(found.sum()), "draws": draws, "share": found.mean(),
                "low": low, "high": high, "covered": covered.mean(), "covered_found": int((covered & found).sum()),
                "stripe": guarantee[0].sparsity.mean(),
            })  # fmt: skip
    return pd.DataFrame(rows)


def limits(frame):
    """Return for each method up to how many active atoms draws are covered, always found, and found in half.

    Each number is the largest of those tried up to which *all* tried ones qualify; 0 where the first does not.

    Parameters
    ----------
    frame : DataFrame
        As of :func:`recovery`.

    Returns
    -------
    DataFrame
        Index method; columns covered, always, half, tried (the largest number tried).

    Examples
    --------
    >>> limits(recovery([Dictionary(np.eye(8))], [1, 2], 5, methods=["soft"])).loc["soft"].tolist()
    [2, 2, 2, 2]
    """
    import pandas as pd

    rows = {}
    for method, part in frame.sort_values("active").groupby("method", sort=False):
        tests = {"covered": part.covered == 1, "always": part.found == part.draws, "half": part.share >= 0.5}
        row = {name: int(part.active[test.cummin()].max()) if test.iloc[0] else 0 for name, test in tests.items()}
        rows[method] = {**row, "tried": int(part.active.max())}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")
