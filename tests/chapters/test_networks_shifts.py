"""Shifted idealised filters: what a shift is, and that the shift of known filters is found again."""

import numpy as np
import pytest
import torch
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused
from scipy.integrate import quad

from keyfilters import ideal_filter
from keyfilters.fitting.joint import key_parameters
from keyfilters.networks.layers.kernels import ideal_kernels
from keyfilters.networks.surgery.depthwise import key_filters
from keyfilters_book.experiments.shift_maps import ShiftMap, best_shift, pooled, shift_interval, shift_map, summit
from keyfilters_book.experiments.shifts import SHIFT_KINDS, shifted_filter, shifted_gaussian, shifted_keys

kinds, edges, keys = st.sampled_from(sorted(SHIFT_KINDS)), st.sampled_from(("exact", "crop")), st.integers(1, 8)
widths, sizes = st.floats(0, 2.5), st.sampled_from((3, 5, 7))


def gamma_of(key):
    return 0.4 if key == 7 else None


def scene(count=60, size=5, shift=(-0.5, 0.5), seed=0):
    """Filters a f + b of moved keys, with gains of either sign and a little noise."""
    rng = np.random.default_rng(seed)
    bank = shifted_keys("B-joint", *shift, size=size)
    gain, offset = rng.choice([-1.0, 1.0], count) * rng.uniform(0.5, 2, count), rng.normal(size=count)
    clean = gain[:, None, None] * bank[rng.integers(8, size=count)] + offset[:, None, None]
    return clean + 0.01 * rng.normal(size=clean.shape)


# --- the shift


@settings(max_examples=60, deadline=None)
@given(key=keys, x=widths, y=widths, size=sizes, edge=edges, kind=kinds)
def test_a_shift_by_nothing_is_the_idealised_filter(key, x, y, size, edge, kind):
    moved = shifted_filter(key, x, y, gamma=gamma_of(key), size=size, edge=edge, kind=kind)
    np.testing.assert_allclose(moved, ideal_filter(key, x, y, gamma=gamma_of(key), size=size, edge=edge), atol=1e-14)
    scale = torch.tensor([x, y], dtype=torch.float64)
    (twin,) = ideal_kernels([key], scale[0], scale[1], gamma=gamma_of(key), size=size, edge=edge)
    np.testing.assert_allclose(moved, twin.numpy(), atol=1e-13)


