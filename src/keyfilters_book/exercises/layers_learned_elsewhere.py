"""Checks of chapter 29, layers learned elsewhere."""

from __future__ import annotations

import numpy as np

from .verdict import alike, array, call, exercise, hints, near

__all__ = ["check_29_1", "check_29_2", "check_29_3"]


@exercise(
    "a function of two arrays of right or wrong (draws x images) and of the images' classes that returns ten gains",
    "Now apply it to raw pixels and the best cut.",
    answers="gains_by_class",
)
def check_29_1(answer):
    """The gain in accuracy, class by class."""
    rng = np.random.default_rng(0)
    truth = rng.choice(10, 300, p=np.arange(1, 11) / 55)
    shares = np.linspace(0.3, 0.6, 10), np.linspace(0.9, 0.6, 10)
    before, after = (rng.random((4, 300)) < share[truth] for share in shares)
    found = array(call(answer, before, after, truth), [10])
    each = [(hits[:, truth == c].mean(), hits[:, truth == c].sum()) for hits in (before, after) for c in range(10)]
    (low, fewer), (high, more) = np.array(each[:10]).T, np.array(each[10:]).T
    hints(
        *alike(
            found,
            (low - high, "The gain is what comes after less what was before."),
            (high, "That is the accuracy after; the gain is asked for."),
            ((more - fewer) / before.size, "Divide by the images of the class, not by all: else a rare class gains little."),
            (more - fewer, "Those are counts. Accuracies are shares of the class's images, and there are several draws."),
            (high / low - 1, "That is a relative gain; take the difference of the accuracies."),
            (np.full(10, after.mean() - before.mean()), "That is the gain over all images: select those of each class."),
        ),
        (
            not near(found, high - low),
            "For each class take the images whose true class it is, and average right or wrong over them and over draws.",
        ),
    )


@exercise(
    "a function of two stages' features (n x d each), of n labels and of two stages' features of other images, "
    "that returns the classes of these",
    "If the last stage held something else, joining it to the best one would help.",
    answers="joined_classes",
)
def check_29_2(answer):
    """A classifier behind two stages joined."""
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 4
    one = 0.1 * rng.normal(size=(200, 3)) + (labels // 2)[:, None]
    other = 50 * (0.1 * rng.normal(size=(200, 5)) + (labels % 2)[:, None])
    learn, rest = slice(0, 80), slice(80, None)
    truth = labels[rest]
    found = call(answer, one[learn], other[learn], labels[learn], one[rest], other[rest])
    found = array(found, [120], "what the function returns")
    hints(
        (
            (found // 2 == truth // 2).mean() > 0.97,
            "In this test the first stage tells half of the difference; the second is not made use of.",
        ),
        (
            (found % 2 == truth % 2).mean() > 0.97,
            "In this test the second stage tells half of the difference; the first is not made use of.",
        ),
        right=(found == truth).mean() > 0.97,
        otherwise="Each stage tells something here, but together they should tell all. Are images in rows, features side by side?",
    )


@exercise(
    "a function of features (n, d), of a target (n) and of the penalty a that returns n residuals", answers="left_out_residuals"
)
def check_29_3(answer):
    """All residuals of images left out, by the short cut."""
    rng = np.random.default_rng(0)
    n, penalty = 12, 2.0
    features = rng.normal(size=(n, 5)) + 1.5
    target = (features @ rng.normal(size=5) + 0.3 * rng.normal(size=n) > 0).astype(float)
    found = array(call(answer, features, target, penalty), [n])
    right = []
    for i in range(n):
        rest = np.arange(n) != i
        mean, level = features[rest].mean(0), target[rest].mean()
        f = features[rest] - mean
        w = np.linalg.solve(f.T @ f + penalty * np.eye(5), f.T @ (target[rest] - level))
        right.append(target[i] - level - (features[i] - mean) @ w)
    centred, y = features - features.mean(0), target - target.mean()
    kernel = centred @ centred.T
    hat = kernel @ np.linalg.inv(kernel + penalty * np.eye(n))
    residual = y - hat @ y
    bare = features @ features.T
    bare = bare @ np.linalg.inv(bare + penalty * np.eye(n))
    hints(
        *alike(
            found,
            (residual, "Those are the ordinary residuals: the image itself has helped to make its prediction."),
            (residual / (1 - np.diag(hat)), "The constant b is fitted, too. Without the image, what become the means?"),
            (np.negative(right), "The sign is wrong: the residual is the target less the prediction."),
            ((y - bare @ y) / (1 - np.diag(bare) - 1 / n), "The features have to be centred before the kernel is made."),
            ((target - hat @ target) / (1 - np.diag(hat) - 1 / n), "The target has to be centred, too."),
        ),
        right=near(found, right),
        otherwise="It does not agree with really leaving out each image in turn, with its own means. Try it for a small n.",
    )
