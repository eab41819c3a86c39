"""What the tables of runs say: means with intervals, paired differences, and which rows there are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from keyfilters_book.significance import holm, paired_test

from .design import Design, Setting
from .pairs import FEWEST
from .store import PROVENANCE
from .variants import variant


def mean_interval(values, level: float = 0.95) -> tuple[float, float, float] | None:
    """Mean and Student's interval of some values; None for fewer than two.

    Examples
    --------
    >>> mean_interval([1.0]) is None, [round(v, 3) for v in mean_interval([1.0, 2.0, 3.0])]
    (True, [2.0, -0.484, 4.484])
    """
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return None
    found = paired_test(values, np.zeros_like(values), level)
    return found.mean, found.low, found.high


def accuracy_table(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per setting and variant: n (seeds), mean, sd, low, high (NaN for one seed)."""
    rows = []
    for (setting, name), group in runs.groupby(["setting", "variant"], sort=False):
        mean, low, high = mean_interval(group.accuracy) or (float(group.accuracy.mean()), np.nan, np.nan)
        rows.append({
            "setting": setting, "variant": name, "n": len(group), "mean": mean,
            "sd": float(group.accuracy.std()) if len(group) > 1 else np.nan, "low": low, "high": high,
        })  # fmt: skip
    return pd.DataFrame(rows, columns=["setting", "variant", "n", "mean", "sd", "low", "high"])


def differences(runs: pd.DataFrame, reference: str = "learned") -> pd.DataFrame:
    """The reference minus each other variant, seed by seed, with what a paired test says.

    Parameters
    ----------
    runs : DataFrame
        Columns setting, variant, seed, accuracy.
    reference : str

    Returns
    -------
    DataFrame
        One row per setting and variant with at least two seeds in common: setting, variant, n, mean, low,
        high (Student's), p_t, p_holm (``p_t`` corrected for the variants of the setting), p_sign (exact
        sign flips) and smallest_p (the least that so many seeds can give by sign flips).
    """
    rows = []
    for setting, group in runs.groupby("setting", sort=False):
        wide = group.pivot(index="seed", columns="variant", values="accuracy")
        if reference not in wide:
            continue
        found = []
        for name in dict.fromkeys(group.variant):
            both = wide[[reference, name]].dropna() if name != reference else wide.iloc[:0]
            if len(both) < 2:
                continue
            test = paired_test(both[reference], both[name])
            found.append({
                "setting": setting, "variant": name, "n": test.n, "mean": test.mean, "low": test.low, "high": test.high,
                "p_t": test.p_t, "p_sign": test.p, "smallest_p": test.smallest_p,
            })  # fmt: skip
        for row, p in zip(found, holm([row["p_t"] for row in found]) if found else [], strict=True):
            rows.append(row | {"p_holm": float(p)})
    columns = ["setting", "variant", "n", "mean", "low", "high", "p_t", "p_holm", "p_sign", "smallest_p"]
    return pd.DataFrame(rows, columns=columns)


RIVALS = ("learned", "random", "covariance", "master", "ideal-B-offset", "impulse")
"""What the idealised keys of method B are compared with, as the plan has it; the first is the primary comparison."""
KEY_VARIANT = "ideal-B"


def learned_variant(search: pd.DataFrame, design: Design, setting: Setting) -> str:
    """Which of the two learned variants "learned" means: that with the higher accuracy on the validation images in the setting's search.

    Raises
    ------
    ValueError
        Where the search of one of them is not complete.
    """
    best = {}
    for name in ("learned", "learned-small"):
        where, grid = design.searched(name, setting)
        trials = search[(search.setting == where.name) & (search.variant == name)]
        if len(trials) < len(grid) * len(design.search_seeds):
            raise ValueError(f"{where.name}: the trials of {name} are not all there")
        best[name] = trials.accuracy.max()
    return max(best, key=best.get)


