"""What the models leave out: further components, compared by one yardstick."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..checks import choice, square_filter
from ..choices import DC, Edge
from ..filters import KEYS, SHARPENING, Key, key_row, learned_filters
from ..models import MODEL_EDGES
from ..normalization import DC_CHOICES, constant_and_response
from .intervals import _axis_term
from .result import PRINTED, Noise, noise_level
from .terms import Model, least_squares, project

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Component:
    """One row of the table of components.

    Attributes
    ----------
    name, idea : str
    own : {"key", "both sides", "two scales", "none"}
        What stands for the key's own operator: itself; the two one-sided differences along its axis (its derivatives
        along both axes for keys 7 and 8, beside itself); itself at two scales, each the same along both axes; nothing.
    further : tuple of str
        Terms beside it, names of ``keyfilters.fitting.terms.TERMS``.
    scales : {0, 1, 2}
        Free scales; with 2 one along each axis, unless the component has two scales of its own.
    rank : int
        0, or the rank of the best approximation of this rank, which has no terms.
    """

    name: str
    idea: str
    own: str = "key"
    further: tuple[str, ...] = ()
    scales: int = 2
    rank: int = 0


COMPONENTS: dict[str, Component] = {
    row.name: row
    for row in (
        Component("paper", "a f: the key's difference of a Gaussian, times an amplitude"),
        Component("blob", "a f + c T: a shifted blob mixed in", further=("T",)),
        Component("blob and constant", "a f + c T + b", further=("T", "constant")),
        Component(
            "sub-pixel", "the two one-sided differences, in any mixture: between one-sided and centred", own="both sides"
        ),
        Component("Laplacian", "a f + c Lap T: a sharpened or blunted blob mixed in", further=("laplacian",)),
        Component("second scale", "a f at one scale + c f at another, each the same along both axes", own="two scales"),
        Component(
            "2-jet, one scale",
            "all derivatives up to the second",
            own="none",
            further=("T", "x", "y", "xx", "xy", "yy"),
            scales=1,
        ),
        Component("2-jet", "the same with a scale along each axis", own="none", further=("T", "x", "y", "xx", "xy", "yy")),
        Component(
            "rank one",
            "the best product of a function of x and one of y: a ceiling for separable models",
            own="none",
            scales=0,
            rank=1,
        ),
        Component("rank two", "the best sum of two such products", own="none", scales=0, rank=2),
    )
}
"""The components of :func:`fit_components` by name; each row says what stands beside the key's own operator."""


@dataclass(frozen=True)
class ComponentFit:
    """A filter as a sum of components.

    Attributes
    ----------
    key : int
    component : str
    coefficients : dict of str to float
        By term; empty for the ceilings.
    sigmas : tuple of float
        Scales in grid units: along x and y, or the one, or the two of the component.
    parameters : int
        Free numbers: coefficients and scales; r (2n - r) for a filter of rank r.
    model : ndarray, shape (n, n)
        The fitted sum, in units of the normalised filter.
    left : float
        Share of the filter's energy that is left: the squared l2 norm of the rest over that of the filter.
    cross_validated : float
        The same for taps that the fit did not see, at most 1; see :func:`fit_components`.
    chi2 : float
        Sum of squares of the rest over the noise variance.
    bic : float
        ``chi2 + parameters * log(taps)``.
    noise : Noise
        Of the normalised filter.
    """

    key: int
    component: str
    coefficients: dict
    sigmas: tuple
    parameters: int
    model: np.ndarray
    left: float
    cross_validated: float
    chi2: float
    bic: float
    noise: Noise


