"""Answers to the exercises of chapter 22: a right one each, and wrong ones with a word of their hint."""

import numpy as np


def _share(kernels, bank):
    q = np.linalg.qr(bank.reshape(len(bank), -1).T)[0]
    w = kernels.reshape(len(kernels), -1)
    return ((w @ q) ** 2).sum() / (w**2).sum()


def _doubly(kernels, bank):
    w, f = kernels.reshape(len(kernels), -1), bank.reshape(len(bank), -1)
    f = f / np.linalg.norm(f, axis=1, keepdims=True)
    return ((w @ f.T) ** 2).sum() / (w**2).sum()


ANSWERS = {
    "22.1": (
        lambda: {"parameters": 60_900, "side": 4},
        [
            ({"parameters": 60_000, "side": 4}, "with its table"),
            ({"parameters": 2416, "side": 4}, "C3 alone"),
            ({"parameters": 60_884, "side": 4}, "bias"),
            ({"parameters": 62_416, "side": 4}, "old C3"),
            ({"parameters": 60_900, "side": 16}, "taps"),
            ({"parameters": 60_900, "side": np.sqrt(6)}, "cancels"),
            (60_900, "in this order"),
        ],
    ),
    "22.2": (
        lambda: lambda x, j: x @ x + 84 - j,
        [
            (lambda x, j: -j, "taken from -j"),
            (lambda x, j: x @ x, "one value of j"),
            (lambda x, j: x @ x + 84, "Where has j gone"),
            (lambda x, j: j - 84 - x @ x, "sign"),
            (lambda x, j: (x @ x + 84 - j) / 2, "twice"),
            (lambda x, j: 0.0, "Expand"),
            (lambda x: 0.0, "TypeError"),
        ],
    ),
    "22.3": (
        lambda: _share,
        [
            (_doubly, "not orthogonal"),
            (lambda k, b: 1 - _share(k, b), "outside"),
            (lambda k, b: np.sqrt(_share(k, b)), "ratio of norms"),
            (lambda k, b: np.mean([_share(w[None], b) for w in k]), "mean over the kernels"),
            (lambda k, b: max(_share(k, f[None]) for f in b), "orthonormal"),
            (0.35, "function"),
        ],
    ),
}
