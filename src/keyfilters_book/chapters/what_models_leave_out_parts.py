"""What the chapter *What the models leave out* shows: the candidates, what they leave, and the weights of the blob."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

import keyfilters as kf
from keyfilters_book import figures
from keyfilters_book.experiments.pairs import beside, told

CANDIDATES = {"headers": {"numbers": "free numbers"}, "wrap": True}
NOISE = {
    "formats": {"noise": "{:.1%}", "energy": "{:.2%}", "ratio": "{:.0f}"},
    "headers": {"energy": "energy of the noise", "ratio": "left over noise"},
}
CHOSEN = {
    "formats": {"bic_gain": "{:.0f}", "paper": "{:.0%}", "best": "{:.0%}"},
    "headers": {
        "by_bic": "by BIC", "by_taps": "by unseen taps", "bic_gain": "BIC below", "paper": "unseen, paper", "best": "unseen, best",
    },
    "wrap": True,
}  # fmt: skip
BALANCE = {
    "formats": {"blob": "{:.2f}", "deviation": "{:.2f}", "blob and constant": "{:.2f}"},
    "headers": {"blob": r"$\beta$", "blob and constant": r"$\beta$, with a constant"},
}


def left_figure(normalised, fits):
    """The learned filters above models and rests, of the paper and with a blob and a constant."""
    models = {name: np.stack([fits[key, name].model for key in range(1, 9)]) for name in ("paper", "blob and constant")}
    paper, blob = models.values()
    rows = {"learned": normalised, "a f": paper, "rest": normalised - paper}
    rows |= {"a f + c T + b": blob, "rest now": normalised - blob}
    return figures.filter_rows(rows, panel=0.92), {"learned": normalised, "model": paper, "with_blob": blob}


def left_numbers(left) -> dict:
    """Numbers of the text: energy that is left, in per cent, of the differences on one side and of the centred ones."""
    sided, centred = (100 * left.loc[:, keys].mean(axis=1) for keys in ([1, 2, 3, 4], [5, 6]))
    return {
        "left-one-sided": (sided["paper"], ".0f"),
        "left-blob": (sided["blob"], ".1f"),
        "left-blob-constant": (sided["blob and constant"], ".1f"),
        "left-rank-one": (sided["rank one"], ".1f"),
        "left-centred": (centred["paper"], ".0f"),
        "left-centred-blob": (centred["blob"], ".0f"),
        "left-centred-rank": (centred["rank one"], ".1f"),
        "left-others": (100 * left.loc["paper", [7, 8]].max(), ".1f", "up"),
    }


def candidates() -> pd.DataFrame:
    """The candidates, what each adds, and its free numbers for key 1."""
    rows = [(c.name, c.idea, kf.fit_components(1, c.name).parameters) for c in kf.COMPONENTS.values()]
    return pd.DataFrame(rows, columns=["component", "what it adds", "numbers"])


def noise_table(normalised, fits) -> pd.DataFrame:
    """Noise per tap and its energy as shares of the filter, and what the paper's model leaves in units of it."""
    rows = []
    for key, h in enumerate(normalised, start=1):
        fit = fits[key, "paper"]
        level = fit.noise.level
        energy = 49 * level**2 / (h**2).sum()
        rows.append((key, level / np.abs(h).max(), energy, fit.chi2 / (49 - fit.parameters)))
    return pd.DataFrame(rows, columns=["key", "noise", "energy", "ratio"])


def choice_table(bic, unseen, terms) -> pd.DataFrame:
    """The candidate that each rule prefers, by how much, and what of unseen taps the paper's model and the best miss."""
    return pd.DataFrame(
        {
            "key": range(1, 9),
            "by_bic": bic.loc[terms].idxmin().to_numpy(),
            "by_taps": unseen.loc[terms].idxmin().to_numpy(),
            "bic_gain": (bic.loc["paper"] - bic.loc[terms].min()).to_numpy(),
            "paper": unseen.loc["paper"].to_numpy(),
            "best": unseen.loc[terms].min().to_numpy(),
        }
    )


