r"""How much a representation changes when the image is moved, turned or rescaled.

.. math::

    d(T) = \frac{\operatorname{mean}_i \|\Phi(T x_i) - \Phi(x_i)\|}
                {\operatorname{mean}_{i \ne j} \|\Phi(x_i) - \Phi(x_j)\|}

The denominator is what makes numbers of different representations comparable. It also keeps the trivial
representation, which maps all images to the same point, from looking good: for it d is 0 / 0.
"""

from __future__ import annotations

import numpy as np

from keyfilters.checks import choice, finite
from keyfilters_book.representations.sizes import shaped

MOVES = {"shift": (0.5, 1.0, 2.0, 3.0, 4.0), "rotation": (5.0, 10.0, 20.0, 30.0, 45.0), "scale": (0.7, 0.8, 0.9, 1.1, 1.2)}
"""Amounts that are tried: pixels, degrees, factors of magnification."""


def _matrix(kind: str, amount: float, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Output to input coordinates (row, column) about the centre: linear part and offset."""
    if kind == "shift":
        return np.eye(2), -amount * np.array([np.sin(angle), np.cos(angle)])
    if kind == "scale":
        return np.eye(2) / amount, np.zeros(2)
    turn = np.deg2rad(amount) * (1 if angle < np.pi else -1)
    return np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]), np.zeros(2)


def moved(images, kind: str, amount: float, seed: int = 0) -> np.ndarray:
    """Return images that are shifted, rotated or rescaled about their centre, black beyond the border.

    Cubic splines interpolate, so that a shift by half a pixel does not blur as linear interpolation does.

    Parameters
    ----------
    images : array_like, shape (n, height, width)
    kind : {"shift", "rotation", "scale"}
    amount : float
        Pixels (in a direction drawn for each image), degrees (to a side drawn for each image), or a factor
        above 0.
    seed : int
        Of the directions: the same for every amount.

    Returns
    -------
    ndarray of float32, shape (n, height, width)

    Raises
    ------
    ValueError
        For an unknown kind or an amount that is not finite, or not above 0 for "scale".

    Examples
    --------
    >>> x = np.random.default_rng(0).random((2, 8, 8))
    >>> bool(np.allclose(moved(x, "rotation", 0.0), x)), bool(np.allclose(moved(x, "scale", 1.0), x))
    (True, True)
    """
    from scipy.ndimage import affine_transform

    choice(kind, MOVES, "kind")
    x, amount = shaped(images, "images", 3, "(n, height, width)"), float(finite(amount, "amount"))
    if kind == "scale" and amount <= 0:
        raise ValueError(f"amount is {amount:g}: expected a factor of magnification above 0")
    angles = np.random.default_rng(seed).uniform(0, 2 * np.pi, len(x))
    centre = (np.array(x.shape[1:]) - 1) / 2
    out = np.empty(x.shape, dtype=np.float32)
    for image, angle, target in zip(x, angles, out, strict=True):
        linear, offset = _matrix(kind, amount, angle)
        target[:] = affine_transform(image, linear, offset + centre - linear @ centre, order=3, mode="grid-constant")
    return out


def between(features) -> float:
    """Mean distance between the features of different images, over all pairs.

    Examples
    --------
    >>> between([[0.0], [1.0], [2.0]])
    1.3333333333333333
    """
    from scipy.spatial.distance import pdist

    return float(pdist(shaped(features, "features", 2, "(n, d) with n >= 2", least=2)).mean())


def change(features, moved_features, spread: float | None = None) -> dict[str, float]:
    """How far features went when their images were moved.

    Parameters
    ----------
    features, moved_features : array_like, shape (n, d)
    spread : float, optional
        ``between(features)``, where it is known.

    Returns
    -------
    dict of str to float
        relative : mean of ``|moved - features| / |features|``; zero rows are left out.
        normalised : mean of ``|moved - features|`` over the mean distance between different images, d(T).

    Raises
    ------
    ValueError
        If the two do not have the same shape (n, d), or all features are the same.

    Examples
    --------
    >>> change([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 2.0]])["relative"]
    0.5
    """
    a, b = finite(features, "features"), finite(moved_features, "moved_features")
    if a.shape != b.shape:
        raise ValueError(f"moved_features has shape {b.shape}: expected {a.shape}, that of features")
    spread = between(a) if spread is None else spread
    if spread == 0:
        raise ValueError("features are the same for all images: expected a representation that tells some apart")
    steps, norms = np.linalg.norm(b - a, axis=1), np.linalg.norm(a, axis=1)
    seen = norms > 0
    return {"relative": float((steps[seen] / norms[seen]).mean()), "normalised": float(steps.mean() / spread)}


def moved_sets(images, seed: int = 0, moves=None) -> dict[tuple[str, float], np.ndarray]:
    """All moved versions of some images: (kind, amount) -> images.

    Examples
    --------
    >>> list(moved_sets(np.zeros((1, 8, 8)), moves={"shift": (1.0, 2.0)}))
    [('shift', 1.0), ('shift', 2.0)]
    """
    return {
        (kind, amount): moved(images, kind, amount, seed)
        for kind, amounts in (MOVES if moves is None else moves).items()
        for amount in amounts
    }


def curve(features_of, classifier, images, labels, sets) -> list[dict]:
    """Return invariance and accuracy of one representation over moved images.

    Parameters
    ----------
    features_of : callable
        Images to features.
    classifier : object with a method ``predict``
        Learned on images that were not moved.
    images, labels : the images where they are, and their classes
    sets : mapping from (kind, amount) to moved images
        Such as :func:`moved_sets` returns.

    Returns
    -------
    list of dict
        kind, amount, relative, normalised, accuracy; the first row of each kind is the image itself
        (amount 0, or 1 for "scale").
    """
    still = features_of(images)
    at_rest = float((classifier.predict(still) == labels).mean())
    spread, rows = between(still), []
    for kind in dict.fromkeys(kind for kind, _ in sets):
        rest = 1.0 if kind == "scale" else 0.0
        rows.append({"kind": kind, "amount": rest, "relative": 0.0, "normalised": 0.0, "accuracy": at_rest})
    for (kind, amount), images_moved in sets.items():
        features = features_of(images_moved)
        accuracy = float((classifier.predict(features) == labels).mean())
        rows.append({"kind": kind, "amount": amount} | change(still, features, spread) | {"accuracy": accuracy})
    kinds = list(dict.fromkeys(kind for kind, _ in sets))
    return sorted(rows, key=lambda row: (kinds.index(row["kind"]), row["amount"]))
