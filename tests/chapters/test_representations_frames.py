"""Bases and frames of images: tight to rounding, shift copies of few atoms, contourlets in their wedges."""

import numpy as np
import pytest
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused

from keyfilters_book.representations.contourlets import (
    contourlets,
    contourlets_back,
    directional_bands,
    directions,
    directions_back,
    low_pass,
    pyramid_step,
    pyramid_step_back,
    wedge_shares,
)
from keyfilters_book.representations.frames import FRAMES, curvelet_frame, curvelet_transform, frame, wedge_counts

TIGHT = [name for name in FRAMES if name != "bior4.4"]
images = st.tuples(st.integers(0, 2**32 - 1), st.sampled_from([32, 64]), st.sampled_from([1e-3, 1.0, 1e4]))


def drawn(sample):
    seed, size, scale = sample
    return scale * np.random.default_rng(seed).normal(size=(size, size))


@pytest.mark.parametrize("name", TIGHT)
@settings(max_examples=8, deadline=None)
@given(sample=images)
def test_tight_frames_keep_the_energy_and_the_image_and_synthesis_is_the_transpose_of_analysis(name, sample):
    x = drawn(sample)
    f = frame(name, len(x))
    c = f.analyse(x)
    assert abs((c**2).sum() / (x**2).sum() - 1) < 1e-10
    assert np.abs(f.synthesise(c) - x).max() < 1e-10 * np.abs(x).max()
    other = np.random.default_rng(sample[0] + 1).normal(size=len(f))
    left, right = c @ other, (x * f.synthesise(other)).sum()
    assert abs(left - right) < 1e-10 * np.linalg.norm(x) * np.linalg.norm(other)


@pytest.mark.parametrize("name", TIGHT)
def test_norms_are_those_of_the_atoms(name):
    f = frame(name, 32)
    # The trace of a projection: the squared norms of a Parseval frame add up to the dimension. As many atoms make a basis.
    assert (f.norms**2).sum() == pytest.approx(32**2, rel=1e-10)
    assert (len(f) == 32**2) == (name in ("fourier", "dct", "haar", "db4", "sym8", "coif3"))
    ends = np.cumsum([int(np.prod(shape)) for _, shape in f.shapes])
    rng = np.random.default_rng(0)
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        at = int(rng.integers(start, end))
        unit = np.zeros(len(f))
        unit[at] = 1.0
        assert np.linalg.norm(f.synthesise(unit)) == pytest.approx(f.norms[at], rel=1e-9)


def test_biorthogonal_wavelets_reconstruct_but_are_not_tight():
    f = frame("bior4.4", 64)
    x = np.random.default_rng(0).normal(size=(64, 64))
    c = f.analyse(x)
    assert np.abs(f.synthesise(c) - x).max() < 1e-10
    assert not f.tight and abs((c**2).sum() / (x**2).sum() - 1) > 1e-3


def test_the_fourier_basis_holds_cosines_and_sines():
    f = frame("fourier", 32)
    y, x = np.mgrid[:32, :32]
    for wave in (np.cos, np.sin):
        c = f.analyse(wave(2 * np.pi * (3 * x - 5 * y) / 32))
        assert np.sum(np.abs(c) > 1e-9) == 1 and np.abs(c).max() == pytest.approx(32 / np.sqrt(2))


@pytest.mark.parametrize(
    ("kwargs", "tight"), [({}, True), ({"high_frequency_mode": "wavelet"}, False), ({"window_overlap": 0.15}, False)]
)
def test_the_package_is_tight_with_its_default_windows_only(kwargs, tight):
    from curvelets.numpy import UDCT

    wedges = np.array([[3, 3], [6, 6]])
    transform = UDCT((64, 64), angular_wedges_config=wedges, **kwargs)
    x = np.random.default_rng(0).normal(size=(64, 64))
    c = transform.vect(transform.forward(x))
    assert (abs((np.abs(c) ** 2).sum() / (x**2).sum() - 1) < 1e-10) == tight


def test_curvelets_are_parabolic():
    assert wedge_counts(6) == [3, 3, 6, 6, 12, 12]
    counts = [[len(fan) for fan in octave] for octave in curvelet_transform(256).windows[1:]]
    assert counts == [[3, 3], [3, 3], [3, 3], [6, 6], [6, 6]]
    default = [[6 * 2**j] for j in range(2)]
    assert [[sum(map(len, octave))] for octave in curvelet_transform(64, [3, 6]).windows[1:]] == default


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([32, 64]), levels=st.sampled_from([(2,), (3,), (2, 3), (4, 2)]))
def test_contourlets_are_tight_with_any_levels(seed, size, levels):
    x = np.random.default_rng(seed).normal(size=(size, size))
    c = contourlets(x, levels)
    energy = sum((band**2).sum() for octave in c for band in octave)
    assert abs(energy / (x**2).sum() - 1) < 1e-12
    assert np.abs(contourlets_back(c, levels) - x).max() < 1e-12
    assert [len(octave) for octave in c] == [1, *(2**level for level in levels)]


