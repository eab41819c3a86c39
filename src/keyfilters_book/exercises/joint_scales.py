"""Checks of chapter 10, joint scales."""

from __future__ import annotations

import numpy as np

from keyfilters.filters import GROUPS
from keyfilters.fitting import fit
from keyfilters.models import ideal_filter
from keyfilters.normalization import normalized_filters

from .verdict import array, exercise, hint_if, hints, mapping, near, numbers, rounded

__all__ = ["check_10_1", "check_10_2", "check_10_3"]

_SCALES = np.linspace(0.2, 1.6, 1401)
_FIRST, _SECOND = GROUPS["non-centred"], GROUPS["centred"]


def _terms(keys, power: int) -> dict[int, np.ndarray]:
    """Each key's term of the pooled objective at every scale."""
    targets = normalized_filters()
    return {k: (np.abs(ideal_filter(k, _SCALES) - targets[k - 1]) ** power).sum((1, 2)) for k in keys}


@exercise("two scales, the geometric and the arithmetic mean", answers="geometric arithmetic")
def check_10_1(answer):
    """Both means of the scales of the first group by method B."""
    found = numbers(answer, ["geometric", "arithmetic"])
    fits = [fit(k, "B") for k in _FIRST]
    scales = np.array([(f.sigma_x, f.sigma_y) for f in fits])
    right = {"geometric": np.exp(np.log(scales).mean()), "arithmetic": scales.mean()}
    hint_if(
        near(found["geometric"], right["arithmetic"]) and near(found["arithmetic"], right["geometric"]),
        "The two are exchanged: which of them can never be the smaller one?",
    )
    for name, mean in (("geometric", lambda v: np.exp(np.log(v).mean())), ("arithmetic", np.mean)):
        hints(
            (
                near(found[name], mean(scales**2), rtol=1e-5),
                f"{name}: these are variances; the mean of the scales is asked for.",
            ),
            (
                any(near(found[name], mean(scales[:, axis]), rtol=1e-5) for axis in (0, 1)),
                f"{name}: a key has a scale along x and one along y, and both belong to the group.",
            ),
            right=rounded(found[name], right[name], decimals=3),
            otherwise=f"{name}: take all scales of the keys {', '.join(map(str, _FIRST))} by method B, ten numbers.",
        )


@exercise("for C and for D a pair: the scale, and the growth of the objective as a share", answers="one_scale_c one_scale_d")
def check_10_2(answer):
    """One scale for all keys but key 7."""
    answer = mapping(answer, ["C", "D"])
    for method, power in (("C", 1), ("D", 2)):
        scale, growth = array(answer[method], [2], method)
        terms = _terms([*_FIRST, *_SECOND], power)
        groups = [sum(terms[k] for k in keys) for keys in (_FIRST, _SECOND)]
        pooled = sum(groups)
        right = _SCALES[pooled.argmin()]
        hint_if(
            near(scale, np.mean([_SCALES[g.argmin()] for g in groups]), rtol=0, atol=0.004),
            f"{method}: that is the mean of two joint scales; the sum of all terms has its own minimum.",
        )
        roots = sum(np.sqrt(term) for term in terms.values())
        hints(
            (
                power == 2 and near(scale, _SCALES[roots.argmin()], rtol=0, atol=0.004),
                "D: what is pooled, norms or their squares?",
            ),
            (
                not near(scale, right, rtol=0, atol=0.004),
                f"{method}: the scale is off. Add the terms of all seven keys, then take the minimum.",
            ),
        )
        share = pooled.min() / sum(g.min() for g in groups) - 1
        hints(
            (near(growth, 100 * share, rtol=0.02), f"{method}: the growth as a share, not in per cent."),
            (
                near(growth, share + 1, rtol=0.02),
                f"{method}: that is the ratio of the sums. What share does one exceed the other by?",
            ),
            (
                not near(growth, share, rtol=0.02),
                f"{method}: compare the minimum of the sum with the sum of the two groups' own minima.",
            ),
        )


@exercise("the fall, a share, and the gain, a factor", answers="own_scale_fall own_scale_gain")
def check_10_3(answer):
    """Key 8 with a scale of its own."""
    fall, gain = numbers(answer, ["fall", "gain"]).values()
    terms = _terms(_FIRST, 2)
    together, eighth = sum(terms.values()), terms[8]
    others = together - eighth
    right = 1 - (others.min() + eighth.min()) / together.min()
    hints(
        (near(fall, 100 * right, rtol=0.02), "fall: as a share, not in per cent."),
        (
            near(fall, 1 - others.min() / together.min(), rtol=0.02),
            "fall: key 8 is left out, but its own best term still counts.",
        ),
        (
            near(fall, 0, atol=1e-6) or fall < 0,
            "fall: two scales can do no worse than one. Is the minimum of the other four keys taken anew?",
        ),
        (
            not (near(fall, right, rtol=0.02) or rounded(fall, right, decimals=3)),
            "fall: compare the minimum of the sum over five keys with the sum of two separate minima.",
        ),
    )
    factor = eighth[together.argmin()] / eighth.min()
    # The minimum of key 8 is sharp: a coarser grid of scales changes this factor by some per cent.
    hints(
        (
            near(gain, 1 / factor, rtol=0.06),
            "gain: by what factor does the squared error fall? Which of the two errors is the larger one?",
        ),
        (near(gain, np.sqrt(factor), rtol=0.06), "gain: of the squared error, which is the term of the objective."),
        (
            not near(gain, factor, rtol=0.06),
            "gain: the term of key 8 at the shared scale, beside the same term at its own minimum.",
        ),
    )