def _terms(component: Component, row: Key) -> tuple[tuple[str, ...], int]:
    """Free terms and number of scales of a component for a key."""
    if component.own == "none":
        own: tuple[str, ...] = ()
    elif row.kind == SHARPENING:
        own = ("impulse", "laplacian")
    else:
        own = (_axis_term(row),)
    scales = component.scales
    if component.own == "both sides":
        own = (*own, "x", "y") if row.derivative_axis is None else tuple("xy"[row.derivative_axis] + side for side in "-+")
    elif component.own == "two scales":
        own = tuple(
            term if term == "impulse" else f"{term}@{i}" for term in own for i in ((0,) if term == "impulse" else (0, 1))
        )
    elif component.own == "key" and row.kind == SHARPENING and not component.further:
        # The paper's model of key 7 has one scale and gamma.
        scales = 1
    return tuple(dict.fromkeys((*own, *component.further))), scales


def folds(key: int | Key, size: int) -> list[np.ndarray]:
    """Taps that are left out together: a tap and its mirror images in the axes in which the key is even.

    A mirror image that stays in would tell what was left out.

    Examples
    --------
    >>> len(folds(1, 7)), len(folds(8, 7)), sum(len(f) for f in folds(8, 7))
    (28, 16, 49)
    """
    row = key_row(key)
    index = np.arange(size * size).reshape(size, size)
    orbit = index
    for axis in (0, 1):
        if axis != row.derivative_axis:
            orbit = np.minimum(orbit, np.flip(orbit, -1 - axis))
    return [np.flatnonzero(orbit.ravel() == label) for label in np.unique(orbit)]


def _low_rank(h, rank: int, left_out, sweeps: int = 400) -> np.ndarray:
    """Best filters of a rank with taps left out, by alternating least squares from the best one of all taps."""
    n = len(h)
    u, s, v = np.linalg.svd(h)
    if left_out is None:
        return (u[:, :rank] * s[:rank]) @ v[:rank]
    flat = np.ones((len(left_out), n * n))
    for i, taps in enumerate(left_out):
        flat[i, taps] = 0.0
    mask = flat.reshape(-1, n, n)
    right = np.broadcast_to(v[:rank].T, (len(mask), n, rank)).copy()
    ridge = 1e-12 * np.eye(rank)

    def solved(other, kept, values):
        gram = np.einsum("bij,bjr,bjs->birs", kept, other, other) + ridge
        return np.linalg.solve(gram, np.einsum("bij,ij,bjr->bir", kept, values, other)[..., None])[..., 0]

    for _ in range(sweeps):
        columns = solved(right, mask, h)
        right = solved(columns, np.swapaxes(mask, 1, 2), h.T)
        # Equal lengths of the two factors, or one grows without bound.
        length = np.sqrt((right**2).sum(1, keepdims=True))
        right = right / np.where(length > 0, length, 1.0)
    columns = solved(right, mask, h)
    return columns @ np.swapaxes(right, 1, 2)


