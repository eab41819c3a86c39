r"""The second layer of the two-layer scheme: a linear classifier, learned, its penalty chosen on held-out images.

Ridge regression of the class indicators: with centred features F (n, d) and centred indicators Y (n, classes),

.. math::

    W = (F^\top F + \lambda I)^{-1} F^\top Y, \qquad \lambda = p \operatorname{tr}(F^\top F),

and the class with the largest score. It sees features only through inner products: an orthonormal change of
coordinates, one common factor or zeros appended to the features change no prediction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keyfilters.uncertainty import mcnemar, wilson
from keyfilters_book.significance import holm

RIDGE_PENALTIES = tuple(10.0 ** np.arange(-8, -2.5))
"""The p that are tried: shares of the features' total variance."""

_CHUNK = 4096
"""Rows that are turned into double precision at a time."""


@dataclass(frozen=True)
class LinearClassifier:
    """What :func:`fit_classifier` found.

    Attributes
    ----------
    mean : ndarray, shape (d,)
        Of the training features.
    weights : ndarray, shape (d, classes)
    offset : ndarray, shape (classes,)
        Shares of the classes.
    penalty : float
        The chosen p.
    validation : dict of float to float
        Mean squared error of the scores on the held-out part for each p.
    held_accuracy : float
        Accuracy on the held-out part with the chosen p, before it was learned from.
    """

    mean: np.ndarray
    weights: np.ndarray
    offset: np.ndarray
    penalty: float
    validation: dict[float, float]
    held_accuracy: float

    def scores(self, features) -> np.ndarray:
        """Scores, shape (n, classes)."""
        return np.concatenate([(part - self.mean) @ self.weights + self.offset for part in _chunks(features)])

    def predict(self, features) -> np.ndarray:
        """The class of each row, shape (n,)."""
        return self.scores(features).argmax(axis=1)


def _chunks(features):
    for start in range(0, len(features), _CHUNK):
        yield np.asarray(features[start : start + _CHUNK], dtype=np.float64)


def _moments(features, targets, mean):
    """Sums of f f^T and f y^T of the features less their mean."""
    d, start = features.shape[1], 0
    gram, cross = np.zeros((d, d)), np.zeros((d, targets.shape[1]))
    for part in _chunks(features):
        part = part - mean
        gram += part.T @ part
        cross += part.T @ targets[start : start + len(part)]
        start += len(part)
    return gram, cross


def _solve(gram, cross, penalty):
    from scipy.linalg import cho_factor, cho_solve

    damped = gram.copy()
    damped[np.diag_indices_from(damped)] += penalty * np.trace(gram)
    return cho_solve(cho_factor(damped, overwrite_a=True, check_finite=False), cross, check_finite=False)


def _checked(features, labels, held, penalties):
    features, labels = np.asarray(features), np.asarray(labels)
    if features.ndim != 2 or features.dtype.kind != "f" or not np.isfinite(features).all():
        raise ValueError(f"features has shape {features.shape}: expected finite floats of shape (n, d)")
    if labels.shape != (len(features),) or labels.dtype.kind not in "iu" or (len(labels) and labels.min() < 0):
        raise ValueError(f"labels has shape {labels.shape}: expected ({len(features)},), an integer >= 0 for each row")
    if isinstance(held, bool) or not isinstance(held, (int, np.integer)) or not 1 <= held <= len(labels) - 2:
        raise ValueError(f"held is {held!r}: expected an integer from 1 to {len(labels) - 2}, to leave rows to learn from")
    if not np.ptp(features, axis=0).any():
        raise ValueError("features are the same in every row: expected something to learn from")
    penalties = np.asarray(penalties, dtype=float)
    if penalties.ndim != 1 or not len(penalties) or not (np.isfinite(penalties) & (penalties > 0)).all():
        raise ValueError("penalties: expected a row of finite numbers above 0")
    return features, labels, int(held), penalties


