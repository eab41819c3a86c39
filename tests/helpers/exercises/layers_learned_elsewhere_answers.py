"""Answers to the exercises of chapter 29: a right one each, and wrong ones with a word of their hint."""

import numpy as np

from keyfilters_book.background.transfer import linear_probe


def _gains(before, after, truth):
    return [after[:, truth == c].mean() - before[:, truth == c].mean() for c in range(10)]


def _joined(one, other, labels, new_one, new_other):
    return linear_probe(np.hstack([one, other]), labels, np.hstack([new_one, new_other]))


def _left_out(features, target, a, *, constant=1.0, centre=1.0, level=1.0):
    n = len(target)
    f = features - centre * features.mean(0)
    kernel = f @ f.T
    hat = kernel @ np.linalg.inv(kernel + a * np.eye(n))
    y = target - level * target.mean()
    return (y - hat @ y) / (1 - np.diag(hat) - constant / n)


def _ordinary(features, target, a):
    f, y = features - features.mean(0), target - target.mean()
    return y - f @ np.linalg.solve(f.T @ f + a * np.eye(f.shape[1]), f.T @ y)


ANSWERS = {
    "29.1": (
        lambda: _gains,
        [
            (lambda b, a, t: np.negative(_gains(b, a, t)), "what was before"),
            (lambda b, a, t: [a[:, t == c].mean() for c in range(10)], "accuracy after"),
            (lambda b, a, t: [(a * (t == c)).mean() - (b * (t == c)).mean() for c in range(10)], "rare class"),
            (lambda b, a, t: [(a * (t == c)).sum() - (b * (t == c)).sum() for c in range(10)], "counts"),
            (lambda b, a, t: [a.mean() - b.mean()] * 10, "all images"),
            (lambda b, a, t: a.mean() - b.mean(), "shape"),
        ],
    ),
    "29.2": (
        lambda: _joined,
        [
            (lambda a, b, y, c, d: linear_probe(a, y, c), "second is not"),
            (lambda a, b, y, c, d: linear_probe(b, y, d), "first is not"),
            (lambda a, b, y, c, d: np.zeros(len(c)), "side by side"),
            (lambda a, b, y, c, d: linear_probe(np.vstack([a, b]), y, c), "ValueError"),
        ],
    ),
    "29.3": (
        lambda: _left_out,
        [
            (_ordinary, "itself"),
            (lambda f, y, a: _left_out(f, y, a, constant=0), "means"),
            (lambda f, y, a: -_left_out(f, y, a), "sign"),
            (lambda f, y, a: _left_out(f, y, a, centre=0), "before the kernel"),
            (lambda f, y, a: _left_out(f, y, a, level=0), "target has to be centred"),
            (lambda f, y, a: 0 * y, "small n"),
        ],
    ),
}