def balance(found) -> float:
    """Weight of the blob at the origin over that of the blob at the neighbour."""
    (own, a), (_, c) = list(found.coefficients.items())[:2]
    return 1 - c / a if own.endswith("+") else 1 + c / a


def profiles(normalised, wide) -> dict:
    """Keys 5 and 6 along their derivative, summed across: learned, with one scale and with two."""
    panels = {}
    for key, fit in wide.items():
        filters = {
            "learned": normalised[key - 1],
            "one scale": kf.fit_components(key, "paper", edge="exact").model,
            "two scales": fit.model,
        }
        panels[f"key {key}"] = {name: h.sum(0) if key == 5 else h[::-1].sum(1) for name, h in filters.items()}
    return panels


def rule_numbers(normalised, smallest, best, chosen, unseen) -> dict:
    """Numbers of the text: both rules of choice."""
    peak = normalised[7].max() ** 2 / (normalised[7] ** 2).sum()
    return {
        "bic_least": (smallest.min(), ".0f"),
        "ratio_least": (best.min(), ".1f"),
        "ratio_most": (best.max(), ".0f"),
        "agree": int((chosen.by_bic == chosen.by_taps).sum()),
        "unseen_8": (100 * unseen.loc["paper", 8], ".0f"),
        "peak_8": (100 * peak, ".0f"),
    }


def wide_numbers(exact, left, wide) -> dict:
    """Numbers of the text: the wide and the narrow part of keys 5 and 6."""
    return {
        "wide_paper": (100 * exact.loc["paper"].mean(), ".0f"),
        "wide_left": (100 * exact.loc["second scale"].mean(), ".1f"),
        "wide_crop": (100 * left.loc["second scale", [5, 6]].mean(), ".1f"),
        "wide_sigma": (max(max(f.sigmas) for f in wide.values()), ".0f"),
        "narrow_least": (min(min(f.sigmas) for f in wide.values()), ".2f"),
        "narrow_most": (max(min(f.sigmas) for f in wide.values()), ".2f"),
    }


FIXED = "two-components"
NETWORKS = {FIXED: "a f + c T + b, fixed", "two-components-learned": "a f + c T + b, c and b learned"}


def network_table(runs: pd.DataFrame) -> tuple[pd.DataFrame, Mapping[str, Any]]:
    """Networks whose frozen keys have a blob and a constant too, beside those with the plain keys; and how it is written."""
    found = beside(runs, "ideal-B", list(NETWORKS))
    if found.empty:
        return pd.DataFrame({"setting": ["none yet"]}), {}
    signed = dict.fromkeys(["mean", "low", "high"], lambda share: f"{100 * share:+.2f}")
    return found.assign(variant=found.variant.map(NETWORKS)), signed | {"accuracy": "{:.4f}"}


def network_sentence(runs: pd.DataFrame) -> str:
    """What the fixed blob does to a network with frozen keys, setting by setting, and how often its interval is clear of zero."""
    found = beside(runs, "ideal-B", [FIXED])
    if found.empty:
        return "No setting has five seeds of both yet."
    differences = "; ".join(f"with {row['setting']} {told(row)}" for _, row in found.iterrows())
    above, below, of = _clear(found)
    if not above + below:
        verdict = f"{'Each' if of > 1 else 'The'} interval holds zero: no consequence is seen"
    else:
        sides = [f"{side} zero in {count}" for side, count in (("above", above), ("below", below)) if count]
        verdict = f"The interval is {' and '.join(sides)} of {of} {'setting' if of == 1 else 'settings'}"
    return f"The blob and the constant change the accuracy by this much: {differences}. {verdict}."


def network_phrase(runs: pd.DataFrame) -> str:
    """The same in a few words."""
    above, below, of = _clear(beside(runs, "ideal-B", [FIXED]))
    if not of:
        return "it was not tried yet"
    sides = [f"{does} the accuracy in {count}" for does, count in (("raises", above), ("lowers", below)) if count]
    return f"it {' and '.join(sides)} of {of} settings" if sides else "no consequence of it is seen"


def _clear(found: pd.DataFrame) -> tuple[int, int, int]:
    """In how many settings the interval lies above zero and below it, and of how many."""
    return int((found.low > 0).sum()), int((found.high < 0).sum()), len(found)
