"""Checks of chapter 17, eight filters."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from keyfilters_book.significance import holm

from .verdict import call, choice, exercise, hints, mapping, near, number

__all__ = ["check_17_1", "check_17_2", "check_17_3"]

_CAUSES = ("constant", "bias", "rounding", "weights")


def _least_seeds(comparisons: int, sides: int = 2) -> int:
    """Least number of pairs for which equal signs are enough after the correction."""
    return next(n for n in range(1, 60) if holm(np.full(comparisons, sides / 2**n)).min() <= 0.05)


@exercise("a function of the number of comparisons that returns the least number of seeds", answers="least_seeds")
def check_17_1(answer):
    """How many seeds a sign-flip test needs after Holm's correction."""
    for comparisons in (1, 5, 13, 40):
        found = number(call(answer, comparisons), f"the number of seeds for {comparisons} comparisons")
        right = _least_seeds(comparisons)
        hints(
            (
                near(found, _least_seeds(1)),
                "So many are enough for one test. What does the correction do to the smallest p-value?",
            ),
            (
                near(found, _least_seeds(comparisons, sides=1)),
                "The test has two sides: the pattern with all signs flipped is as extreme.",
            ),
            (
                near(found, np.ceil(found)) and found < right,
                f"Too few for {comparisons} comparisons. What is the least p-value that n pairs can have?",
            ),
            right=near(found, right),
            otherwise=f"Not the least number for {comparisons} comparisons; is it a whole number?",
        )


@lru_cache(maxsize=1)
def _studies() -> tuple[int, float, float]:
    """Comparisons of a setting, and the chances of a finding without and with the correction."""
    from scipy.stats import ttest_1samp

    from ..experiments.variants import VARIANTS

    comparisons, studies = len(VARIANTS) - 1, 4000
    accuracy = np.random.default_rng(17).standard_normal((studies, 1 + comparisons, 5))
    p = ttest_1samp(accuracy[:, :1] - accuracy[:, 1:], 0.0, axis=2).pvalue.min(axis=1)
    return comparisons, float((p < 0.05).mean()), float((comparisons * p < 0.05).mean())


@exercise("two numbers of studies out of 1,000, without and with Holm's correction", answers="findings_plain findings_holm")
def check_17_2(answer):
    """Findings where there is nothing to be found."""
    answer = mapping(answer, ["plain", "Holm"])
    comparisons, *chances = _studies()
    found = [number(answer[name], name) for name in ("plain", "Holm")]
    # Two samples, of 1,000 and of 4,000 studies: four standard deviations of their difference.
    widths = [4 * np.sqrt(1000 * p * (1 - p) * 1.25) for p in chances]
    hints(
        (max(found) <= 1 and max(found) > 0, "Count the studies instead of giving a share."),
        (found[1] > found[0], "The correction can only take findings away: are the two exchanged?"),
        (abs(found[0] - 50) < 30, "plain: so many have a small p-value in one comparison. How many in at least one of all?"),
        (
            abs(found[0] - 1000 * chances[0]) > widths[0],
            f"plain: each study has {comparisons} comparisons, all with the same learned runs, and five seeds.",
        ),
        (abs(found[0] - found[1]) < 30, "Holm: as many as without the correction. Which p-value is compared with 0.05?"),
        (
            abs(found[1] - 1000 * chances[1]) > widths[1],
            "Holm: the smallest p-value of a study, corrected for all comparisons of that study.",
        ),
    )


@lru_cache(maxsize=1)
def _change() -> float:
    """Relative change of the output for random images between two norms of the same bank."""
    import torch

    from keyfilters.networks.zoo.small import SmallConvNeXt

    from ..experiments.design import EIGHT
    from ..experiments.variants import give_filters

    design, outputs = EIGHT, []
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        for norm in (0.14, 1.0):
            torch.manual_seed(0)
            network = give_filters(SmallConvNeXt(dims=design.dims, depths=design.depths), "ideal-B", norm).eval()
            outputs.append(network(torch.randn(16, 1, 28, 28, generator=torch.Generator().manual_seed(1))))
    return float((outputs[0] - outputs[1]).norm() / outputs[1].norm())


@exercise("the change, a number, and what makes it imperfect and spoilt, two words", answers="norm_change imperfect spoilt")
def check_17_3(answer):
    """Whether the norm of a frozen bank matters."""
    answer = mapping(answer, ["change", "imperfect", "spoilt"])
    change = number(answer["change"], "change")
    causes = {name: choice(answer[name], _CAUSES, name) for name in ("imperfect", "spoilt")}
    hints(
        (change == 0, "change: not a single digit differs. Do the two networks have different norms?"),
        (
            change < 0 or change > 100 * _change(),
            "change: too large. Apart from the norm, are all weights of the two networks equal?",
        ),
        (
            change < _change() / 100,
            "change: too small. Divide the norm of the difference of the outputs by that of the output.",
        ),
        (
            causes["imperfect"] == "rounding",
            "imperfect: rounding is finer than that. What does a normalisation add before it takes a root?",
        ),
        (causes["imperfect"] == "bias", "imperfect: what are the biases of a network that was not trained yet?"),
        (causes["imperfect"] != "constant", "imperfect: what in the division does not grow with the norm of the filters?"),
        (
            causes["spoilt"] != "bias",
            "spoilt: what is trained and added before the normalisation, whatever the norm of the filters is?",
        ),
    )
