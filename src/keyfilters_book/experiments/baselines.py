"""Linear classifiers on the raw pixels: what a network has to beat."""

from __future__ import annotations

import time

import numpy as np

from .design import Setting
from .runs import split_images

CLASSIFIER_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""The grid of the penalty, for each method; the validation images choose."""


def ridge(x, y, penalty: float) -> np.ndarray:
    r"""Weights of ridge regression on ten indicator columns, by :math:`(X^T X / n + \lambda I)^{-1} X^T Y / n`."""
    targets = np.eye(10)[y]
    gram = x.T @ x / len(x)
    return np.linalg.solve(gram + penalty * np.eye(len(gram)), x.T @ (targets - targets.mean(0)) / len(x))


def logistic(x, y, penalty: float) -> np.ndarray:
    """Weights of multinomial logistic regression with a quadratic penalty."""
    # Some solvers stop at the bound of iterations: the classifier they have then is judged as it is.
    import warnings

    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = LogisticRegression(C=1 / (penalty * len(x)), max_iter=200).fit(x, y)
    return np.vstack([found.coef_.T, found.intercept_])


CLASSIFIERS = {"ridge": ridge, "logistic": logistic}


def linear_baseline(method: str, setting: Setting) -> dict:
    """Train a linear classifier on the images of a setting and judge it on the test images.

    Parameters
    ----------
    method : {"ridge", "logistic"}
    setting : Setting

    Returns
    -------
    dict
        The row of the table: method, data, images, penalty, accuracy, n, validation, seconds.
    """
    started = time.process_time()
    pairs = split_images(setting.data)
    train = pairs["train"][0][: setting.images].reshape(setting.images, -1) / 255
    mean, labels = train.mean(0), pairs["train"][1][: setting.images]

    def columns(images):
        return images.reshape(len(images), -1) / 255 - mean

    share = np.bincount(labels, minlength=10) / len(labels)

    def accuracy(weights, split):
        x, y = columns(pairs[split][0]), pairs[split][1]
        scores = x @ weights[: x.shape[1]] + (weights[-1] if len(weights) > x.shape[1] else share)
        return float((scores.argmax(1) == y).mean())

    tried = []
    for penalty in CLASSIFIER_PENALTIES:
        weights = CLASSIFIERS[method](train - mean, labels, penalty)
        tried.append((accuracy(weights, "validation"), penalty, weights))
    validation, penalty, weights = max(tried, key=lambda row: row[0])
    return {
        "method": method, "data": setting.data, "images": setting.images, "penalty": penalty, "validation": validation,
        "accuracy": accuracy(weights, "test"), "n": len(pairs["test"][1]), "seconds": round(time.process_time() - started, 1),
    }  # fmt: skip
