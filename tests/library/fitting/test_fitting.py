"""The fits: recovery of known parameters, certified optima, oracles by brute force."""

import numpy as np
import pytest
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused
from scipy.optimize import minimize

from keyfilters import (
    JOINT_METHODS,
    METHODS,
    fit,
    fit_joint,
    fit_table,
    ideal_filter,
    learned_filters,
    normalized_filters,
    objective_map,
)  # fmt: skip
from keyfilters.filters import GROUPS, KEYS
from keyfilters.fitting.problem import SharpeningProblem, make_problem
from keyfilters.fitting.search import linear_step, minimize_globally
from keyfilters.fitting.variance import closed_form, factor_variance

KEYS_AND_METHODS = [(k, m) for k in range(1, 9) for m in METHODS]
SCALE = st.floats(0.2, 1.6)


def model(key, sx, sy=None, gamma=0.5, **options):
    return ideal_filter(key, sx, sy, gamma=gamma if key == 7 else None, **options)


# --- recovery -----------------------------------------------------------------------------------


@pytest.mark.parametrize("edge", ["crop", "exact"])
@pytest.mark.parametrize(("key", "method"), [(k, m) for k, m in KEYS_AND_METHODS if m != "A" or k == 7])
@settings(max_examples=12, deadline=None)
@given(sx=SCALE, sy=SCALE, gamma=st.floats(0.1, 1.5))
def test_noise_free_parameters_are_recovered(key, method, edge, sx, sy, gamma):
    if METHODS[method].scales == 1 or key == 7:
        sy = sx
    truth = model(key, sx, sy, gamma, edge=edge)
    found = fit(key, method, filter=truth, normalized=True, edge=edge)
    assert found.converged
    assert found.sigma_x == pytest.approx(sx, abs=1e-6)
    assert found.sigma_y == pytest.approx(sy, abs=1e-6)
    if key == 7:
        assert found.gamma == pytest.approx(gamma, abs=1e-6)
    assert found.relative_l1 < 1e-6
    assert found.cosine == pytest.approx(1)


# A fit in so large a window takes a second: each key and each method once, the other pairs are among the long tests.
@pytest.mark.parametrize(
    ("key", "method"),
    [
        pytest.param(key, method, marks=() if (key + number) % 5 == 0 else pytest.mark.slow)
        for key in range(1, 7)
        for number, method in enumerate(name for name in METHODS if name != "A")
    ],
)
@settings(max_examples=6, deadline=None)
@given(sigma=st.floats(0.2, 0.9), amplitude=st.floats(0.1, 10), negative=st.booleans())
def test_recovery_through_normalisation(key, method, sigma, amplitude, negative):
    # In a window that holds the whole kernel, normalisation undoes any amplitude.
    raw = (-amplitude if negative else amplitude) * model(key, sigma, size=21, edge="exact")
    found = fit(key, method, filter=raw, edge="exact")
    assert found.sigma_x == pytest.approx(sigma, abs=1e-6)
    assert found.sigma_y == pytest.approx(sigma, abs=1e-6)


@settings(max_examples=10, deadline=None)
@given(sigma=st.floats(0.3, 0.6), amplitude=st.floats(0.1, 10), offset=st.floats(-1, 1))
def test_recovery_through_dc_compensation(sigma, amplitude, offset):
    raw = amplitude * (model(8, sigma, size=21, edge="exact") + offset)
    found = fit(8, "D2", filter=raw, edge="exact")
    assert found.sigma_x == pytest.approx(sigma, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(SCALE, SCALE)
def test_method_a_is_its_closed_form_on_continuous_gaussians(sx, sy):
    # Finely sampled Gaussian derivatives weighted by one of the same scale have half the variance.
    step, half = 0.05, 200
    u = np.arange(-half, half + 1) * step

    def gauss(s):
        return np.exp(-(u**2) / (2 * s**2))

    plain = gauss(sy) ** 2
    assert np.sqrt(2 * (plain * u**2).sum() / plain.sum()) == pytest.approx(sy, rel=1e-6)
    derivative = (u * gauss(sx)) ** 2
    assert np.sqrt(2 / 3 * (derivative * u**2).sum() / derivative.sum()) == pytest.approx(sx, rel=1e-6)


def test_method_a_divides_the_derivative_axis_only():
    h = normalized_filters()[4]
    a = closed_form(h, KEYS[4], "crop")
    assert (a > 0).all()
    found = fit(5, "A")
    assert (found.sigma_x, found.sigma_y) == tuple(a)
    assert found.certificate.kind == "closed form"


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["identity", "forward", "backward", "central"]), st.floats(0, 2.5))
def test_weighted_variance_of_a_factor_is_that_of_the_filter(operator, sigma):
    from keyfilters import spread

    row = next(r for r in KEYS if r.x == operator)
    template = model(row.number, 1.0)
    h = model(row.number, sigma, 0.7)
    assert factor_variance(operator, sigma, 7, "crop") == pytest.approx(spread(h, template).covariance[0, 0], abs=1e-12)


