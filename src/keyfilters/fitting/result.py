"""What a fit returns: the scales, how good they are, what certifies them, and how much of a filter is noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..checks import finite, square_filter
from ..choices import DC, Edge, Way
from ..filters import Key, key_row
from ..models import ideal_filter

if TYPE_CHECKING:
    import matplotlib.figure

    from .intervals import Profile


PRINTED = 10.0**-6 / np.sqrt(12)
"""Standard deviation of what rounding to the six printed decimals of the learned filters leaves out."""


@dataclass(frozen=True)
class Noise:
    """Standard deviation of the noise in each tap of a filter.

    Attributes
    ----------
    level : float
        In units of the filter.
    degrees : float
        Degrees of freedom of the estimate; infinite where the level is given, not estimated.
    """

    level: float
    degrees: float


def noise_level(filter: ArrayLike, key: int | Key, *, floor: float = 0.0) -> Noise:
    r"""Estimate the noise of a filter from its deviation from the mirror symmetry of a key.

    Along an axis in which a key does not differentiate its filter is even. With the mean
    :math:`\bar h` of a filter and its mirror images in these axes, and :math:`\nu` the number of dimensions of what
    is not symmetric (21 of 49 for keys 1 to 6, which have one such axis, 33 for keys 7 and 8, which have two),

    .. math:: \tau^2 = \frac{1}{\nu} \sum_u \bigl( h(u) - \bar h(u) \bigr)^2 .

    White noise of the standard deviation :math:`\tau` would leave as much. What is symmetric in the noise is not
    seen, and what the network really wants off its axes counts as noise: the level is an estimate, not a truth.

    Parameters
    ----------
    filter : array_like, shape (n, n), n odd
    key : int
        1 to 8.
    floor : float
        Smallest level: what is known of the precision of the numbers, such as ``fitting.result.PRINTED`` for
        filters that were printed with six decimals.

    Returns
    -------
    Noise

    Raises
    ------
    ValueError
        For an unknown key, a filter that is not a finite odd-sized square array or is all zero, and a floor that is
        negative or not finite.

    Examples
    --------
    >>> from keyfilters import ideal_filter, learned_filters
    >>> noise_level(ideal_filter(1, 0.5), 1), noise_level(learned_filters()[0], 1).degrees
    (Noise(level=0.0, degrees=21), 21)
    """
    row, h = key_row(key), square_filter(filter)
    least = finite(floor, "floor")
    if least.shape != () or least < 0:
        raise ValueError(f"floor is {least.tolist()}: expected a number of at least 0")
    symmetric, n = h, len(h)
    plain = [axis for axis in (0, 1) if axis != row.derivative_axis]
    for axis in plain:
        # x runs along the columns, the last axis of the array.
        symmetric = (symmetric + np.flip(symmetric, -1 - axis)) / 2
    degrees = n * n - n ** (2 - len(plain)) * (n // 2 + 1) ** len(plain)
    level = float(np.sqrt(((h - symmetric) ** 2).sum() / degrees))
    return Noise(max(level, float(least)), degrees)


@dataclass(frozen=True)
class Certificate:
    """What certifies an optimum: numerically, by values and slopes at grid points, and not by a proof.

    Attributes
    ----------
    kind : str
        ``"closed form"``, ``"root"``, ``"smooth"`` (zero gradient), ``"kink"`` (zero residuals with
        multipliers in [-1, 1]), ``"bound"`` (a scale at 0), ``"exact"`` (nothing left of the
        residual), ``"grid"`` (published search, uncertified) or ``"none"``.
    active : tuple of (int, int)
        Grid points (x, y) at which the residual is zero at a kink.
    multipliers : tuple of float
        Their multipliers.
    stationarity, slope_at_bound, curvature : float
        See :class:`keyfilters.fitting.search.LocalMinimum`. For ``"root"``, ``stationarity`` is the
        largest remaining difference of the variances.
    runner_up : float
        Objective of the next local minimum met.
    cells, open_cells, starts : int
        Cells of the start grid, those that the slope bound does not exclude, and descents made.
    """

    kind: str
    active: tuple = ()
    multipliers: tuple = ()
    stationarity: float = 0.0
    slope_at_bound: float = np.inf
    curvature: float = np.inf
    runner_up: float = np.inf
    cells: int = 0
    open_cells: int = 0
    starts: int = 0


@dataclass(frozen=True, eq=False)
class Given:
    """What was fitted.

    Attributes
    ----------
    keys : tuple of int
        The keys that share the scales: one, or the group of a joint fit.
    targets : tuple of ndarray, shape (n, n)
        Their normalised filters.
    edge : str
        Border of the models.
    dc : str or None
        DC compensation of the normalisation; None where the filter was handed in normalised.
    units : tuple of (float, float)
        For each filter the constant and the response of its normalisation, see
        :func:`keyfilters.normalization.constant_and_response`.
    sigma : ndarray, shape (n, n), or None
        Standard deviation of each tap of the normalised filter, where it was given.
    printed : bool
        Whether the filters are the learned ones, which are known to six decimals.
    samples : dict
        Bootstrap samples that were drawn already.
    """

    keys: tuple[int, ...]
    targets: tuple[np.ndarray, ...]
    edge: Edge
    dc: DC | None
    units: tuple[tuple[float, float], ...]
    sigma: np.ndarray | None = None
    printed: bool = False
    samples: dict = field(default_factory=dict, repr=False)

    @property
    def weight(self) -> np.ndarray | None:
        """Factor of the residual of each tap, None where all count alike."""
        return None if self.sigma is None else 1 / self.sigma

    def noise(self, index: int) -> Noise:
        """Noise of one of the normalised filters: given (then one where it differs by tap), or estimated."""
        if self.sigma is not None:
            return Noise(1.0, np.inf)
        floor = PRINTED / abs(self.units[index][1]) if self.printed else 0.0
        return noise_level(self.targets[index], self.keys[index], floor=floor)


@dataclass(frozen=True)
class Fit:
    """Scales of an idealised filter fitted to a filter, and how good it is.

    Attributes
    ----------
    key : int
    method : str
    sigma_x, sigma_y : float
        Grid units.
    gamma : float or None
        Amount of sharpening, key 7 only.
    objective : float
        l1 norm (C) or squared l2 norm (D) of model minus normalised filter, pooled over the group for
        joint fits; NaN where the method minimises nothing (A and B, but for key 7). With weights per tap
        each difference is divided by the standard deviation of its tap.
    relative_l1, relative_l2 : float
        Norm of the difference over the norm of the normalised filter.
    cosine : float
        Cosine between model and normalised filter.
    converged : bool
        True where the optimum is certified. It says nothing about how well the model fits: white noise has an
        optimum too. ``explained`` says that, and ``report()`` warns. False where the objective still falls at
        the largest scale searched (3 grid units, or half the size if that is more), where it is flat, and where
        method B has no root. With ``search="grid"`` it speaks of the optimum around which the grid was laid.
    certificate : Certificate
    """

    key: int
    method: str
    sigma_x: float
    sigma_y: float
    gamma: float | None
    objective: float
    relative_l1: float
    relative_l2: float
    cosine: float
    converged: bool
    certificate: Certificate
    given: Given = field(compare=False, repr=False)

    @property
    def filter(self) -> np.ndarray:
        """The normalised filter that was fitted."""
        return self.given.targets[self.given.keys.index(self.key)]

    @property
    def size(self) -> int:
        """Taps of the filter per axis."""
        return len(self.filter)

    @property
    def edge(self) -> Edge:
        """Border of the model: ``"crop"`` or ``"exact"``."""
        return self.given.edge

    @property
    def explained(self) -> float:
        """Share of the filter's energy that the model explains with the best amplitude: the cosine squared, 0 if negative."""
        return max(self.cosine, 0.0) ** 2

    @property
    def noise(self) -> Noise:
        """Noise per tap of the normalised filter, see :func:`keyfilters.fitting.result.noise_level`.

        Where ``sigma`` was given the level is 1: in units of it.
        """
        return self.given.noise(self.given.keys.index(self.key))

    @property
    def misfit(self) -> float:
        """How many times larger the rest of the model is than the noise would leave: about 1 for a right model.

        The root of the sum of squares of the residual over the noise variance, per degree of freedom; infinite where
        there is a rest and no noise.
        """
        residual = self.model() - self.filter
        if self.given.sigma is not None:
            residual = residual / self.given.sigma
        rest = float((residual**2).sum()) / max(residual.size - len(self.parameters), 1)
        level = self.noise.level
        return float(np.sqrt(rest) / level) if level else (np.inf if rest > 1e-24 else 0.0)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters that were free: sigma_x and sigma_y, sigma for one scale, sigma and gamma for key 7."""
        if self.gamma is not None:
            return ("sigma", "gamma")
        return ("sigma",) if self.method.endswith(("2", "-joint")) else ("sigma_x", "sigma_y")

    def model(self, size: int | None = None, edge: Edge | None = None, *, raw: bool = False) -> np.ndarray:
        """The fitted idealised filter, of the size and with the border of the fit.

        Parameters
        ----------
        size : int, optional
            Another odd number of taps per axis.
        edge : {"crop", "exact"}, optional
            Another border.
        raw : bool
            In units of the filter that was handed in: times its response, plus its constant. Without, the model
            of the *normalised* filter.

        Examples
        --------
        >>> from keyfilters import fit, learned_filters
        >>> found = fit(8, "D1")
        >>> h = learned_filters()[7]
        >>> bool(abs(found.model(raw=True) - h).max() < 0.05 < abs(found.model() - h).max())
        True
        """
        size, edge = self.size if size is None else size, self.edge if edge is None else edge
        model = ideal_filter(self.key, self.sigma_x, self.sigma_y, gamma=self.gamma, size=size, edge=edge)
        if not raw:
            return model
        constant, response = self.given.units[self.given.keys.index(self.key)]
        return constant + response * model

    def interval(self, level: float = 0.95, *, how: Way = "bootstrap", draws: int = 199, seed: int = 0) -> dict:
        """Intervals of the parameters under the noise of the filter; see :func:`keyfilters.fitting.intervals.interval`.

        Examples
        --------
        >>> from keyfilters import fit
        >>> found = fit(8, "D1")
        >>> low, high = found.interval()["sigma_x"]
        >>> low < found.sigma_x < high
        True
        """
        from .intervals import interval

        return interval(self, level, how=how, draws=draws, seed=seed)

    def profile(self, parameter: str, samples: int = 81) -> Profile:
        """Least objective over the other parameters; see :func:`keyfilters.fitting.intervals.profile`.

        Examples
        --------
        >>> from keyfilters import fit
        >>> found = fit(8, "D1").profile("sigma_x")
        >>> bool(found.low < found.best < found.high)
        True
        """
        from .intervals import profile

        return profile(self, parameter, samples)

    def report(self, level: float = 0.95, *, draws: int = 199, seed: int = 0) -> str:
        """Values, intervals, correlations and warnings as text; see :func:`keyfilters.fitting.intervals.report`.

        Examples
        --------
        >>> from keyfilters import fit
        >>> print(fit(4, "D1").report().splitlines()[0])
        Key 4 by D1: forward difference along x, 7 x 7 taps
        """
        from .intervals import report

        return report(self, level, draws=draws, seed=seed)

    def to_dict(self, level: float = 0.95, *, draws: int = 199, seed: int = 0) -> dict:
        """All of the fit as numbers, words and lists that JSON can hold; see :func:`keyfilters.fitting.intervals.to_dict`.

        Examples
        --------
        >>> from keyfilters import fit
        >>> sorted(fit(8, "D2").to_dict()["interval"])
        ['sigma_x', 'sigma_y']
        """
        from .intervals import to_dict

        return to_dict(self, level, draws=draws, seed=seed)

    def plot(self) -> matplotlib.figure.Figure:
        """Filter, model, rest and, where the method has one, the profile of each parameter."""
        from ..figures.fits import fit_figure

        return fit_figure(self)


def finish(
    row: Key,
    method: str,
    sigmas: tuple[float, float, float | None],
    given: Given,
    objective: float,
    converged: bool,
    certificate: Certificate,
) -> Fit:
    """Build the Fit of a key from (sigma_x, sigma_y, gamma), measuring it against what was given."""
    target = given.targets[given.keys.index(row.number)]
    sigma_x, sigma_y, gamma = sigmas
    model = ideal_filter(row, sigma_x, sigma_y, gamma=gamma, size=len(target), edge=given.edge)
    residual = model - target
    norm = np.sqrt((target**2).sum())
    length = np.sqrt((model**2).sum())
    return Fit(
        row.number, method, sigma_x, sigma_y, gamma, objective,
        relative_l1=float(np.abs(residual).sum() / np.abs(target).sum()),
        relative_l2=float(np.sqrt((residual**2).sum()) / norm),
        cosine=float((model * target).sum() / (norm * length)) if length else 0.0,
        converged=converged, certificate=certificate, given=given,
    )  # fmt: skip
