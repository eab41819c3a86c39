"""Proofs about the fits in interval arithmetic: every number is a ball of Arb that holds the true value.

Nothing of the fits is taken on trust but the point that is to be proved: kernels, models, residuals and their derivatives
are computed here anew, as balls. What is proved is about the filters as the library holds them, float64 numbers.
"""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
from flint import arb, arb_mat, ctx

from keyfilters.differences import difference
from keyfilters.filters import SHARPENING
from keyfilters.models import factor

ctx.prec = 64
PERIOD, TOP = 64, 9
"""Length of the cosine sum, and the largest variance searched: sigma = 3."""
TAPS = 7
VANISHING = 1e-11
"""A residual this small is taken to vanish at the minimum; whether it does is then proved."""
CLOSE = 1e-9
"""Half-width of the box, in variances, in which a stationary point is shown to exist and to be alone."""


class NotProved(AssertionError):
    """A step of a proof did not go through."""


def hull(low, high) -> arb:
    """The ball about an interval."""
    return arb(low).union(arb(high))


# --- kernels and factors ---------------------------------------------------------------------------------


@cache
def _waves():
    pi = arb.pi()
    k = range(PERIOD // 2 + 1)
    share = [arb(1 if i in (0, PERIOD // 2) else 2) / PERIOD for i in k]
    rows = [[share[i] * (2 * pi * (i * n % PERIOD) / PERIOD).cos() for n in range(TAPS // 2 + 2)] for i in k]
    return [(2 * pi * i / PERIOD).cos() - 1 for i in k], rows


# The sum is T(n; s) plus terms T(m; s) with m >= N - 4, and two taps more for derivatives: for s <= 9 each is at most
# (s/2)^m / m!, below 1e-40.
ALIASES = arb(0, 1e-35)


def _kernel(s: arb, order: int) -> list[arb]:
    """T(n; s), or its first or second derivative in s, for n = 0..4."""
    exponents, rows = _waves()
    weights = [(s * e).exp() * e**order for e in exponents]
    return [sum((w * row[n] for w, row in zip(weights, rows, strict=True)), ALIASES) for n in range(TAPS // 2 + 2)]


@cache
def _rows(operator: str) -> np.ndarray:
    """A factor as a linear map of T(0), ..., T(4): exact multiples of a half."""
    half = np.eye(TAPS // 2 + 2)
    taps = np.concatenate([half[:, :0:-1], half], axis=1)
    if operator == "second":
        return difference(taps[:, 1:-1], "second", edge="zero").T
    return factor(operator, taps, "crop").T


def _apply(operator: str, kernel: list[arb]) -> list[arb]:
    return [sum((float(c) * t for c, t in zip(row, kernel, strict=True) if c), arb(0)) for row in _rows(operator)]


@lru_cache(maxsize=200_000)
def factors(operator: str, low: float, high: float) -> tuple[list[arb], list[arb], list[arb]]:
    """u, u' and u'' of a one-dimensional factor for all variances of an interval.

    About its middle an interval's values are those of the middle plus slope times distance, which is tighter than
    the sum itself; the second derivative is the sum itself.
    """
    s, middle = hull(low, high), arb((low + high) / 2)
    second = _apply(operator, _kernel(s, 2))
    if low == high:
        return _apply(operator, _kernel(s, 0)), _apply(operator, _kernel(s, 1)), second
    away = s - middle
    first = [m + away * c for m, c in zip(_apply(operator, _kernel(middle, 1)), second, strict=True)]
    return [m + away * c for m, c in zip(_apply(operator, _kernel(middle, 0)), first, strict=True)], first, second


# --- residuals --------------------------------------------------------------------------------------------


class Residuals:
    """Model minus filter, tap by tap, with derivatives, over a box of parameters.

    A box is a tuple of (low, high): variances, and gamma for key 7.
    """

    def __init__(self, rows, targets, scales: int):
        self.rows, self.scales = rows, scales
        self.sharpening = rows[0].kind == SHARPENING
        self.targets = [[[arb(float(t)) for t in line] for line in target] for target in targets]
        self.dimension = 2 if self.sharpening else scales

    def domain(self, most: arb) -> list[tuple[float, float]]:
        """Where the minimum is looked for: all scales up to 3, and each gamma with which the l1 norm can be ``most``."""
        if not self.sharpening:
            return [(0.0, float(TOP))] * self.scales
        # |r| >= |gamma| |f| - |rest| in the l1 norm, and f is not small.
        rest, cuts = sum(abs(x) for x in self._rest()), 256
        least = min(
            float(sum(abs(f) for f in self._laplacian(TOP * i / cuts, TOP * (i + 1) / cuts)[0]).lower()) for i in range(cuts)
        )
        bound = 2.0 ** np.ceil(np.log2(1.01 * float(((most + rest) / least).upper())))
        return [(0.0, float(TOP)), (-bound, bound)]

    def unbounded(self, parameter: int) -> bool:
        """True for gamma, which has no ends."""
        return self.sharpening and parameter == 1

    def _rest(self) -> list[arb]:
        middle = TAPS // 2
        return [(1 if (i, j) == (middle, middle) else 0) - self.targets[0][i][j] for i in range(TAPS) for j in range(TAPS)]

    def _laplacian(self, low, high):
        t, dt, ddt = factors("identity", low, high)
        a, da, dda = factors("second", low, high)
        n = range(TAPS)
        f = [a[i] * t[j] + t[i] * a[j] for i in n for j in n]
        df = [da[i] * t[j] + a[i] * dt[j] + dt[i] * a[j] + t[i] * da[j] for i in n for j in n]
        ddf = [
            dda[i] * t[j] + 2 * da[i] * dt[j] + a[i] * ddt[j] + ddt[i] * a[j] + 2 * dt[i] * da[j] + t[i] * dda[j]
            for i in n for j in n
        ]  # fmt: skip
        return f, df, ddf

    def values(self, box, order: int = 0):
        """Residuals; with order 1 their derivatives too, with order 2 the second ones as (xx, xy, yy)."""
        if self.sharpening:
            f, df, ddf = self._laplacian(*box[0])
            gamma = hull(*box[1])
            r = [c - gamma * v for c, v in zip(self._rest(), f, strict=True)]
            first = [(-gamma * d, -v) for d, v in zip(df, f, strict=True)] if order else None
            second = [(-gamma * c, -d, arb(0)) for c, d in zip(ddf, df, strict=True)] if order > 1 else None
            return r, first, second
        r, first, second = [], [], []
        for row, target in zip(self.rows, self.targets, strict=True):
            u, du, ddu = factors(row.x, *box[0])
            v, dv, ddv = (part[::-1] for part in factors(row.y, *box[-1]))
            for i in range(TAPS):
                for j in range(TAPS):
                    r.append(v[i] * u[j] - target[i][j])
                    if order:
                        x, y = v[i] * du[j], dv[i] * u[j]
                        first.append((x, y) if self.scales == 2 else (x + y,))
                    if order > 1:
                        xx, xy, yy = v[i] * ddu[j], dv[i] * du[j], ddv[i] * u[j]
                        second.append((xx, xy, yy) if self.scales == 2 else (xx + 2 * xy + yy,))
        return r, first, second


def _weighted(weights, rows) -> list[arb]:
    """sum_i w_i row_i, for rows of a few numbers each."""
    return [sum((w * row[k] for w, row in zip(weights, rows, strict=True)), arb(0)) for k in range(len(rows[0]))]


def _definite(entries) -> bool:
    """Whether all symmetric matrices (xx, xy, yy), or numbers, of an interval are positive definite."""
    if len(entries) == 1:
        return entries[0] > 0
    xx, xy, yy = entries
    return xx > 0 and xx * yy - xy * xy > 0


# --- one minimum ------------------------------------------------------------------------------------------


class Minimum:
    """A proof that a point found in floating-point numbers is, up to ``CLOSE``, the only global minimum.

    Parameters
    ----------
    residuals : Residuals
    power : {1, 2}
        l1 norm, or squared l2 norm.
    point : sequence of float
        Variances (and gamma).
    """

    def __init__(self, residuals: Residuals, power: int, point):
        self.residuals, self.power, self.point = residuals, power, [float(p) for p in point]
        # Everything but the point is found anew: what vanishes at it, what lies at a bound, and multipliers to start from.
        self.bound = [k for k, p in enumerate(self.point) if p == 0]
        self.free = [k for k in range(residuals.dimension) if k not in self.bound]
        if any(not CLOSE < p < TOP - CLOSE for k, p in enumerate(self.point) if k in self.free and not residuals.unbounded(k)):
            raise NotProved("the point lies at the border of the domain")
        r, first, _ = residuals.values([(p, p) for p in self.point], 1)
        middle, slopes = np.array([float(x) for x in r]), np.array([[float(d) for d in row] for row in first])[:, self.free]
        self.active = [i for i, x in enumerate(middle) if power == 1 and abs(x) < VANISHING]
        signs = np.sign(middle)
        signs[self.active] = 0
        self.guess = np.linalg.lstsq(slopes[self.active].T, -signs @ slopes, rcond=None)[0].tolist() if self.active else []
        self.most = self.objective([(p, p) for p in self.point]).upper()
        self.cells = 0

    def objective(self, box) -> arb:
        r, _, _ = self.residuals.values(box)
        return sum((abs(x) if self.power == 1 else x * x for x in r), arb(0))

    def _slopes(self, weights, first, r):
        """Gradient of the weighted sum of residuals (l1), or of the sum of squares."""
        return _weighted(weights, first) if self.power == 1 else [2 * g for g in _weighted(r, first)]

    def _hessian(self, weights, r, first, second):
        if self.power == 1:
            return _weighted(weights, second)
        pairs = [(0, 0)] if self.residuals.dimension == 1 else [(0, 0), (0, 1), (1, 1)]
        gauss = [sum((row[a] * row[b] for row in first), arb(0)) for a, b in pairs]
        return [2 * (g + h) for g, h in zip(gauss, _weighted(r, second), strict=True)]

    def _freed(self, entries):
        """Of (xx, xy, yy) those of the parameters that are not at their bound."""
        return entries if len(self.free) == self.residuals.dimension else [entries[0 if self.free == [0] else -1]]

    def stationary(self) -> None:
        """Krawczyk's test: in the box about the point the conditions of a minimum have one solution."""
        n, k = len(self.free), len(self.active)
        centre = [self.point[i] for i in self.free] + self.guess
        radius = arb(0, CLOSE)
        near = [arb(c) + radius for c in centre]

        def box_of(values):
            box = [(0.0, 0.0)] * self.residuals.dimension
            for i, v in zip(self.free, values, strict=True):
                box[i] = v
            return box

        def system(box, multipliers):
            r, first, second = self.residuals.values(box, 2)
            weights = self.weights(r, multipliers)
            slopes, hessian = self._slopes(weights, first, r), self._freed(self._hessian(weights, r, first, second))
            rows = [[first[a][i] for i in self.free] for a in self.active]
            square = [[hessian[0]]] if n == 1 else [[hessian[0], hessian[1]], [hessian[1], hessian[2]]]
            matrix = [square[i] + [row[i] for row in rows] for i in range(n)] + [row + [arb(0)] * k for row in rows]
            return [slopes[i] for i in self.free] + [r[a] for a in self.active], arb_mat(matrix)

        def point_box(c):
            return (c, c)

        value, at_point = system(box_of([point_box(c) for c in centre[:n]]), [arb(g) for g in self.guess])
        wide = [(c - 2 * CLOSE, c + 2 * CLOSE) for c in centre[:n]]
        _, matrix = system(box_of(wide), near[n:])
        try:
            inverse = at_point.mid().inv().mid()
        except ZeroDivisionError as error:
            raise NotProved("the conditions are singular") from error
        unit = arb_mat([[int(i == j) for j in range(n + k)] for i in range(n + k)])
        step = inverse * arb_mat([[v] for v in value])
        spread = (unit - inverse * matrix) * arb_mat([[radius]] * (n + k))
        for i in range(n + k):
            if not abs(spread[i, 0] - step[i, 0]) < CLOSE:
                raise NotProved("Krawczyk's test does not contract")
        self.multipliers = near[n:]
        if any(not abs(m) < 1 for m in self.multipliers):
            raise NotProved("a multiplier may exceed 1")

    def weights(self, r, multipliers):
        """Signs of the residuals, and the multipliers where they vanish."""
        if self.power == 2:
            return None
        given = dict(zip(self.active, multipliers, strict=True))
        signs = []
        for i, x in enumerate(r):
            if i not in given and not (x > 0 or x < 0):
                raise NotProved(f"the residual of tap {i} may vanish")
            signs.append(given.get(i, 1 if x > 0 else -1))
        return signs

    def alone(self) -> list[tuple[float, float]]:
        """A box about the minimum in which no other point has so small an objective, as large as one is found.

        With signs and multipliers as weights w, all in [-1, 1], the l1 norm is at least sum w_i r_i, with equality at the
        minimum p, where its gradient vanishes. And a residual that vanishes there adds (1 - |w_a|) |r_a|, at least
        (1 - |w_a|) (R_a d)^2 / rho_a, R_a its gradient, rho_a its largest size in the box, d the distance from p. So where
        H + sum_a 2 (1 - |w_a|) / rho_a R_a R_a^T is positive definite, p is alone. For squares H alone has to be.
        """
        r, _, _ = self.residuals.values(
            [(p - CLOSE, p + CLOSE) if k in self.free else (p, p) for k, p in enumerate(self.point)]
        )
        fixed = self.weights(r, self.multipliers)
        for halving in range(34):
            reach = 0.5**halving
            lower = [-np.inf if self.residuals.unbounded(k) else 0.0 for k in range(self.residuals.dimension)]
            box = [(max(p - reach, low), p + reach) for p, low in zip(self.point, lower, strict=True)]
            if self._alone_in(box, fixed):
                return box
        raise NotProved("no box in which the minimum is alone")

    def _alone_in(self, box, fixed) -> bool:
        r, first, second = self.residuals.values(box, 2)
        for k in self.bound:
            # The objective rises from the bound, whatever the signs.
            if self.power == 1:
                signs = [1 if x > 0 else -1 if x < 0 else arb(0, 1) for x in r]
                rises = _weighted(signs, first)[k]
            else:
                rises = self._slopes(None, first, r)[k]
            if not rises > 0:
                return False
        entries = self._freed(self._hessian(fixed, r, first, second))
        if _definite(entries):
            return True
        pairs = [(0, 0)] if len(self.free) == 1 else [(0, 0), (0, 1), (1, 1)]
        for a, m in zip(self.active, self.multipliers, strict=True):
            row = [first[a][k] for k in self.free]
            size = abs(r[a]).upper()
            # More of it would do no good: its own width would then decide.
            weight = min(0.99 * float((2 * (1 - abs(m)) / size).lower()), 1e3)
            entries = [e + weight * row[i] * row[j] for e, (i, j) in zip(entries, pairs, strict=True)]
        return bool(self.active) and _definite(entries)

    # --- the rest of the domain --------------------------------------------------------------------------

    def elsewhere(self, box, most_cells: int = 400_000) -> None:
        """Branch and bound: no cell outside the box holds the minimum."""
        # The l1 norm is at most 7 times the l2 norm, of 49 taps.
        queue = [tuple(self.residuals.domain(self.most if self.power == 1 else TAPS * self.most.sqrt()))]
        while queue:
            cell = queue.pop()
            if all(b[0] <= c[0] and c[1] <= b[1] for b, c in zip(box, cell, strict=True)):
                continue
            self.cells += 1
            if self.cells > most_cells:
                raise NotProved(f"{most_cells} cells do not exclude the rest, of which {cell} is a part")
            longest = self._excluded(cell)
            if longest is None:
                continue
            low, high = cell[longest]
            middle = (low + high) / 2
            if not low < middle < high:
                raise NotProved(f"the cell {cell} cannot be excluded")
            for half in ((low, middle), (middle, high)):
                queue.append((*cell[:longest], half, *cell[longest + 1 :]))

    def _excluded(self, cell) -> int | None:
        """None where the cell cannot hold the minimum; else the parameter along which to cut it."""
        r, first, _ = self.residuals.values(cell, 1)
        natural = sum((x.abs_lower() if self.power == 1 else x.abs_lower() ** 2 for x in r), arb(0))
        if natural > self.most:
            return None
        dimension = self.residuals.dimension
        half = [(high - low) / 2 for low, high in cell]
        if self.power == 1:
            signs = [1 if x > 0 else -1 if x < 0 else arb(0, 1) for x in r]
            slopes = _weighted(signs, first)
        else:
            slopes = self._slopes(None, first, r)
        for k in range(dimension):
            # Where it falls towards a side all over the cell it falls beyond it, unless that is the end of the domain.
            endless = self.residuals.unbounded(k)
            if slopes[k] < 0 and (endless or cell[k][1] < TOP) or slopes[k] > 0 and (endless or cell[k][0] > 0):
                return None
        middle = [((low + high) / 2,) * 2 for low, high in cell]
        at_middle, _, _ = self.residuals.values(middle)
        if self.power == 1:
            weights = self._best_weights(r, first)
            value = sum((w * x for w, x in zip(weights, at_middle, strict=True)), arb(0))
            slopes = _weighted(weights, first)
        else:
            value = sum((x * x for x in at_middle), arb(0))
        loss = [abs(g) * h for g, h in zip(slopes, half, strict=True)]
        if value - sum(loss, arb(0)) > self.most:
            return None
        return max(range(dimension), key=lambda k: half[k] * float(sum(abs(f[k]) for f in first).mid()))

    @staticmethod
    def _best_weights(r, first):
        """Weights in [-1, 1]: signs where they are sure, elsewhere such that the slopes nearly cancel."""
        sure = [1.0 if x > 0 else -1.0 if x < 0 else 0.0 for x in r]
        open_ = [i for i, s in enumerate(sure) if not s]
        if open_:
            jacobian = np.array([[float(d.mid()) for d in row] for row in first])
            rest = np.array(sure) @ jacobian
            chosen = np.linalg.lstsq(jacobian[open_].T, -rest, rcond=None)[0]
            for i, w in zip(open_, np.clip(chosen, -1, 1), strict=True):
                sure[i] = float(w)
        return sure

    def prove(self) -> None:
        """All of it; raises NotProved with the step that does not go through."""
        self.stationary()
        self.elsewhere(self.alone())


# --- the roots of method B ------------------------------------------------------------------------------------


def _spread(operator: str, low: float, high: float) -> tuple[arb, arb]:
    """Weighted variance of a factor along its axis, and its derivative in s, over an interval of variances."""
    u, du, _ = factors(operator, low, high)
    weight = [abs(t) for t in factors(operator, 1.0, 1.0)[0]]
    size = [w * abs(t) for w, t in zip(weight, u, strict=True)]
    grows = [w * (d if t > 0 else -d if t < 0 else hull(-1, 1) * d) for w, t, d in zip(weight, u, du, strict=True)]
    x = range(-(TAPS // 2), TAPS // 2 + 1)
    (total, one, two), (d_total, d_one, d_two) = (
        [sum((a * n**power for a, n in zip(rows, x, strict=True)), arb(0)) for power in range(3)] for rows in (size, grows)
    )
    mean, d_mean = one / total, (d_one - one / total * d_total) / total
    return two / total - mean * mean, (d_two - two / total * d_total) / total - 2 * mean * d_mean


def prove_root(operator: str, variance: float, s: float) -> int:
    """Prove that the smallest variance s at which a factor has a given weighted variance is, up to ``CLOSE``, this one.

    Returns the number of cells; raises NotProved with the step that does not go through.
    """
    low, high, wanted = max(s - CLOSE, 0.0), s + CLOSE, arb(float(variance))
    before, after = (_spread(operator, end, end)[0] - wanted for end in (low, high))
    if not (before < 0 < after or after < 0 < before):
        raise NotProved("no change of sign")
    slope = _spread(operator, low, high)[1]
    if not (slope > 0 or slope < 0):
        raise NotProved("more than one root may lie close by")
    queue, cells = [(0.0, low)], 0
    while queue:
        first, last = queue.pop()
        cells += 1
        left = _spread(operator, first, last)[0] - wanted
        if left > 0 or left < 0:
            continue
        middle = (first + last) / 2
        if not first < middle < last or cells > 100_000:
            raise NotProved(f"a smaller root may lie in {first} to {last}")
        queue += [(first, middle), (middle, last)]
    return cells