def seeds_there(runs: pd.DataFrame, design: Design, setting: str) -> tuple[int, ...]:
    """The seeds for which every variant of the main comparisons is there, in one setting."""
    group = runs[(runs.setting == setting) & runs.variant.isin(design.main)]
    counts = group.groupby("seed").variant.nunique()
    return tuple(int(s) for s in counts.index[counts == len(design.main)])


def equivalence(a, b, margin: float) -> float:
    r"""p-value of the two one-sided paired t tests (TOST) that the mean difference lies within a margin.

    The larger of the p-values of :math:`\bar d > -m` and :math:`\bar d < m`, each of Student's t with n - 1 degrees of freedom.

    Source: Schuirmann (1987).

    Examples
    --------
    >>> round(equivalence([0.81, 0.80, 0.82], [0.80, 0.80, 0.82], 0.02), 3)
    0.019
    """
    from scipy.stats import t

    d = np.asarray(a, dtype=float) - np.asarray(b, dtype=float)
    error = d.std(ddof=1) / np.sqrt(len(d))
    if error == 0:
        return 0.0 if abs(d.mean()) < margin else 1.0
    return float(max(t.sf((d.mean() + margin) / error, len(d) - 1), t.cdf((d.mean() - margin) / error, len(d) - 1)))


def comparisons(runs: pd.DataFrame, search: pd.DataFrame, design: Design) -> pd.DataFrame:
    """The main comparisons of the plan: keys B minus each rival, in every setting that has enough seeds.

    Returns
    -------
    DataFrame
        One row per setting and rival: setting, rival, variant (for ``"learned"``, which of the two), n, mean, low, high (95 %,
        Student's), margin, ``p`` and ``p_equal`` (paired t test and TOST, both corrected by Holm over all rows whose setting has
        all seeds of the plan; NaN in the others), and ``reading``, which decides nothing before these seeds are there.
    """
    rows = []
    for setting in design.settings.values():
        seeds = seeds_there(runs, design, setting.name)
        if len(seeds) < FEWEST:
            continue
        wide = runs[runs.setting == setting.name].pivot(index="seed", columns="variant", values="accuracy").loc[list(seeds)]
        for rival in RIVALS:
            name = learned_variant(search, design, setting) if rival == "learned" else rival
            test = paired_test(wide[KEY_VARIANT], wide[name])
            rows.append({
                "setting": setting.name, "rival": rival, "variant": name, "n": test.n, "mean": test.mean, "low": test.low,
                "high": test.high, "margin": setting.margin, "p": test.p_t,
                "p_equal": equivalence(wide[KEY_VARIANT], wide[name], setting.margin),
            })  # fmt: skip
    columns = ["setting", "rival", "variant", "n", "mean", "low", "high", "margin", "p", "p_equal", "reading"]
    found = pd.DataFrame(rows, columns=columns)
    whole = len(design.seeds_of(KEY_VARIANT))
    decided = found.n >= whole
    # One family of differences and one of equivalences: each over the complete settings of the page, as the plan has it.
    for p in ("p", "p_equal"):
        found[p] = pd.Series(holm(found[p][decided]) if decided.any() else [], found.index[decided], dtype=float)
    found["reading"] = [
        reading(r.mean, r.p, r.p_equal) if r.n >= whole else f"undecided until there are {whole} seeds"
        for r in found.itertuples()
    ]
    return found


def reading(mean: float, p: float, p_equal: float) -> str:
    """What corrected p-values of a difference say about the first of the two, in words.

    Examples
    --------
    >>> reading(0.02, 0.001, 1.0), reading(-0.02, 0.2, 0.9), reading(0.001, 0.5, 0.01), reading(0.002, 0.01, 0.01)
    ('ahead', 'undecided', 'equal within the margin', 'ahead, by less than the margin')
    """
    if p < 0.05:
        side = "ahead" if mean > 0 else "behind"
        return f"{side}, by less than the margin" if p_equal < 0.05 else side
    return "equal within the margin" if p_equal < 0.05 else "undecided"


