"""Checks of chapter 21, other networks, other keys."""

from __future__ import annotations

import numpy as np

from .verdict import array, call, exercise, hints, mapping, near

__all__ = ["check_21_1", "check_21_2", "check_21_3"]

_CASES = ((0.06, 0.2), (0.05, 0.3), (0.04, 0.2), (0.01, 0.02), (-0.1, 0.1), (0.0, 0.0), (-0.2, 0.0), (-0.2, -0.01))


@exercise(
    'a function of the lower and the upper end of an interval that returns "for", "against" or "undecided"',
    "Note what it does not look at: how large the estimate is.",
    answers="my_rule",
)
def check_21_1(answer):
    """The rule of the survey."""
    from keyfilters.networks.surgery.nulls import ExplainedInterval
    from keyfilters_book.experiments.survey import survey_verdict

    right = [survey_verdict(ExplainedInterval((low + high) / 2, low, high, 0.95)) for low, high in _CASES]
    found = [call(answer, low, high) for low, high in _CASES]
    hints(
        (
            not all(isinstance(word, str) and word in ("for", "against", "undecided") for word in found),
            'It should return one of the three words "for", "against" and "undecided".',
        ),
        (
            found == ["for" if low > 0 else "against" if high < 0 else "undecided" for low, high in _CASES],
            "Surely ahead is not yet ahead by an amount that matters: where does the margin enter?",
        ),
        (
            found == ["for" if low >= 0.05 else "undecided" if high >= 0.05 else "against" for low, high in _CASES],
            "Ahead by less than the margin is no evidence against the keys: what has to be below 0 for that?",
        ),
        (
            found
            == [
                "for" if (low + high) / 2 >= 0.05 else "against" if (low + high) / 2 < 0 else "undecided"
                for low, high in _CASES
            ],
            "The middle of an interval says nothing of its width. Go by its ends.",
        ),
        right=found == right,
        otherwise="Try intervals that end exactly at the margin and exactly at 0: to which side do they count?",
    )


@exercise(
    "a function of explained variances and sums of squares that returns three numbers: energy, mean, median",
    "With a filter of norm 50 among filters of norm 1 the first is that of one filter.",
    answers="three_shares",
)
def check_21_2(answer):
    """Three ways to put the filters of a network together."""
    rng = np.random.default_rng(4)
    explained, energy = rng.uniform(size=9), rng.exponential(size=9) ** 2
    found = mapping(call(answer, explained, energy), ["energy", "mean", "median"], "what the function returns")
    pooled, mean, median = (float(array(found[name], (), name)) for name in ("energy", "mean", "median"))
    hints(
        (
            near(pooled, mean) or near(pooled, explained.mean()),
            "energy: there every filter counts by its sum of squares; yours counts each alike.",
        ),
        (near(pooled, (explained * energy).sum()), "energy: a share is explained over total. What is the total?"),
        (
            near(pooled, (explained * np.sqrt(energy)).sum() / np.sqrt(energy).sum()),
            "energy: that weighs by norms. Sums of squares add up, norms do not.",
        ),
        (
            not near(pooled, (explained * energy).sum() / energy.sum()),
            "energy: how much of the sum of squares of all filters together is explained?",
        ),
        (near(mean, np.median(explained)) and near(median, explained.mean()), "mean and median have been exchanged."),
        (not near(mean, explained.mean()), "mean: each filter counts the same; sums of squares do not enter."),
        (
            not near(median, np.median(explained)),
            "median: half of the filters lie below it, whatever their sums of squares are.",
        ),
    )


@exercise(
    "a function of a 7 x 7 and a 3 x 3 kernel and of the dilation of the second that returns one 7 x 7 kernel", answers="merge"
)
def check_21_3(answer):
    """A dilated branch merged with a dense one."""
    rng = np.random.default_rng(8)
    large, small = rng.normal(size=(7, 7)), rng.normal(size=(3, 3))

    def merged(at: slice, branch=small) -> np.ndarray:
        whole = large.copy()
        whole[at, at] += branch
        return whole

    for dilation in (1, 2, 3):
        given = large.copy(), small.copy()
        found = array(call(answer, *given, dilation), (7, 7), "what the function returns")
        at = slice(3 - dilation, 4 + dilation, dilation)
        hints(
            (
                not near(given[0], large) or not near(given[1], small),
                "The kernels that were handed in have been changed: work on a copy.",
            ),
            (
                near(found, merged(at) - large),
                "That is the dilated branch alone. The outputs of the two branches are added; so are their kernels.",
            ),
            (
                near(found, merged(at, small[::-1, ::-1])),
                "The small kernel has been turned round: both branches slide the same way.",
            ),
            (dilation > 1 and near(found, merged(slice(2, 5))), "Right for dilation 1. How far apart are the taps otherwise?"),
            (
                dilation == 2 and near(found, merged(slice(0, 5, 2))),
                "The spacing is right, but the two kernels have the same centre.",
            ),
            (
                not near(found, merged(at)),
                f"Not with dilation {dilation}. Apply both kernels to an impulse: where do the nine taps of the small one land?",
            ),
        )
