"""What the tables of runs say: means with intervals, paired differences, and which rows there are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ...statistics import holm, paired_test
from .design import Design, Setting
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


def accuracies(runs: pd.DataFrame) -> pd.DataFrame:
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


def reading(low: float, high: float, margin: float, p: float | None = None) -> str:
    """What an interval of the difference of a first and a second says about the first, in words.

    With a corrected p-value at hand, one of 0.05 or more takes back what the interval alone would say.

    Examples
    --------
    >>> reading(-0.004, 0.006, 0.01), reading(-0.02, 0.03, 0.01), reading(0.002, 0.02, 0.01)
    ('equal within the margin', 'undecided', 'ahead')
    >>> reading(0.002, 0.02, 0.01, p=0.2)
    'undecided after the correction'
    """
    if not low <= 0 <= high and p is not None and p >= 0.05:
        return "undecided after the correction"
    if low > 0:
        return "ahead, by less than the margin" if high < margin else "ahead"
    if high < 0:
        return "behind, by less than the margin" if low > -margin else "behind"
    return "equal within the margin" if -margin < low and high < margin else "undecided"


def points(difference: float) -> str:
    """A difference of accuracies in points for a sentence, with its sign; zero to the printed digit has none.

    Examples
    --------
    >>> points(0.0123), points(-0.0004), points(-0.02)
    ('+1.2', '0.0', '−2.0')
    """
    text = f"{100 * difference:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", "−")


def verdict(found: pd.DataFrame, name: str, settings: dict[str, Setting], margin: float) -> str:
    """What paired differences say about the reference beside one variant, in few words; only settings that were run.

    Parameters
    ----------
    found : DataFrame
        As :func:`differences` returns it.
    name : str
        The variant.
    settings : dict
    margin : float
        As for :func:`reading`.

    Examples
    --------
    >>> settings = {s: Setting(s, s, 1, 1) for s in ("short", "long")}
    >>> rows = [("short", "x", -0.053, -0.064, -0.042, 0.001), ("long", "x", 0.001, -0.02, 0.02, 1.0)]
    >>> found = pd.DataFrame(rows, columns=["setting", "variant", "mean", "low", "high", "p_holm"])
    >>> verdict(found, "x", settings, 0.01), verdict(found[1:], "x", settings, 0.01), verdict(found, "y", settings, 0.01)
    ('behind by 5.3 points (short); undecided (long)', 'undecided in the one setting compared', 'not compared')
    """
    said: dict[str, list[tuple[float, str]]] = {}
    for setting in settings.values():
        for row in found[(found.setting == setting.name) & (found.variant == name)].itertuples():
            words = reading(row.low, row.high, margin, row.p_holm)
            words = "undecided" if words.startswith("undecided") else words
            said.setdefault(words, []).append((abs(100 * row.mean), setting.label))
    if not said:
        return "not compared"
    if set(said) == {"undecided"}:
        count = len(said["undecided"])
        return f"undecided in {f'all {count} settings' if count > 1 else 'the one setting'} compared"
    parts = []
    for words in ("ahead", "behind"):
        sizes = [f"{size:.1f} points ({setting})" for size, setting in said.pop(words, [])]
        if sizes:
            parts.append(f"{words} by {' and '.join(filter(None, [', '.join(sizes[:-1]), sizes[-1]]))}")
    last = said.pop("undecided", [])
    for words, rows in [*said.items(), *([("undecided", last)] if last else [])]:
        parts.append(f"{words} ({'; '.join(setting for _, setting in rows)})")
    return "; ".join(parts)


def width(filters) -> float:
    r"""Root mean square distance of the energy of filters from its own centre, in grid units, mean over the filters.

    For one filter :math:`(\sum_u h(u)^2 |u - m|^2 / \sum_u h(u)^2)^{1/2}`, m the mean position with the same weights.

    Examples
    --------
    >>> width([[[0.0, 0.0, 0.0], [-1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]])
    1.0
    """
    h = np.asarray(filters, dtype=float) ** 2
    share = h / h.sum((1, 2), keepdims=True)
    positions = np.stack(np.indices(h.shape[1:])).reshape(2, -1).astype(float)
    share = share.reshape(len(h), -1)
    centre = share @ positions.T
    square = share @ (positions**2).sum(0) - (centre**2).sum(1)
    return float(np.sqrt(np.maximum(square, 0.0)).mean())


def only_variants(design: Design, names) -> Design:
    """A design with some of its variants."""
    return replace(design, variants=tuple(v for v in design.variants if v in names))


def coverage(runs: pd.DataFrame, design: Design, settings: dict[str, Setting]) -> pd.DataFrame:
    """What of a design is in a table of runs, one row per setting: variants, seeds (least and most), runs, hours, state."""
    rows = []
    for name in design.settings:
        group = runs[runs.setting == name]
        seeds = group.groupby("variant").seed.nunique()
        wanted = len(design.variants) * len(design.seeds)
        state = "complete" if len(group) == wanted else "in part" if len(group) else "not run"
        rows.append({
            "setting": settings[name].label, "variants": len(seeds), "seeds": "–" if not len(group) else
            f"{seeds.min()}" if seeds.min() == seeds.max() else f"{seeds.min()} to {seeds.max()}",
            "runs": len(group), "of": wanted, "hours": float(group.seconds.sum() / 3600) if len(group) else 0.0, "state": state,
        })  # fmt: skip
    return pd.DataFrame(rows)


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
