"""What a difference in a published parameter costs: the objective there beside the optimum's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keyfilters.fitting import fit, fit_joint
from keyfilters.models import ideal_filter
from keyfilters.normalization import normalized_filters
from keyfilters.published.verdicts import published

if TYPE_CHECKING:
    import pandas as pd

EXCESS_COLUMNS = ("method", "key", "objective", "excess", "moved", "residual")


def _parameters() -> dict[tuple[str, str], dict[str, float]]:
    """Published parameters of the fits that minimise a norm, by (method, key or group)."""
    table = published()
    table = table[table.quantity.isin(("sigma", "gamma")) & table.method.str[0].isin(("C", "D"))]
    found: dict[tuple[str, str], dict[str, float]] = {}
    for row in table.itertuples():
        name = "gamma" if row.quantity == "gamma" else row.component
        found.setdefault((row.method, row.key), {})[name] = row.value
    return found


def objective_excess() -> pd.DataFrame:
    r"""Return how much larger the published parameters leave the objective than the optimum does.

    With F the objective (the l1 norm for C, the l2 norm for D, root of the pooled squares for a group),
    :math:`p` the published parameters, :math:`\hat p` the optimum and :math:`f` the models:

    Returns
    -------
    pandas.DataFrame
        One row per published fit of methods C and D, joint ones included; columns

        - method, key (a number, or the numbers of a group);
        - objective: :math:`F(\hat p)`; excess: :math:`F(p) / F(\hat p) - 1`;
        - moved: :math:`\|f(p) - f(\hat p)\| / \|\tilde h\|`, residual: :math:`\|f(\hat p) - \tilde h\| / \|\tilde h\|`,
          both in the fit's own norm, with :math:`\tilde h` the normalised filters.

    Examples
    --------
    >>> table = objective_excess()
    >>> len(table), bool((table.excess > -1e-12).all()), bool((table.moved < table.residual).all())
    (34, True, True)
    """
    import pandas as pd

    targets, rows = normalized_filters(), []
    for (method, label), value in _parameters().items():
        keys = tuple(int(k) for k in label.split())
        power = 1 if method[0] == "C" else 2
        if method.endswith("-joint"):
            best = fit_joint(method)[keys[0]]
        else:
            best = fit(keys[0], {"C": "C2", "D": "D2"}.get(method, method))
        sigma_x = value.get("x", value.get("both"))
        sigma_y = value.get("y", value.get("both"))
        h = targets[[k - 1 for k in keys]]
        theirs = np.stack([ideal_filter(k, sigma_x, sigma_y, gamma=value.get("gamma")) for k in keys])
        ours = np.stack([ideal_filter(k, best.sigma_x, best.sigma_y, gamma=best.gamma) for k in keys])

        def norm(a, power=power):
            return float((np.abs(a) ** power).sum() ** (1 / power))

        objective = norm(ours - h)
        rows.append((
            method, label, objective, norm(theirs - h) / objective - 1, norm(theirs - ours) / norm(h), objective / norm(h),
        ))  # fmt: skip
    return pd.DataFrame(rows, columns=list(EXCESS_COLUMNS))
