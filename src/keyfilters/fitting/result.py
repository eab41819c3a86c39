"""What a fit returns: the scales, how good they are, and what certifies them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..models import ideal_filter


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
        See :class:`keyfilters.fitting.l1.LocalMinimum`. For ``"root"``, ``stationarity`` is the
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
        joint fits; NaN where the method minimises nothing (A and B, but for key 7).
    relative_l1, relative_l2 : float
        Norm of the difference over the norm of the normalised filter.
    cosine : float
        Cosine between model and normalised filter.
    converged : bool
        True where the certificate holds. False where the objective still falls at the largest scale
        searched (3 grid units, or half the size if that is more), where it is flat, and where method B
        has no root. With ``search="grid"`` it speaks of the optimum around which the grid was laid.
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

    def model(self, size: int = 7, edge: str = "crop") -> np.ndarray:
        """The fitted idealised filter."""
        return ideal_filter(self.key, self.sigma_x, self.sigma_y, gamma=self.gamma, size=size, edge=edge)


def finish(row, method, sigmas, target, edge, objective, converged, certificate) -> Fit:
    """Build the Fit of a catalogue row from (sigma_x, sigma_y, gamma), measuring it against the target."""
    sigma_x, sigma_y, gamma = sigmas
    model = ideal_filter(row, sigma_x, sigma_y, gamma=gamma, size=len(target), edge=edge)
    residual = model - target
    norm = np.sqrt((target**2).sum())
    length = np.sqrt((model**2).sum())
    return Fit(
        row.number, method, sigma_x, sigma_y, gamma, objective,
        relative_l1=float(np.abs(residual).sum() / np.abs(target).sum()),
        relative_l2=float(np.sqrt((residual**2).sum()) / norm),
        cosine=float((model * target).sum() / (norm * length)) if length else 0.0,
        converged=converged, certificate=certificate,
    )  # fmt: skip
