"""Answers to the exercises of chapter 27: a right one each, and wrong ones with a word of their hint."""

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

from keyfilters_book.representations.approximation import keep_largest


def _gain(f, image, n, power=1.0):
    c = f.analyse(image)
    on = keep_largest(c, n) != 0

    def placed(values):
        full = np.zeros(len(f))
        full[on] = values
        return f.synthesise(full)

    normal = LinearOperator((n, n), matvec=lambda a: f.analyse(placed(a))[on], dtype=float)
    a, _ = cg(normal, c[on], rtol=1e-8, maxiter=200)
    before, after = (((image - placed(v)) ** 2).sum() for v in (c[on], a))
    return (before / after) ** power


E15 = float(np.exp(15))

ANSWERS = {
    "27.1": (
        lambda: {"n": E15**2, "side": E15},
        [
            ({"n": 30, "side": E15}, "natural logarithm"),
            ({"n": 1e30, "side": 1e15}, "natural one"),
            ({"n": np.exp(-30), "side": E15}, "Solve for ln n"),
            ({"n": E15**2, "side": E15**2 / 2}, "square, and"),
            ({"n": E15**2, "side": 1024}, "how long"),
            (E15, "in this order"),
        ],
    ),
    "27.2": (
        lambda: _gain,
        [
            (lambda f, x, n: 1.0, "Nothing has changed"),
            (lambda f, x, n: _gain(f, x, n, power=-1), "share of the error"),
            (lambda f, x, n: _gain(f, x, n, power=0.5), "norms"),
            (lambda f, x, n: _gain(f, x, n) * 2, "so far"),
            (lambda f, x, n: (1 + _gain(f, x, n)) / 2, "orthogonal"),
            (lambda f, x: 1.0, "TypeError"),
        ],
    ),
    "27.3": (
        lambda: {"fixed": (1, -1), "doubled": (1, -1)},
        [
            ({"fixed": (0.5, -0.75), "doubled": (1, -1)}, "parabolic"),
            ({"fixed": (1, 1), "doubled": (1, -1)}, "negative"),
            ({"fixed": (-1, 1), "doubled": (1, -1)}, "exchanged"),
            ({"fixed": (1, -1), "doubled": (0, -0.5)}, "curved"),
            ({"fixed": (1, -0.5), "doubled": (1, -1)}, "sup norm"),
            ({"fixed": (2, -1), "doubled": (1, -1)}, "how long"),
            ({"fixed": 1, "doubled": 1}, "shape"),
        ],
    ),
}

ROUNDED = {"27.1": lambda: {"n": 1.1e13, "side": 3.3e6}}
"""Right answers at the digits that the solution prints."""
