"""Answers to the exercises of chapter 33: a right one each, and wrong ones with a word of their hint."""

from math import sqrt

ANSWERS = {
    "33.1": (
        lambda: lambda n: 3 * n + 1,
        [
            (lambda n: 3 * n, "missing"),
            (lambda n: 3 * n + 2, "Key 7"),
            (lambda n: 4**n, "at most"),
            (lambda n: 2 * n + 1, "kinds"),
            (lambda n: n, "Count"),
            (10, "function"),
        ],
    ),
    "33.2": (
        lambda: lambda a, b: a / b,
        [
            (lambda a, b: -a / b, "sign"),
            (lambda a, b: b / a, "Turned over"),
            (lambda a, b: a + b, "Differentiate"),
            (1.0, "function"),
        ],
    ),
    "33.3": (
        lambda: lambda tau, stages: stages * (sqrt(1 + 4 * tau / stages) - 1) / 2,
        [
            (lambda tau, stages: (sqrt(1 + 4 * tau / stages) - 1) / 2, "add up"),
            (lambda tau, stages: (sqrt(1 + 4 * tau) - 1) / 2, "share"),
            (lambda tau, stages: sqrt(tau * stages), "continuous"),
            (lambda tau, stages: tau, "Solve"),
            (2.0, "function"),
        ],
    ),
}
