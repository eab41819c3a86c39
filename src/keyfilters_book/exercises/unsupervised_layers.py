"""Checks of chapter 24, what unsupervised layers learn."""

from __future__ import annotations

import numpy as np

from .verdict import alike, array, call, exercise, hint_if, hints, near, number

__all__ = ["check_24_1", "check_24_2", "check_24_3"]


@exercise("a function of a rotation U and a covariance, n x n both, that returns one number", answers="mean_change")
def check_24_1(answer):
    """The mean squared change of data by a whitening matrix."""
    from scipy.stats import ortho_group

    rng = np.random.default_rng(0)
    n = 5
    axes, variances = ortho_group.rvs(n, random_state=rng), rng.uniform(0.5, 4, n)
    covariance, root = (axes * variances) @ axes.T, (axes * np.sqrt(variances)) @ axes.T
    for turn in (ortho_group.rvs(n, random_state=rng), np.eye(n)):
        found = number(call(answer, turn, covariance), "the change")
        change = turn @ np.linalg.inv(root) - np.eye(n)
        right = np.trace(change @ covariance @ change.T)
        overlap, total = np.trace(turn @ root), np.trace(covariance)
        hints(
            *alike(
                found,
                (n + total - overlap, "The mixed term occurs twice in the square."),
                (total - 2 * overlap, "The whitened data have a mean square, too."),
                (n - 2 * overlap, "The data themselves have a mean square, too."),
                (n + total - 2 * np.trace(turn @ covariance), "W holds an inverse root of the covariance: what is left?"),
                (right / n, "That is the mean over the components; the squared norm is their sum."),
                (
                    np.trace(change @ change.T),
                    "That is the norm of W - I. The data are not white before: weight it by their covariance.",
                ),
            ),
            right=near(found, right),
            otherwise="Expand the squared norm of W x - x, take means, and put in W times covariance times W transposed.",
        )


@exercise("a function of C that returns by how much the bias changes, negative if it is lowered", answers="bias_change")
def check_24_2(answer):
    """The bias that makes up for a block of C x C units."""
    import torch

    from ..background.crbm import ConvolutionalRBM

    for c in (2, 3):
        found = number(call(answer, c), "the change of the bias")
        hints(
            (
                near(found, 2 * np.log(c)),
                "Is a block of units with equal inputs on more often than a single unit, or less often?",
            ),
            (near(found, -np.log(c)), "How many units has a block?"),
            (
                near(found, -(c**2)) or near(found, 1 / c**2),
                "A factor in front of the exponential is a term in the exponent: which one?",
            ),
        )
        for bias in (-1.0, 0.5):
            block = ConvolutionalRBM(1, 3, block=c, bias=bias + found)
            with torch.no_grad():
                off = block.hidden(torch.zeros(1, 1, c + 2, c + 2))[1].item()
            hint_if(
                abs(off - 1 / (1 + np.exp(bias))) > 1e-5,
                "With this bias a block is not off as often as a single unit. Write down both probabilities.",
            )


@exercise(
    "a function of two arrays of explained shares, filter by filter, that returns mean gap, low and high end",
    answers="mean_gap",
)
def check_24_3(answer):
    """A mean paired difference with its interval of 95 per cent."""
    from keyfilters.uncertainty import bootstrap_interval

    rng = np.random.default_rng(0)
    common = rng.uniform(0.4, 0.9, 200)
    better, worse = common + rng.normal(0.04, 0.03, 200), common + rng.normal(0.0, 0.03, 200)
    found = array(call(answer, better, worse), [3])
    right = bootstrap_interval(better - worse, draws=4000)
    hints(
        (near(found[0], -right.estimate), "The gap is the first less the second."),
        (near(found[0], np.median(better - worse)), "The mean of the gaps is asked for, not their median."),
        (not near(found[0], right.estimate), "The first number should be the mean of the differences, filter by filter."),
    )
    low, high = found[1:]
    hint_if(
        not low < right.estimate < high, "The ends of the interval should lie on both sides of the mean, the lower one first."
    )
    ratio = (high - low) / (right.high - right.low)
    spread = np.ptp(np.quantile(better - worse, [0.025, 0.975])) / (right.high - right.low)
    hints(
        (abs(ratio / spread - 1) < 0.1, "That is how much single filters differ. How well is their mean known?"),
        (ratio > 1.5, "Far too wide: the same filter stands in both arrays, so draw pairs."),
        (
            not near([low, high], [right.low, right.high], rtol=0, atol=0.06 * (right.high - right.low)),
            "The mean is right, the interval is not one of 95 % for it. Draw filters with replacement, often.",
        ),
    )