# --- optimality ---------------------------------------------------------------------------------


def all_problems():
    targets = normalized_filters()
    for row, target in zip(KEYS, targets, strict=True):
        for scales in (1, 2) if row.number != 7 else (2,):
            for power in (1, 2):
                yield pytest.param((row,), (target,), scales, power, id=f"key {row.number}, {scales} scales, l{power}")
    for name in ("non-centred", "centred"):
        keys = GROUPS[name]
        for power in (1, 2):
            yield pytest.param(
                tuple(KEYS[k - 1] for k in keys), tuple(targets[k - 1] for k in keys), 1, power, id=f"{name}, l{power}"
            )


@pytest.mark.parametrize(("rows", "targets", "scales", "power"), list(all_problems()))
def test_optimum_is_certified_and_no_start_finds_a_better_one(rows, targets, scales, power):
    problem = make_problem(rows, targets, scales, "crop")
    found = minimize_globally(problem, power)
    assert found.best.converged
    assert found.open_cells < found.cells / 4
    assert (np.abs(found.best.multipliers) <= 1 + 1e-9).all()

    def objective(p):
        return float((np.abs(problem.evaluate(np.maximum(p, problem.lower))[0]) ** power).sum())

    assert objective(found.best.p) == pytest.approx(found.best.value, rel=1e-12)
    rng = np.random.default_rng(0)
    for _ in range(8):
        start = np.append(rng.uniform(0, 4), rng.uniform(0, 2))[: len(found.best.p)]
        # A derivative-free method that knows nothing of kinks, as an independent witness.
        other = minimize(objective, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14, "maxiter": 4000})
        assert other.fun >= found.best.value * (1 - 1e-9)


@pytest.mark.parametrize(("rows", "targets", "scales", "power"), list(all_problems()))
def test_derivatives_are_exact(rows, targets, scales, power):
    problem = make_problem(rows, targets, scales, "crop")
    p = np.array([0.4, 0.7])[: len(problem.lower)]
    r, jacobian, second = problem.evaluate(p)
    for i in range(len(p)):
        h = np.zeros_like(p)
        h[i] = 1e-5
        plus, minus = problem.evaluate(p + h), problem.evaluate(p - h)
        np.testing.assert_allclose((plus[0] - minus[0]) / 2e-5, jacobian[:, i], atol=1e-8)
        np.testing.assert_allclose((plus[1] - minus[1]) / 2e-5, second[:, :, i], atol=1e-8)


@pytest.mark.parametrize(("rows", "targets", "scales", "power"), list(all_problems()))
def test_slope_bound_holds_on_the_grid(rows, targets, scales, power):
    # The exclusion of cells rests on this bound: neighbouring values may differ by no more than it allows.
    problem = make_problem(rows, targets, scales, "crop")
    axes = problem.axes()
    norm, slope = problem.norm_grid(axes, power)
    step = axes[0][1] - axes[0][0]
    for axis in range(norm.ndim):
        jump = np.abs(np.diff(norm, axis=axis))
        ends = np.maximum(np.take(slope, range(1, norm.shape[axis]), axis), np.take(slope, range(norm.shape[axis] - 1), axis))
        assert (jump <= ends * step * 1.05 + 1e-12).all()