SIDES = {
    "ahead": 1, "ahead, by less than the margin": 1, "equal within the margin": 0, "undecided": None,
    "behind, by less than the margin": -1, "behind": -1,
}  # fmt: skip
"""What :func:`reading` can say, and on which side of the rival that puts the first: None where it is not known."""


def turned(runs: pd.DataFrame, search: pd.DataFrame, design: Design, found: pd.DataFrame, rival: str) -> list[str]:
    """Settings in which a reading goes to another side when one seed is left out.

    Parameters
    ----------
    runs, search, design
        As for :func:`comparisons`.
    found : DataFrame
        What that gave.
    rival : str
        One of ``RIVALS``.
    """
    sides = {r.setting: SIDES[r.reading] for r in found[found.rival == rival].itertuples() if SIDES.get(r.reading) is not None}
    other = set()
    for seed in design.seeds_of(KEY_VARIANT) if sides else ():
        rest = replace(
            design,
            seeds=tuple(s for s in design.seeds if s != seed),
            more_seeds=tuple(s for s in design.more_seeds if s != seed),
        )
        again = comparisons(runs[runs.seed != seed], search, rest)
        for row in again[again.rival == rival].itertuples():
            side = SIDES.get(row.reading)
            if row.setting in sides and side is not None and side != sides[row.setting]:
                other.add(row.setting)
    return [setting for setting in sides if setting in other]


def design_coverage(runs: pd.DataFrame, design: Design) -> pd.DataFrame:
    """What of a design is in a table of runs, one row per setting.

    Columns: setting, ``main`` and ``other`` (runs of the main comparisons and of the other variants), ``of_main`` and
    ``of_other`` (how many there will be), ``seeds`` (with all main variants), hours and state.
    """
    rows = []
    for name, setting in design.settings.items():
        row, group = {"setting": setting.label}, runs[runs.setting == name]
        for part, chosen in (("main", design.main), ("other", [v for v in design.variants if v not in design.main])):
            row[part] = int(group.variant.isin(chosen).sum())
            row[f"of_{part}"] = sum(len(design.seeds_of(v)) for v in chosen)
        seeds = len(seeds_there(runs, design, name))
        row["seeds"], row["hours"] = seeds, float(group.seconds.sum() / 3600) if len(group) else 0.0
        whole = row["main"] == row["of_main"]
        row["state"] = "complete" if whole and row["other"] == row["of_other"] else "main comparisons complete" if whole else (
            "interim" if seeds >= FEWEST else "in part" if row["main"] else "not run"
        )  # fmt: skip
        rows.append(row)
    return pd.DataFrame(rows, columns=["setting", "main", "of_main", "other", "of_other", "seeds", "hours", "state"])


def origins(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Where the rows of some tables come from: one row per table and combination of the columns of provenance."""
    columns = [c for c in PROVENANCE if c != "seconds"]
    rows = []
    for name, frame in tables.items():
        if not set(columns) <= set(frame.columns):
            continue
        for values, group in frame.groupby(columns, sort=True, dropna=False):
            hours = float(group.seconds.sum() / 3600) if "seconds" in group else np.nan
            rows.append({"table": name} | dict(zip(columns, values, strict=True)) | {"rows": len(group), "hours": hours})
    return pd.DataFrame(rows, columns=["table", *columns, "rows", "hours"])


def filters_of(stored: pd.DataFrame) -> dict[str, np.ndarray]:
    """Stored filters of one network as arrays by layer: from columns layer, channel and w00, w01, ..."""
    columns = [c for c in stored.columns if c[0] == "w" and c[1:].isdecimal()]
    size = int(len(columns) ** 0.5)
    return {
        layer: rows.sort_values("channel")[columns].to_numpy(dtype=float).reshape(-1, size, size)
        for layer, rows in stored.groupby("layer", sort=True)
    }


def label(name: str) -> str:
    """How readers know a variant."""
    return variant(name).label