def test_the_low_pass_is_orthonormal():
    h = low_pass(64)
    aliases = h**2 + np.roll(h, 32, 0) ** 2 + np.roll(h, 32, 1) ** 2 + np.roll(h, (32, 32), (0, 1)) ** 2
    assert np.abs(aliases - 4).max() < 1e-12


def test_the_pyramid_splits_into_complements():
    x = np.random.default_rng(0).normal(size=(32, 32))
    coarse, detail = pyramid_step(x)
    assert coarse.shape == (16, 16) and detail.shape == (32, 32)
    # The detail has no coarse part left: it is the projection on the complement.
    assert np.abs(pyramid_step(detail)[0]).max() < 1e-13
    assert np.abs(pyramid_step_back(coarse, detail) - x).max() < 1e-13


@pytest.mark.parametrize("levels", [2, 3, 4, 5])
def test_the_directional_filter_bank_is_critically_sampled_and_orthonormal(levels):
    x = np.random.default_rng(0).normal(size=(64, 64))
    subbands = directions(x, levels)
    assert len(subbands) == 2**levels and sum(band.size for band in subbands) == 64**2
    assert {band.shape for band in subbands} == {(32, 64 >> (levels - 1)), (64 >> (levels - 1), 32)}
    assert np.abs(directions_back(subbands, 64, levels) - x).max() < 1e-12
    other = [np.random.default_rng(i).normal(size=band.shape) for i, band in enumerate(subbands)]
    again = directions(directions_back(other, 64, levels), levels)
    assert max(np.abs(a - b).max() for a, b in zip(again, other, strict=True)) < 1e-12


@pytest.mark.parametrize("levels", [2, 3, 4])
def test_each_contourlet_lives_in_its_wedge(levels):
    shares = wedge_shares(64, levels)
    assert shares.shape == (2**levels,) and shares.min() > 0.65 > 2 / 2**levels
    # Transitions reach half a wedge further; sharper masks leave less outside.
    assert wedge_shares(64, levels, slack=0.5).min() > 0.8
    assert wedge_shares(64, levels, width=0.2).min() > shares.min() > wedge_shares(64, levels, width=0.8).min()


def test_the_masks_cover_the_plane_evenly():
    energy = sum(np.abs(band.filter) ** 2 for band in directional_bands(64, 3))
    assert np.abs(energy - 8).max() < 1e-12


def test_directions_find_the_orientation_of_a_wave():
    n, levels = 64, 3
    y, x = np.mgrid[:n, :n]
    for band_number, band in enumerate(directional_bands(n, levels)):
        middle = sum(band.slopes) / 2
        r, t = 20, round(20 * middle)
        along, across = (y, x) if band.axis == 0 else (x, y)
        wave = np.cos(2 * np.pi * (r * along + t * across) / n)
        energies = [float((part**2).sum()) for part in directions(wave, levels)]
        assert int(np.argmax(energies)) == band_number and max(energies) > 0.9 * sum(energies)


@each(
    ("call", "said"),
    [
        (lambda: frame("db5x", 64), "unknown frame 'db5x'"),
        (lambda: frame("haar", 48), "size is 48: expected a power of two of at least 32"),
        (lambda: frame("haar", 16), "expected a power of two of at least 32"),
        (lambda: frame("haar", 64).analyse(np.zeros((32, 32))), "expected a square image of 64 x 64"),
        (lambda: frame("haar", 64).analyse(np.full((64, 64), np.nan)), "expected a finite number"),
        (lambda: frame("haar", 64).synthesise(np.zeros(7)), r"has shape \(7,\): expected \(4096,\)"),
        (lambda: contourlets(np.zeros((24, 24))), "whose side is a power of two"),
        (lambda: contourlets(np.zeros((16, 8))), "expected a square image"),
        (lambda: curvelet_frame(64, [4]), r"wedges is \[4\]: expected multiples of 3"),
        (lambda: directional_bands(64, 1), "levels is 1: expected an integer from 2 to 6"),
        (lambda: directional_bands(16, 5), "levels is 5: expected an integer from 2 to 4"),
    ],
)
def test_bad_input_is_named_in_one_line(call, said):
    refused(call, said)