def fit_components(
    key: int | Key,
    component: str = "blob",
    *,
    filter: ArrayLike | None = None,
    dc: DC = "published",
    edge: Edge = "crop",
    normalized: bool = False,
) -> ComponentFit:
    r"""Fit a key's model with further components to a filter, by least squares with free coefficients.

    With the terms :math:`t_j` of a row of :data:`COMPONENTS`,

    .. math:: \min_{c, \sigma} \Bigl\| \sum_j c_j\, t_j(\sigma) - \tilde h \Bigr\|_2^2 .

    - ``left``: what remains, as a share of the filter's energy. It can only fall with more terms.
    - ``cross_validated``: each tap is predicted by a fit that did not see it, nor its mirror image. What is not predicted,
      again as a share of the energy; a prediction worse than 0 counts as 0. It rises where terms describe accidents.
    - ``bic``: the remaining sum of squares in units of the noise, whose level is *estimated* from the filter
      (:func:`noise_level`), plus a price of log(taps) for each free number.

    Parameters
    ----------
    key : int
        1 to 8.
    component : str
        A name of :data:`COMPONENTS`.
    filter, dc, edge, normalized
        As in :func:`fit`.

    Returns
    -------
    ComponentFit

    Raises
    ------
    ValueError
        For an unknown component, and as :func:`fit`.

    Examples
    --------
    >>> paper, blob = fit_components(1, "paper"), fit_components(1, "blob")
    >>> blob.left < paper.left / 5, sorted(blob.coefficients)
    (True, ['T', 'y+'])
    """
    row, strategy = key_row(key), COMPONENTS[choice(component, COMPONENTS, "component")]
    choice(dc, DC_CHOICES, "dc")
    choice(edge, MODEL_EDGES, "edge")
    h = square_filter(learned_filters()[row.number - 1] if filter is None else filter)
    floor = 0.0
    if not (normalized and filter is not None):
        constant, response = constant_and_response(h, row, dc)
        h = (h - constant) / response
        floor = PRINTED / abs(response) if filter is None else 0.0
    energy, left_out = float((h**2).sum()), folds(row, len(h))
    coefficients: dict[str, float] = {}
    sigmas: tuple[float, ...] = ()
    if strategy.rank:
        model = _low_rank(h, strategy.rank, None)
        predicted = _low_rank(h, strategy.rank, left_out).reshape(len(left_out), -1)
        count = strategy.rank * (2 * len(h) - strategy.rank)
        errors = predicted - h.ravel()
    else:
        free, scales = _terms(strategy, row)
        terms = Model(((),), free, scales, len(h), edge)
        found = least_squares(terms, h.reshape(1, -1))
        model = (found.residual[0] + h.ravel()).reshape(h.shape)
        kept = np.ones((len(left_out), h.size))
        for i, taps in enumerate(left_out):
            kept[i, taps] = 0.0
        errors = project(terms, np.broadcast_to(h.ravel(), kept.shape), found.p, kept).residual
        coefficients = dict(zip(free, map(float, found.coefficients[0]), strict=True))
        sigmas, count = tuple(map(float, np.sqrt(found.p[0]))), len(free) + scales
    flat = h.ravel()
    unseen = sum(min(float((errors[i, taps] ** 2).sum()), float((flat[taps] ** 2).sum())) for i, taps in enumerate(left_out))
    rest, noise = float(((model - h) ** 2).sum()), noise_level(h, row, floor=floor)
    chi2 = rest / noise.level**2 if noise.level else (np.inf if rest > 1e-24 * energy else 0.0)
    bic = chi2 + count * np.log(h.size)
    return ComponentFit(
        row.number,
        strategy.name,
        coefficients,
        sigmas,
        count,
        model,
        rest / energy,
        unseen / energy,
        float(chi2),
        float(bic),
        noise,
    )


def model_comparison(
    keys: Iterable[int] | None = None,
    components: Iterable[str] | None = None,
    *,
    filter: ArrayLike | None = None,
    dc: DC = "published",
    edge: Edge = "crop",
    normalized: bool = False,
) -> pd.DataFrame:
    """Compare all components for all keys by one yardstick: squared l2, with the best coefficients.

    Parameters
    ----------
    keys : sequence of int, optional
        Default: 1 to 8.
    components : sequence of str, optional
        Names of :data:`COMPONENTS`; default: all.
    filter, dc, edge, normalized
        As in :func:`fit_components`; a filter is compared with each of the keys.

    Returns
    -------
    pandas.DataFrame
        One row per key and component: key, component, parameters, left, cross_validated, chi2, bic.

    Raises
    ------
    ValueError
        As :func:`fit_components`.

    Examples
    --------
    >>> table = model_comparison([1], ["paper", "blob"])
    >>> table.component[table.bic.idxmin()], list(table.parameters)
    ('blob', [3, 4])
    """
    import pandas as pd

    names = ("key", "component", "parameters", "left", "cross_validated", "chi2", "bic")
    options: dict[str, Any] = {"filter": filter, "dc": dc, "edge": edge, "normalized": normalized}
    numbers = [row.number for row in KEYS] if keys is None else keys
    fits = [
        fit_components(key, component, **options)
        for key, component in product(numbers, COMPONENTS if components is None else components)
    ]
    return pd.DataFrame([{name: getattr(found, name) for name in names} for found in fits], columns=list(names))