@settings(max_examples=60, deadline=None)
@given(key=keys, x=widths, y=widths, size=sizes, kind=kinds, dx=st.floats(-1, 1), dy=st.floats(-1, 1))
def test_a_shift_by_one_more_moves_the_array_by_one(key, x, y, size, kind, dx, dy):
    options = {"gamma": gamma_of(key), "size": size, "kind": kind}
    here = shifted_filter(key, x, y, dx, dy, **options)
    # x grows with the column, y against the row.
    np.testing.assert_allclose(shifted_filter(key, x, y, dx + 1, dy, **options)[:, 1:], here[:, :-1], atol=1e-12)
    np.testing.assert_allclose(shifted_filter(key, x, y, dx, dy + 1, **options)[:-1], here[1:], atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(key=st.integers(1, 8), x=st.floats(0, 1.5), dx=st.floats(-1, 1), dy=st.floats(-1, 1), kind=kinds)
def test_mirror_images_move_the_other_way(key, x, dx, dy, kind):
    twin = {2: 4, 4: 2}.get(key, key)
    sign = -1 if key in (2, 4, 5) else 1
    moved = shifted_filter(key, x, x, dx, dy, gamma=gamma_of(key), kind=kind)
    other = shifted_filter(twin, x, x, -dx, dy, gamma=gamma_of(key), kind=kind)
    np.testing.assert_allclose(moved, sign * other[:, ::-1], atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(sigma=st.floats(0, 2), shift=st.floats(-2, 2), kind=kinds)
def test_a_shift_keeps_the_sum_and_moves_the_mean(sigma, shift, kind):
    radius = 40
    t = shifted_gaussian(sigma, shift, radius, kind)
    n = np.arange(-radius, radius + 1)
    # The side lobes of a fine kernel that is taken for band-limited fall off slowly: its sum converges, its mean need not.
    assert t.sum() == pytest.approx(1, abs=0.02 if kind == "fourier" else 1e-12)
    if kind == "linear":
        part = shift - np.floor(shift)
        assert (n * t).sum() == pytest.approx(shift, abs=1e-10)
        assert ((n - shift) ** 2 * t).sum() == pytest.approx(sigma**2 + part * (1 - part), abs=1e-9)
        assert (t > -1e-15).all()


@pytest.mark.parametrize("sigma", [0.0, 0.4, 1.3])
@pytest.mark.parametrize("shift", [0.5, -0.3, 1.25])
def test_the_fourier_sum_is_the_integral_over_all_frequencies(sigma, shift):
    t = shifted_gaussian(sigma, shift, 3)
    for n, value in zip(range(-3, 4), t, strict=True):
        integral = quad(lambda w: np.exp(sigma**2 * (np.cos(w) - 1)) * np.cos(w * (n - shift)), 0, np.pi)[0] / np.pi  # noqa: B023
        assert value == pytest.approx(integral, abs=1e-5)


def test_shifts_broadcast_and_the_bank_is_the_methods():
    grid = np.array([-0.5, 0.0, 1.0])
    many = shifted_keys("B", grid, grid[:, None], size=5, kind="linear")
    assert many.shape == (8, 3, 3, 5, 5)
    np.testing.assert_array_equal(many[:, 2, 0], shifted_keys("B", -0.5, 1.0, size=5, kind="linear"))
    np.testing.assert_allclose(shifted_keys("B", edge="crop", size=5), key_filters("B", 5), atol=1e-14)
    x, y, gamma = key_parameters("B")[:, 6]
    np.testing.assert_allclose(
        shifted_keys("B", size=5, widen=2)[6], ideal_filter(7, 2 * x, 2 * y, gamma=gamma, size=5, edge="exact")
    )


def test_the_joint_bank_is_its_own_mirror_image():
    bank = shifted_keys("B-joint", size=5)
    mirrored = bank[:, :, ::-1][[0, 3, 2, 1, 4, 5, 6, 7]] * np.array([1, -1, 1, -1, -1, 1, 1, 1])[:, None, None]
    np.testing.assert_allclose(bank, mirrored, atol=1e-14)


@each(
    ("call", "message"),
    [
        (lambda: shifted_gaussian(0.5, 0.5, kind="cubic"), "kind"),
        (lambda: shifted_gaussian(-0.5, 0.5), "sigma"),
        (lambda: shifted_gaussian(0.5, np.nan), "shift"),
        (lambda: shifted_filter(9, 0.5), "key"),
        (lambda: shifted_filter(7, 0.5), "gamma is missing: key 7 needs it"),
        (lambda: shifted_filter(1, 0.5, gamma=0.5), "gamma is given for key 1"),
        (lambda: shifted_filter(1, 0.5, size=4), "size"),
        (lambda: shifted_filter(1, 0.5, edge="wrap"), "edge"),
        (lambda: shift_map(np.ones((4, 5, 5))), "all its filters are dead"),
        (lambda: shift_map(scene(), shifts=[0.5, 0.0]), "shifts do not increase"),
        (lambda: shift_map(scene(), keys=[0]), "key"),
        (lambda: shift_interval([]), "there is no map"),
        (lambda: shift_interval([shift_map(scene(4), shifts=[0.0])], level=95), "level is 95"),
        (lambda: shift_interval([shift_map(scene(4), shifts=[0.0])], draws=0), "draws is 0"),
        (lambda: pooled([shift_map(scene(4), shifts=[0.0])], "all"), "pool"),
    ],
)
def test_bad_input_is_named_in_one_line(call, message):
    refused(call, message)


# --- the shift of a layer


@settings(max_examples=10, deadline=None)
@given(shift=st.tuples(st.floats(-0.7, 0.7), st.floats(-0.7, 0.7)), size=st.sampled_from((5, 7)))
def test_the_shift_of_moved_keys_is_found_again(shift, size):
    found = best_shift([shift_map(scene(size=size, shift=shift))])
    assert (found.x, found.y) == pytest.approx(shift, abs=0.05)
    assert found.explained > 0.95


def test_the_map_is_the_explained_variance_of_the_best_key():
    filters = scene(12, size=5, seed=3)
    found = shift_map(filters, shifts=[-0.5, 0.25])
    for i, dy in enumerate(found.y):
        for j, dx in enumerate(found.x):
            bank = shifted_keys("B-joint", dx, dy, size=5).reshape(8, -1)
            expected = [max(np.corrcoef(h.ravel(), f)[0, 1] ** 2 for f in bank) for h in filters]
            np.testing.assert_allclose(found.explained[:, i, j], expected, atol=1e-10)


def test_mirrored_filters_have_the_mirrored_map():
    filters = scene(30, size=5, shift=(-0.4, 0.2))
    map_, mirrored = shift_map(filters), shift_map(filters[:, :, ::-1])
    np.testing.assert_allclose(mirrored.explained, map_.explained[:, :, ::-1], atol=1e-12)


def test_dead_filters_do_not_count():
    filters = scene(20)
    with_dead = np.concatenate([filters, np.full((3, 5, 5), 0.2)])
    np.testing.assert_array_equal(shift_map(with_dead).explained, shift_map(filters).explained)


def test_pooling_by_energy_listens_to_the_large_filters():
    left, right = scene(20, shift=(-0.5, 0.0)), 50 * scene(20, shift=(0.5, 0.0), seed=1)
    maps = [shift_map(left), shift_map(right)]
    assert best_shift(maps, "energy").x == pytest.approx(0.5, abs=0.05)
    both = pooled(maps)
    np.testing.assert_allclose(both, (pooled(maps[:1]) + pooled(maps[1:])) / 2)


def test_the_summit_at_the_rim_stays_there():
    u = np.linspace(-1, 1, 5)
    found = summit(u, u, u + u[:, None])
    assert (found.x, found.y, found.explained) == (1.0, 1.0, 2.0)


def test_intervals_hold_the_shift_and_widen_with_fewer_filters():
    filters = scene(400, shift=(-0.5, 0.5)) + np.random.default_rng(5).normal(scale=0.2, size=(400, 5, 5))
    many, few = shift_interval([shift_map(filters)], draws=100), shift_interval([shift_map(filters[:20])], draws=100)
    for axis, value in enumerate((-0.5, 0.5)):
        assert many.low[axis] - 0.03 < value < many.high[axis] + 0.03
        assert many.high[axis] - many.low[axis] < few.high[axis] - few.low[axis]
    again = shift_interval([shift_map(filters)], draws=100)
    np.testing.assert_array_equal(many.draws, again.draws)


def test_layers_that_disagree_widen_the_interval():
    one, other = shift_map(scene(50, shift=(-0.5, 0.0))), shift_map(scene(50, shift=(0.5, 0.0), seed=1))
    found = shift_interval([one, other], draws=100)
    assert found.low[0] < -0.4 and found.high[0] > 0.4
    assert isinstance(one, ShiftMap)