@pytest.mark.parametrize("key", range(1, 9))
def test_gamma_is_the_best_at_its_scale(key):
    target = normalized_filters()[6]
    problem = SharpeningProblem(target, "crop")
    s = np.array([(0.1 * key) ** 2])
    for power in (1, 2):
        best = float(problem.best_gamma(s, power)[0])

        def value(gamma, power=power):
            return (np.abs(problem.evaluate(np.array([s[0], gamma]))[0]) ** power).sum()

        grid = np.linspace(best - 0.5, best + 0.5, 1001)
        assert value(best) <= min(value(g) for g in grid) + 1e-12


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 2), st.integers(2, 12))
def test_linear_step_is_optimal(seed, dimension, count):
    rng = np.random.default_rng(seed)
    r, jacobian = rng.normal(size=count), rng.normal(size=(count, dimension))
    low, high = -rng.uniform(0.1, 2, dimension), rng.uniform(0.1, 2, dimension)
    step, value, active = linear_step(r, jacobian, low, high)
    assert (step >= low).all() and (step <= high).all()
    assert np.abs(r + jacobian @ step).sum() == pytest.approx(value)
    assert np.abs((r + jacobian @ step)[list(active)]).max(initial=0) < 1e-9
    samples = rng.uniform(low, high, size=(2000, dimension))
    assert (np.abs(r[:, None] + jacobian @ samples.T).sum(0) >= value - 1e-9).all()


def test_boundary_optimum_of_d1_key_4():
    found = fit(4, "D1")
    assert found.sigma_y == 0.0
    assert found.converged and found.certificate.kind == "bound"
    assert found.certificate.slope_at_bound > 0
    assert fit(4, "D1", search="grid").objective >= found.objective


def test_kinks_are_zero_residuals_and_the_near_tie_of_key_8_is_seen():
    for key in (1, 2, 4, 5, 6, 7, 8):
        found = fit(key, "C1")
        residual = found.model() - normalized_filters()[key - 1]
        assert found.certificate.kind == "kink"
        for x, y in found.certificate.active:
            assert abs(residual[3 - y, 3 + x]) < 1e-12
    near = fit(8, "C1")
    assert near.objective < near.certificate.runner_up < near.objective * 1.01


@pytest.mark.parametrize("key", [k for k in range(1, 9) if k != 7])
@pytest.mark.parametrize("letter", "CD")
def test_two_scales_are_at_least_as_good_as_one(key, letter):
    assert fit(key, letter + "1").objective <= fit(key, letter + "2").objective * (1 + 1e-12)


@pytest.mark.parametrize(("key", "method"), KEYS_AND_METHODS)
def test_published_search_is_never_better(key, method):
    exact, grid = fit(key, method), fit(key, method, search="grid")
    assert grid.certificate.kind == "grid" or method == "A"
    assert grid.sigma_x == pytest.approx(exact.sigma_x, abs=2e-3)
    if METHODS[method].power:
        assert grid.objective >= exact.objective * (1 - 1e-12)


# --- interface ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [3, 5, 9, 11])
@pytest.mark.parametrize("method", METHODS)
def test_other_odd_sizes(size, method):
    h = ideal_filter(2, 0.6, 0.4, size=size)
    found = fit(2, method, filter=3 * h)
    assert np.isfinite([found.sigma_x, found.sigma_y]).all()
    assert found.model(size).shape == (size, size)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.sampled_from(list(METHODS)), st.sampled_from([3, 5, 7]))
def test_any_filter_gives_finite_scales(seed, key, method, size):
    h = np.random.default_rng(seed).normal(size=(size, size))
    found = fit(key, method, filter=h)
    assert np.isfinite([found.sigma_x, found.sigma_y, found.relative_l1, found.relative_l2, found.cosine]).all()
    assert found.sigma_x >= 0 and found.sigma_y >= 0
    assert -1 - 1e-12 <= found.cosine <= 1 + 1e-12


@pytest.mark.parametrize("key", range(1, 9))
def test_the_learned_filter_is_the_default(key):
    assert fit(key, "C1") == fit(key, "C1", filter=learned_filters()[key - 1])


