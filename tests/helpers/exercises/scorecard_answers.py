"""Answers to the exercises of chapter 15: a right one each, and wrong ones with a word of their hint."""

import functools

import numpy as np

import keyfilters as kf
from keyfilters.published import verdict


def _digits(p, q, printed, log=np.log10, size=None):
    if p == q:
        return printed
    return min(-log(abs(q - p) / (abs(p) if size is None else size)), printed)


@functools.cache
def _card():
    return kf.scorecard()


def _tally(rows=None):
    rows = _card()[_card().decimals == "full"] if rows is None else rows
    size = np.maximum(1, rows.published.abs())
    return [int(((rows.reproduced - rows.published).abs() / size <= 10.0**e).sum()) for e in range(-13, -5)]


def _share(error=0.001, signs=(-1, 1), draws=100):
    rows, rng, shares = _card()[_card().quantity == "sigma_table"], np.random.default_rng(0), []
    for _ in range(draws):
        wrong = rows.reproduced + error * rng.choice(signs, len(rows))
        values = zip(rows.published, rows.decimals, wrong, strict=True)
        shares.append(np.mean([verdict(p, d, q, None) == "equal" for p, d, q in values]))
    return float(np.mean(shares))


class Late:
    """A wrong answer that is computed when the check looks at it, like the numbers of a table."""

    def __init__(self, make):
        self.make = make

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.make(), dtype=dtype)


ANSWERS = {
    "15.1": (
        lambda: _digits,
        [
            (lambda p, q, n: _digits(p, q, n, size=1), "relative"),
            (lambda p, q, n: _digits(p, q, n, log=np.log), "powers of ten"),
            (lambda p, q, n: _digits(p, q, 99), "No more"),
            (lambda p, q, n: np.log10(abs(q - p) / abs(p)) if p != q else n, "sign"),
            (lambda p, q, n: 2.0 * n, "Off for"),
        ],
    ),
    "15.2": (
        _tally,
        [
            (Late(lambda: _tally(_card())), "printed in full"),
            (Late(lambda: _tally()[::-1]), "smallest tolerance"),
            (Late(lambda: np.arange(8)), "at most the tolerance"),
            ([1, 2], "shape"),
        ],
    ),
    "15.3": (
        _share,
        [
            (Late(lambda: _share(0.0)), "without any error"),
            (Late(lambda: 100 * _share()), "not a percentage"),
            (Late(lambda: 1 - _share()), "no longer"),
            (Late(lambda: _share(signs=(1,))), "same sign"),
            (Late(lambda: _share(0.0003)), "Too many"),
            (Late(lambda: 0.02 + _share()), "more than chance"),
        ],
    ),
}
