"""Scattering: equal to direct sums; what the theory promises holds to rounding on the periodic grid, and nearly with subsampling."""

import numpy as np
import pytest
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import message as said

from keyfilters_book.representations.scattering import morlet, morlet_bank, multiply_adds, paths, scattering

SIZE = 16
BANKS = st.sampled_from([(1, 2), (1, 4), (2, 1), (2, 4), (2, 6), (3, 3)])


def norm(a):
    return float(np.sqrt((np.asarray(a) ** 2).sum()))


def image(seed, smooth=False):
    x = np.random.default_rng(seed).normal(size=(1, SIZE, SIZE))
    return scattering(x, morlet_bank(SIZE, 1, 1), order=0, sampling="full")[:, 0] if smooth else x


@given(BANKS, st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_distances_and_energy_do_not_grow(which, seed):
    bank = morlet_bank(SIZE, *which)
    x, y = image(seed), image(seed + 1)
    a, b = (scattering(v, bank, sampling="full") for v in (x, y))
    assert norm(a - b) <= norm(x - y) * (1 + 1e-12)
    assert norm(a) <= norm(x) * (1 + 1e-12)


@given(BANKS, st.integers(0, 2**31), st.integers(-8, 8), st.integers(-8, 8))
@settings(max_examples=25, deadline=None)
def test_shifts_commute_and_change_little(which, seed, down, right):
    bank = morlet_bank(SIZE, *which)
    x = image(seed)
    still = scattering(x, bank, sampling="full")
    shifted = scattering(np.roll(x, (down, right), axis=(1, 2)), bank, sampling="full")
    assert np.abs(shifted - np.roll(still, (down, right), axis=(2, 3))).max() < 1e-12
    omega = 2 * np.pi * np.fft.fftfreq(SIZE)
    turn = np.abs(np.exp(-1j * (omega[:, None] * down + omega[None, :] * right)) - 1)
    assert norm(shifted - still) <= np.sqrt(3) * (turn * bank.low).max() * norm(x) + 1e-12


@pytest.mark.parametrize("which", [(1, 4), (2, 4), (2, 8), (3, 4)])
def test_littlewood_paley_sum_reaches_one_and_no_more(which):
    bank = morlet_bank(32, *which)
    total = bank.littlewood_paley()
    assert total[0, 0] == pytest.approx(1, abs=1e-12)
    assert total.max() <= 1 + 1e-12 and np.sort(total.ravel())[-2] > 1 - 1e-9
    assert np.abs(bank.waves[:, :, 0, 0]).max() < 1e-12


def test_littlewood_paley_sum_is_the_energy_of_one_layer():
    bank, x = morlet_bank(SIZE, 2, 4), image(3)
    spectrum = np.abs(np.fft.fft2(x[0])) ** 2 / SIZE**2
    direct = (np.abs(np.fft.fft2(x[0]) * bank.low) ** 2).sum() / SIZE**2
    direct += sum((np.abs(np.fft.fft2(x[0]) * w) ** 2).sum() for row in bank.waves for w in row) / SIZE**2
    assert (spectrum * bank.littlewood_paley()).sum() == pytest.approx(direct, rel=1e-12)


@given(st.floats(-100, 100), BANKS)
@settings(max_examples=15, deadline=None)
def test_constants_give_nothing_beyond_order_zero(level, which):
    bank = morlet_bank(SIZE, *which)
    found = scattering(np.full((1, SIZE, SIZE), level), bank, sampling="full")
    assert np.abs(found[:, 0] - level).max() < 1e-10 and np.abs(found[:, 1:]).max() < 1e-10


def test_a_wave_is_seen_by_the_wavelet_of_its_direction_and_scale():
    bank = morlet_bank(32, 3, 4)
    grid = np.arange(32)
    for scale, angle in ((0, 0), (1, 0), (0, 2), (1, 2), (2, 2)):
        phase = 2 * np.pi * 12 / 2**scale / 32 * (grid[None, :] if angle == 0 else grid[:, None])
        wave = np.broadcast_to(np.cos(phase), (32, 32))[None]
        first = np.abs(scattering(wave, bank, order=1, sampling="full")[0, 1:]).mean(axis=(1, 2))
        assert paths(3, 4, 1)[1 + int(first.argmax())] == ((scale, angle),)


def test_order_two_sees_what_the_average_of_order_one_loses():
    # A fast wave under a slow envelope, and another with the same mean modulus but no envelope.
    bank, n = morlet_bank(32, 3, 4), np.arange(32)
    carrier = np.cos(2 * np.pi * 12 / 32 * n)
    beating = np.broadcast_to(carrier * (1 + 0.9 * np.cos(2 * np.pi * 4 / 32 * n)), (1, 32, 32))
    steady = np.broadcast_to(carrier, (1, 32, 32))
    a, b = (scattering(v, bank, sampling="full")[0] for v in (beating, steady))
    one = paths(3, 4, 2).index(((0, 0),))
    two = paths(3, 4, 2).index(((0, 0), (1, 0)))
    assert abs(a[one].mean() - b[one].mean()) < 0.05 * b[one].mean()
    assert a[two].mean() > 2 * b[two].mean()


@given(st.integers(0, 2**31))
@settings(max_examples=10, deadline=None)
def test_subsampling_changes_little(seed):
    bank, x = morlet_bank(SIZE, 2, 4), image(seed, smooth=True)
    full = scattering(x, bank, sampling="full")[..., ::4, ::4] * 4
    thin = scattering(x, bank)
    assert thin.shape == (1, 25, 4, 4)
    assert norm(thin - full) < 0.06 * norm(full)
    assert norm(scattering(x.astype(np.float32), bank) - thin) < 1e-5 * norm(thin)


def test_turning_the_image_exchanges_directions():
    bank, x = morlet_bank(SIZE, 2, 4), image(5)
    # Frequencies turn about the pixel (0, 0): rows and columns change places.
    a = scattering(x, bank, order=1, sampling="full")[0]
    b = scattering(x.swapaxes(1, 2), bank, order=1, sampling="full")[0]
    mirrored = {0: 2, 1: 1, 2: 0, 3: 3}
    for channel, ((j, angle),) in enumerate(paths(2, 4, 1)[1:], start=1):
        other = paths(2, 4, 1).index(((j, mirrored[angle]),))
        assert np.allclose(b[other], a[channel].T, atol=1e-12)


def test_channels_are_the_paths():
    for scales, angles, order in ((2, 4, 2), (3, 2, 1), (1, 3, 2), (2, 3, 0)):
        bank = morlet_bank(SIZE, scales, angles)
        assert scattering(image(0), bank, order).shape[1] == len(paths(scales, angles, order))
        deeper = multiply_adds(bank, 2) - multiply_adds(bank, 1)
        assert deeper > 0 if scales > 1 else deeper == 0


def sampled(size, reach, sigma, angle, slant, centre):
    """A Gaussian envelope times a wave in space: its samples at integers, summed over ``reach`` periods either way."""
    n = np.arange(-reach * size, (reach + 1) * size)
    y, x = n[:, None], n[None, :]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    values = np.exp(-(along**2 + slant**2 * across**2) / (2 * sigma**2) + 1j * centre * along)
    periods = values.reshape(2 * reach + 1, size, 2 * reach + 1, size)
    return periods.sum(axis=(0, 2)) * slant / (2 * np.pi * sigma**2)


def convolved(x, h, step=1):
    """Circular convolution by its sum; every ``step``-th sample of either, the sum weighted by the area of a cell."""
    size = len(x)
    out = np.zeros_like(x, dtype=complex)
    for down in range(size):
        for right in range(size):
            out += x[down, right] * np.roll(h, (down, right), axis=(0, 1))
    return out * step**2


def by_sums(x, scales, angles, sampling):
    """The transform of one image in space, by the definition, without a Fourier transform of the image."""
    size = len(x)
    low = sampled(size, 4, 0.8 * 2 ** (scales - 1), 0, 1, 0).real
    low /= low.sum()
    waves = {}
    for j in range(scales):
        for turn in range(angles):
            shape = (size, 4, 0.8 * 2**j, np.pi * turn / angles, min(1, 4 / angles))
            wave, envelope = sampled(*shape, 0.75 * np.pi / 2**j), sampled(*shape, 0)
            waves[j, turn] = wave - wave.sum() / envelope.sum() * envelope
    turns = np.exp(-2j * np.pi * np.outer(np.arange(size), np.arange(size)) / size)
    power = {k: np.abs(turns @ w @ turns.T) ** 2 for k, w in (waves | {"low": low}).items()}
    mirror = -np.arange(size) % size
    band = sum(power[k] + power[k][mirror][:, mirror] for k in waves) / 2
    room = (1 - power["low"]).ravel()[1:] / band.ravel()[1:]
    factor = np.sqrt(room.min())

    def at(j):
        return 2**j if sampling == "critical" else 1

    def modulus(values, before, j, turn):
        step, jump = at(before), at(j) // at(before)
        return np.abs(convolved(values, factor * waves[j, turn][::step, ::step], step))[::jump, ::jump]

    def average(values, before):
        step, jump = at(before), at(scales) // at(before)
        return convolved(values, low[::step, ::step], step).real[::jump, ::jump]

    channels = []
    for path in paths(scales, angles, 2):
        values, before = x, 0
        for j, turn in path:
            values, before = modulus(values, before, j, turn), j
        channels.append(average(values, before))
    return np.stack(channels) * at(scales)


@pytest.mark.parametrize("sampling", ["critical", "full"])
@pytest.mark.parametrize(("scales", "angles"), [(1, 3), (2, 2), (2, 5)])
def test_the_transform_is_that_of_direct_sums(scales, angles, sampling):
    x = np.random.default_rng(11).normal(size=(8, 8))
    expected = by_sums(x, scales, angles, sampling)
    found = scattering(x[None], morlet_bank(8, scales, angles), sampling=sampling)[0]
    assert np.abs(expected).max() > 0.1 and np.abs(found - expected).max() < 1e-9


@each(
    ("call", "message"),
    [
        (lambda: scattering(np.ones((32, 32))), "images has shape (32, 32): expected (n, size, size)"),
        (lambda: scattering(np.ones((1, 32, 32)), morlet_bank(16)), "expected 16 pixels a side, as the bank has"),
        (lambda: scattering(np.ones((1, 32, 32)), order=3), "order is 3: expected 0, 1 or 2"),
        (lambda: scattering(np.ones((1, 32, 32)), sampling="half"), "unknown sampling 'half'"),
        (lambda: scattering(np.full((1, 32, 32), np.nan)), "images is nan: expected a finite number"),
        (lambda: morlet_bank(28, 3), "size is 28: expected a multiple of 8"),
        (lambda: morlet_bank(32, 0), "scales is 0: expected an integer of at least 1"),
        (lambda: morlet_bank(32, 2, 0), "angles is 0: expected an integer of at least 1"),
        (lambda: morlet(32, 0, 0.0, 2.0), "slant is 2: expected a number above 0 and at most 1"),
    ],
)
def test_bad_input_is_named(call, message):
    assert message in said(call)
