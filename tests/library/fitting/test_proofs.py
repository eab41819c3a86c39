"""The optima of the learned filters are proved, in interval arithmetic: they exist, and nothing in the domain is better."""

import numpy as np
import pytest
from interval_proofs import CLOSE, Minimum, NotProved, Residuals, prove_root

from keyfilters import fit, fit_joint, normalized_filters
from keyfilters.filters import GROUPS, KEYS, key_row
from keyfilters.fitting import METHODS
from keyfilters.fitting.joint import all_fits
from keyfilters.fitting.variance import weighted_variances

NORMS = [m for m in METHODS.values() if m.power]
MINIMA = [(row.number, m.name) for m in NORMS for row in KEYS if row.number != 7] + [(7, "C1"), (7, "D1")]
JOINT = [(name, letter) for name in ("non-centred", "centred") for letter in "CD"]


def point_of(found) -> list[float]:
    """Parameters of a fit as the proofs have them: variances, and gamma."""
    values = {"sigma_x": found.sigma_x**2, "sigma_y": found.sigma_y**2, "sigma": found.sigma_x**2, "gamma": found.gamma}
    return [values[name] for name in found.parameters]


def minimum_of(found, point=None) -> Minimum:
    """What a fit minimises at its own point, or at another one."""
    rows = tuple(key_row(key) for key in found.given.keys)
    residuals = Residuals(rows, found.given.targets, len(found.parameters))
    return Minimum(residuals, 1 if found.method.startswith("C") else 2, point_of(found) if point is None else point)


@pytest.mark.parametrize(("key", "method"), MINIMA)
def test_no_scales_are_better_than_those_of_a_fit(key, method):
    minimum_of(fit(key, method)).prove()


@pytest.mark.parametrize(("group", "letter"), JOINT)
def test_no_scale_is_better_than_that_of_a_group(group, letter):
    found = fit_joint(letter)[GROUPS[group][0]]
    assert set(found.given.keys) == set(GROUPS[group])
    minimum_of(found).prove()


@pytest.mark.parametrize("row", [row for row in KEYS if row.number != 7], ids=lambda row: f"key {row.number}")
def test_the_scales_of_method_b_are_the_smallest_roots(row):
    found = fit(row.number, "B")
    variances = weighted_variances(normalized_filters()[row.number - 1], row, "crop")
    for operator, variance, sigma in zip((row.x, row.y), variances, (found.sigma_x, found.sigma_y), strict=True):
        assert prove_root(operator, float(variance), sigma**2) > 1


def test_every_fit_of_the_learned_filters_is_proved_or_a_formula():
    # All that is left is method A, in closed form, and the means of A-joint and B-joint.
    fits = {id(f.given): f for f in all_fits()}.values()
    minimised = [f for f in fits if f.method[0] in "CD" or f.key == 7]
    roots = [f for f in fits if f.method == "B" and f.key != 7]
    formulas = [f for f in fits if f.key != 7 and (f.method == "A" or f.method in ("A-joint", "B-joint"))]
    assert len(fits) == len(minimised) + len(roots) + len(formulas) == 54
    # Key 7 has the same two fits in the joint methods.
    points = {(f.method[0] == "C", len(f.parameters), *f.given.keys) for f in minimised}
    assert len(points) == len(MINIMA) + len(JOINT) == 34 and len(roots) == 7


# --- the proofs refuse what is not so -----------------------------------------------------------------------


@pytest.mark.parametrize(("key", "method"), [(1, "C1"), (3, "C1"), (8, "C1"), (5, "D1"), (7, "C1"), (7, "D1"), (2, "C2")])
def test_a_point_beside_the_optimum_is_not_proved(key, method):
    found = fit(key, method)
    point = point_of(found)
    with pytest.raises(NotProved):
        minimum_of(found, [point[0] + 3 * CLOSE, *point[1:]]).prove()


def test_the_second_minimum_of_key_8_is_not_the_best():
    from keyfilters.fitting.search import minimize_l1
    from keyfilters_book.paper.landscape import two_scale_problem

    found, problem = fit(8, "C1"), two_scale_problem(8)
    starts = (np.array([x, y]) for x in np.linspace(0.1, 0.5, 9) for y in np.linspace(0.1, 0.5, 9))
    ends = [end for end in (minimize_l1(problem, start) for start in starts) if end.converged]
    other = min((end for end in ends if end.value > found.objective * 1.0001), key=lambda end: end.value)
    assert other.value == pytest.approx(found.certificate.runner_up, rel=1e-9)
    proof = minimum_of(found, other.p)
    proof.stationary()
    box = proof.alone()
    with pytest.raises(NotProved):
        proof.elsewhere(box, 20_000)


def test_the_inside_of_key_4_is_not_the_best_of_d1():
    found = fit(4, "D1")
    with pytest.raises(NotProved):
        minimum_of(found, [point_of(found)[0], 1e-6]).prove()


def test_another_root_of_method_b_is_not_proved():
    with pytest.raises(NotProved):
        prove_root("identity", 0.2, 0.5)


def test_balls_hold_the_library_s_residuals_and_derivatives():
    from keyfilters.fitting.problem import make_problem

    rng = np.random.default_rng(0)
    targets = normalized_filters()
    for row, target in zip(KEYS, targets, strict=True):
        scales = 2
        problem = make_problem((row,), (target,), scales, "crop")
        low = rng.uniform(0, 2, 2)
        box = [(float(a), float(a) + 0.05) for a in low]
        values, first, second = Residuals((row,), (target,), scales).values(box, 2)
        for share in rng.uniform(0, 1, (5, 2)):
            r, jacobian, hessian = problem.evaluate(low + 0.05 * share)
            for i in range(49):
                assert abs(float(values[i].mid()) - r[i]) <= float(values[i].rad()) + 1e-12
                for k in range(2):
                    assert abs(float(first[i][k].mid()) - jacobian[i, k]) <= float(first[i][k].rad()) + 1e-12
                for part, (a, b) in zip(second[i], ((0, 0), (0, 1), (1, 1)), strict=True):
                    assert abs(float(part.mid()) - hessian[i, a, b]) <= float(part.rad()) + 1e-12