def fit_classifier(features, labels, held: int, penalties=RIDGE_PENALTIES) -> LinearClassifier:
    r"""Return the linear classifier with the penalty that does best on the last ``held`` rows.

    Every p is tried on the rows before; the one with the least squared error of the scores (what ridge regression
    minimises; less coarse than a share of images) is then used on all rows.

    Parameters
    ----------
    features : array_like of float, shape (n, d)
    labels : array_like of int, shape (n,)
        0 to classes - 1.
    held : int
        Rows at the end on which p is chosen.
    penalties : sequence of float
        The p to try.

    Raises
    ------
    ValueError
        For anything else.

    Source: Hastie, Tibshirani and Friedman (2009), sections 3.4.1 and 4.2.

    Examples
    --------
    >>> f = np.array([[0.0], [0.1], [1.0], [1.1], [0.2], [0.9]])
    >>> fit_classifier(f, [0, 0, 1, 1, 0, 1], held=2).predict(f).tolist()
    [0, 0, 1, 1, 0, 1]
    """
    features, labels, held, penalties = _checked(features, labels, held, penalties)
    learn = len(labels) - held
    indicators = np.eye(int(labels.max()) + 1)[labels]

    def moments_about(first, last):
        rows, targets = features[first:last], indicators[first:last]
        mean, offset = rows.mean(axis=0, dtype=np.float64), targets.mean(axis=0)
        return mean, offset, *_moments(rows, targets - offset, mean)

    mean, offset, gram, cross = moments_about(0, learn)
    error, accuracy = {}, {}
    for p in map(float, np.sort(penalties)[::-1]):
        scores = LinearClassifier(mean, _solve(gram, cross, p), offset, p, {}, 0.0).scores(features[learn:])
        error[p] = float(((scores - indicators[learn:]) ** 2).sum(axis=1).mean())
        accuracy[p] = float((scores.argmax(axis=1) == labels[learn:]).mean())
    best = min(error, key=error.get)
    # The sums over all rows from those over the first ones: Gram matrices are the costly part.
    more_mean, more_offset, more_gram, more_cross = moments_about(learn, len(labels))
    share = learn * held / len(labels)
    gram += more_gram + share * np.outer(mean - more_mean, mean - more_mean)
    cross += more_cross + share * np.outer(mean - more_mean, offset - more_offset)
    mean = (learn * mean + held * more_mean) / len(labels)
    offset = (learn * offset + held * more_offset) / len(labels)
    return LinearClassifier(mean, _solve(gram, cross, best), offset, best, error, accuracy[best])


def compare_pairs(correct, pairs) -> list[dict]:
    """Return exact McNemar tests of pairs of classifiers on the same images, corrected by Holm for their number.

    Parameters
    ----------
    correct : mapping from name to array_like of bool, shape (n,)
    pairs : sequence of (name, name)

    Returns
    -------
    list of dict
        first, second, only_first, only_second, difference (second minus first), p, p_holm.

    Examples
    --------
    >>> rows = compare_pairs({"a": [True] * 4 + [False] * 6, "b": [True] * 10}, [("a", "b")])
    >>> rows[0]["difference"], rows[0]["p_holm"]
    (0.6, 0.03125)
    """
    rows = []
    for first, second in pairs:
        found = mcnemar(correct[second], correct[first])
        rows.append({
            "first": first, "second": second, "only_first": found.only_b, "only_second": found.only_a,
            "difference": found.difference, "p": found.p,
        })  # fmt: skip
    for row, p in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = float(p)
    return rows


def accuracy_row(correct) -> dict[str, float]:
    """Accuracy with the ends of its Wilson interval (95 %).

    Examples
    --------
    >>> {name: round(value, 3) for name, value in accuracy_row([True] * 9 + [False]).items()}
    {'accuracy': 0.9, 'low': 0.596, 'high': 0.982}
    """
    right = np.asarray(correct, dtype=bool)
    low, high = wilson(int(right.sum()), len(right))
    return {"accuracy": float(right.mean()), "low": low, "high": high}
