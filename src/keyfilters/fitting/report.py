"""A fit in words: values, intervals, correlations, warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..filters import key_row
from ..output import as_json
from .intervals import deviations, interval
from .problem import largest_scale

if TYPE_CHECKING:
    from .result import Fit

CORRELATED = 0.9
"""Correlation of two parameters beyond which a report warns."""

MISFIT = 2.0
"""How many times more than noise the rest may be before a report warns."""


def correlation(fit: Fit, draws: int = 199, seed: int = 0) -> float | None:
    """Correlation of the two parameters of a fit over the bootstrap; None where there is one parameter or no spread.

    Examples
    --------
    >>> from keyfilters import fit
    >>> correlation(fit(8, "D2")) is None, -1 < correlation(fit(8, "D1")) < 1
    (True, True)
    """
    errors = deviations(fit, draws, seed)
    if errors.shape[1] < 2 or (np.ptp(errors, 0) == 0).any():
        return None
    return float(np.corrcoef(errors.T)[0, 1])


def warnings(fit: Fit, level: float = 0.95, *, draws: int = 199, seed: int = 0) -> list[str]:
    """What to beware of in a fit, a sentence each.

    Examples
    --------
    >>> from keyfilters import fit
    >>> warnings(fit(4, "D1"))[1]
    'sigma_y lies at its bound, 0: the objective would fall further below it'
    """
    said = []
    ends = interval(fit, level, draws=draws, seed=seed)
    if not fit.converged:
        said.append("no certified optimum: take the scales for a direction, not for numbers")
    for name in ("sigma_x", "sigma_y"):
        value, (low, high) = getattr(fit, name), ends[name]
        if value == 0:
            said.append(f"{name} lies at its bound, 0: the objective would fall further below it")
        elif value >= largest_scale(fit.size):
            said.append(f"{name} lies at the largest scale searched, {largest_scale(fit.size):g}")
        elif low == 0 or high - low > value:
            said.append(f"{name} is weakly identified: its interval is from {low:.3g} to {high:.3g}")
        if fit.parameters[0] == "sigma":
            break
    related = correlation(fit, draws, seed)
    if related is not None and abs(related) > CORRELATED:
        said.append(f"{' and '.join(fit.parameters)} are hard to tell apart: their correlation is {related:.2f}")
    if fit.noise.level == 0:
        said.append("the filter is exactly symmetric: no noise is seen, so the intervals have no width (give sigma=)")
    if fit.misfit > MISFIT:
        times = "any noise" if np.isinf(fit.misfit) else f"the noise, {fit.misfit:.1f} times,"
        said.append(
            f"the rest is larger than {times} so the model is not all of the filter, and the intervals speak of noise alone"
        )
    return said


def report(fit: Fit, level: float = 0.95, *, draws: int = 199, seed: int = 0) -> str:
    """Values with intervals, how good the fit is, correlations and warnings, as text.

    Parameters
    ----------
    fit : Fit
    level : float
    draws, seed : int
        Of the bootstrap, see :func:`keyfilters.fitting.intervals.interval`.

    Examples
    --------
    >>> from keyfilters import fit
    >>> "explains" in report(fit(8, "D1"))
    True
    """
    ends = interval(fit, level, draws=draws, seed=seed)
    row, noise = key_row(fit.key), fit.noise
    shared = f", one fit for the keys {', '.join(map(str, fit.given.keys))}" if len(fit.given.keys) > 1 else ""
    lines = [f"Key {fit.key} by {fit.method}: {row.name}, {fit.size} x {fit.size} taps{shared}"]
    width = max(map(len, fit.parameters))
    for name in fit.parameters:
        value, (low, high) = getattr(fit, "sigma_x" if name == "sigma" else name), ends["sigma_x" if name == "sigma" else name]
        lines.append(f"  {name:{width}}  {value:.5f}   {100 * level:g} % interval {low:.5f} to {high:.5f}")
    related = correlation(fit, draws, seed)
    if related is not None:
        lines.append(f"  correlation of {' and '.join(fit.parameters)}: {related:.2f}")
    lines.append(
        f"  explains {100 * fit.explained:.2f} % of the filter's energy (best amplitude); relative l2 norm of the rest {fit.relative_l2:.3f}"
    )
    if fit.given.sigma is None:
        lines.append(
            f"  noise {noise.level:.2g} per tap, estimated from the filter's mirror symmetry ({noise.degrees:g} degrees of freedom)"
        )
    else:
        lines.append("  noise as given, per tap")
    lines += [f"  warning: {text}" for text in warnings(fit, level, draws=draws, seed=seed)]
    return "\n".join(lines)


def to_dict(fit: Fit, level: float = 0.95, *, draws: int = 199, seed: int = 0) -> dict:
    """All of a fit as numbers, words and lists that JSON can hold; what is infinite or missing is None.

    Examples
    --------
    >>> import json
    >>> from keyfilters import fit
    >>> found = to_dict(fit(7, "C1"))
    >>> json.loads(json.dumps(found, allow_nan=False)) == found, len(found["model"])
    (True, 7)
    """

    names = (
        "key", "method", "sigma_x", "sigma_y", "gamma", "objective", "relative_l1", "relative_l2", "cosine", "explained",
        "misfit", "converged", "size", "edge",
    )  # fmt: skip
    found = {name: getattr(fit, name) for name in names}
    found |= {
        "dc": fit.given.dc, "keys": fit.given.keys, "level": level,
        "interval": interval(fit, level, draws=draws, seed=seed), "correlation": correlation(fit, draws, seed),
        "noise": {"level": fit.noise.level, "degrees": fit.noise.degrees},
        "certificate": {name: getattr(fit.certificate, name) for name in fit.certificate.__dataclass_fields__},
        "warnings": warnings(fit, level, draws=draws, seed=seed), "filter": fit.filter, "model": fit.model(),
    }  # fmt: skip
    return as_json(found)