def test_fit_measures_are_what_they_say():
    found = fit(3, "D1")
    h, m = normalized_filters()[2], found.model()
    assert found.objective == pytest.approx(((m - h) ** 2).sum())
    assert found.relative_l1 == pytest.approx(np.abs(m - h).sum() / np.abs(h).sum())
    assert found.relative_l2 == pytest.approx(np.linalg.norm(m - h) / np.linalg.norm(h))
    assert found.cosine == pytest.approx((m * h).sum() / np.linalg.norm(m) / np.linalg.norm(h))


def test_key_7_takes_the_d_fit_in_a_and_b():
    for method in ("A", "B", "D1"):
        assert fit(7, method).gamma == fit(7, "D2").gamma
    assert fit(7, "C1").gamma == fit(7, "C2").gamma != fit(7, "D2").gamma


def test_joint_scales():
    a = fit_joint("A")
    separate = [fit(k, "A") for k in GROUPS["centred"]]
    product = np.prod([s for f in separate for s in (f.sigma_x, f.sigma_y)])
    assert a[5].sigma_x == a[6].sigma_y == pytest.approx(product ** (1 / 4))
    for letter, method in (("C", "C2"), ("D", "D2")):
        joint = fit_joint(letter)
        assert list(joint) == list(range(1, 9))
        group = [joint[k] for k in GROUPS["non-centred"]]
        assert len({f.sigma_x for f in group}) == 1
        # The pooled objective cannot beat the sum of separate minima.
        assert group[0].objective >= sum(fit(f.key, method).objective for f in group)
        assert joint[7].gamma == fit(7, method).gamma
        norm = 1 if letter == "C" else 2
        pooled = sum((np.abs(f.model() - normalized_filters()[f.key - 1]) ** norm).sum() for f in group)
        assert group[0].objective == pytest.approx(pooled)


def test_table():
    table = fit_table()
    assert list(table.columns) == "method key sigma_x sigma_y gamma objective relative_l1 relative_l2 cosine".split()
    assert len(table) == 80 and table.equals(fit_table())
    assert list(table.method.unique()) == [*METHODS, *JOINT_METHODS]
    assert table.gamma.notna().sum() == 10
    row = table[(table.method == "D2") & (table.key == 3)].iloc[0]
    assert row.sigma_x == fit(3, "D2").sigma_x
    assert table[["sigma_x", "sigma_y", "relative_l1", "relative_l2", "cosine"]].notna().all().all()


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("key", [1, 5, 7, 8])
def test_objective_map_is_the_norm_of_the_difference(key, norm):
    first, second = np.array([0.3, 0.9]), np.array([0.2, 0.5, 1.0])
    values = objective_map(key, first, second, norm=norm)
    assert values.shape == (3, 2)
    for i, b in enumerate(second):
        for j, a in enumerate(first):
            h = model(key, a, None if key == 7 else b, b)
            expected = np.linalg.norm((h - normalized_filters()[key - 1]).ravel(), 1 if norm == "l1" else 2)
            assert values[i, j] == pytest.approx(expected, abs=1e-12)


@each(
    ("call", "message"),
    [
        (lambda: fit(9, "A"), "unknown key 9"),
        (lambda: fit(1, "E"), "unknown method 'E'"),
        (lambda: fit(1, "C1", search="random"), "unknown search 'random'"),
        (lambda: fit(1, "C1", edge="wrap"), "unknown edge 'wrap'"),
        (lambda: fit(1, "C1", dc="mean"), "unknown dc 'mean'"),
        (lambda: fit(1, "C1", filter=np.ones((4, 4))), r"filter has shape \(4, 4\)"),
        (lambda: fit(1, "C1", filter=np.zeros((7, 7))), "filter is all zero"),
        (lambda: fit(1, "C1", filter=np.zeros((7, 7)), normalized=True), "filter is all zero"),
        (lambda: fit(5, "C1", filter=ideal_filter(8, 0.5)), "filter has no response to x"),
        (lambda: fit_joint("E"), "unknown method 'E'"),
        (lambda: fit_table(edge="wrap"), "unknown edge 'wrap'"),
        (lambda: objective_map(1, [-1.0], [1.0]), "first is -1"),
        (lambda: objective_map(1, [50.0], [1.0]), "first goes up to 50"),
        (lambda: objective_map(1, [1.0], [1.0], norm="l3"), "unknown norm 'l3'"),
    ],
)
def test_wrong_input_is_named(call, message):
    refused(call, message)
