"""The cartoon image, n-term approximation, octaves against the theory, denoising and the figures of them."""

import numpy as np
import pytest
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused

from keyfilters_book.figures import atoms as drawn
from keyfilters_book.representations.approximation import (
    THEORY,
    Octaves,
    keep_largest,
    n_term,
    n_term_errors,
    octave_slopes,
    octave_statistics,
    slopes_in_windows,
)
from keyfilters_book.representations.denoising import (
    best_threshold_elsewhere,
    denoise,
    denoising_scores,
    grey_pieces,
    psnr,
    ssim,
)
from keyfilters_book.representations.edges import Star, cartoon, coverage, star
from keyfilters_book.representations.frames import frame


@pytest.mark.parametrize("seed", [0, 5])
def test_pixels_hold_the_area_of_the_set(seed):
    shape = star(seed)
    errors = [abs(coverage(shape, size).mean() - shape.area) for size in (32, 64, 128)]
    assert errors[0] < 5e-5
    # The edge is straight inside each part up to its bend: second order in the pixel.
    assert errors[1] < errors[0] / 3 and errors[2] < errors[1] / 3


def test_pixels_agree_with_counting_points():
    shape, size, fine = star(2), 32, 64
    c = (np.arange(size * fine) + 0.5) / (size * fine)
    x, y = np.meshgrid(c - shape.centre[0], c[::-1] - shape.centre[1])
    inside = np.hypot(x, y) <= shape.rho(np.arctan2(y, x))
    counted = inside.reshape(size, fine, size, fine).mean(axis=(1, 3))
    assert np.abs(coverage(shape, size, 8) - counted).max() < 4e-3


def test_a_disc_has_the_area_of_a_disc():
    disc = Star((0.5, 0.5), 0.25, ())
    assert coverage(disc, 64).mean() == pytest.approx(np.pi / 16, abs=1e-5)
    assert np.array_equal(coverage(disc, 64), coverage(disc, 64)[::-1]) or np.allclose(
        coverage(disc, 64), coverage(disc, 64)[::-1], atol=1e-12
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_cartoon_is_in_the_class(seed):
    f = cartoon(128, seed)
    assert f.min() == 0 and f.max() <= 1
    assert not f[0].any() and not f[:, -1].any()
    shape = star(seed)
    theta = np.linspace(0, 2 * np.pi, 721)
    x = shape.centre[0] + shape.rho(theta) * np.cos(theta)
    assert 0.1 < x.min() and x.max() < 0.9 and shape.rho(theta).min() > 0
    # The derivatives of rho are those of rho.
    step = 1e-4
    for order in (1, 2):
        quotient = (shape.rho(theta + step, order - 1) - shape.rho(theta - step, order - 1)) / (2 * step)
        assert np.abs(quotient - shape.rho(theta, order)).max() < 1e-5
    assert shape.bend >= np.abs(shape.rho(theta, 2)).max() - 1e-3


def test_coarse_pixels_are_means_of_fine_ones():
    best = coverage(star(0), 128, 16).reshape(64, 2, 64, 2).mean(axis=(1, 3))
    errors = [np.abs(best - coverage(star(0), 64, parts)).max() for parts in (1, 4, 16)]
    assert errors[0] > 3 * errors[1] > 9 * errors[2] and errors[2] < 1e-3


@pytest.mark.parametrize("name", ["fourier", "dct", "haar", "db4", "sym8", "coif3"])
def test_errors_of_an_orthonormal_basis_fall_and_are_those_of_the_image(name):
    f, image = frame(name, 64), cartoon(64)
    counts = np.array([1, 10, 100, 1000, 4096])
    errors = n_term_errors(f, image, counts)
    assert (np.diff(errors) < 0).all() and errors[-1] < 1e-24
    directly = [((image - n_term(f, image, n)) ** 2).sum() / (image**2).sum() for n in counts]
    assert np.abs(errors - directly).max() < 1e-12


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), name=st.sampled_from(["contourlet", "curvelet", "sym8-swt"]), n=st.integers(1, 2000))
def test_errors_of_a_tight_frame_are_below_what_was_dropped(seed, name, n):
    f = frame(name, 32)
    image = np.random.default_rng(seed).normal(size=(32, 32))
    dropped = np.sort(f.analyse(image) ** 2)[: max(len(f) - n, 0)].sum() / (image**2).sum()
    n = min(n, len(f))
    # Synthesis with a Parseval frame does not lengthen.
    assert n_term_errors(f, image, [n])[0] <= dropped + 1e-12
    assert n_term_errors(f, image, [len(f)])[0] < 1e-20


@pytest.mark.parametrize("name", ["haar", "sym8", "contourlet", "curvelet"])
def test_more_coefficients_help_on_the_cartoon(name):
    errors = n_term_errors(frame(name, 128), cartoon(128), 2 ** np.arange(5, 14))
    assert (np.diff(errors) < 0).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=20), st.data())
def test_keeping_keeps_the_largest(values, data):
    c = np.array(values, dtype=float)
    n = data.draw(st.integers(1, len(c)))
    kept = keep_largest(c, n)
    assert set(np.flatnonzero(kept)) <= set(np.flatnonzero(c)) and (kept[kept != 0] == c[kept != 0]).all()
    assert (kept**2).sum() == np.sort(c**2)[-n:].sum() and np.count_nonzero(kept) <= n


@settings(max_examples=20, deadline=None)
@given(slope=st.floats(-3, 0), scale=st.floats(1e-3, 1e3), factor=st.floats(2, 30))
def test_a_power_law_has_its_slope_in_every_window(slope, scale, factor):
    n = np.unique(np.round(2 ** np.arange(2, 10, 0.25)))
    middles, slopes = slopes_in_windows(n, scale * n**slope, factor)
    assert np.abs(slopes - slope).max() < 1e-9 and (np.diff(middles) > 0).all()


def test_the_theorem_has_a_flatter_local_slope():
    n = 2.0 ** np.arange(9, 13.1, 0.125)
    middles, slopes = slopes_in_windows(n, np.log(n) ** 3 / n**2, 4)
    assert np.abs(slopes - (-2 + 3 / np.log(middles))).max() < 0.02


@pytest.mark.parametrize(
    ("name", "kind", "coarsest", "tolerance"), [("curvelet", "curvelets", 1, 0.1), ("sym8", "wavelets", 0, 0.1)]
)
def test_octaves_have_the_slopes_of_the_theory(name, kind, coarsest, tolerance):
    f = frame(name, 1024)
    slopes = np.mean([octave_slopes(octave_statistics(f, cartoon(1024, seed)), coarsest) for seed in range(3)], axis=0)
    assert np.abs(slopes - THEORY[kind]).max() < tolerance
    other = THEORY["wavelets" if kind == "curvelets" else "curvelets"]
    assert np.abs(slopes - other).min() > 0.15
    frame.cache_clear()


def test_participation_counts_equal_coefficients():
    f = frame("haar", 128)
    bands = [np.zeros(shape) for _, shape in f.shapes]
    for octave, count in ((1, 3), (2, 5), (3, 7)):
        bands[3 * octave].flat[:count] = 2.0 / octave
    found = octave_statistics(f, f.synthesise(np.concatenate([band.ravel() for band in bands])))
    assert found.participation == pytest.approx([3, 5, 7]) and found.largest == pytest.approx([2, 1, 2 / 3])


def test_photographs_are_grey_and_repeatable():
    pieces = grey_pieces(["camera", "coffee"], 64, 2, seed=1)
    assert {name: piece.shape for name, piece in pieces.items()} == {"camera": (2, 64, 64), "coffee": (2, 64, 64)}
    again = grey_pieces(["camera", "coffee"], 64, 2, seed=1)
    for name, piece in pieces.items():
        assert np.array_equal(piece, again[name]) and 0 <= piece.min() < piece.max() <= 1


@pytest.mark.parametrize("name", ["dct", "sym8", "contourlet", "curvelet"])
@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_thresholding_removes_noise(name, kind):
    f, image = frame(name, 64), cartoon(64)
    noisy = image + 0.1 * np.random.default_rng(0).normal(size=image.shape)
    assert np.abs(denoise(f, noisy, 0.1, 0, kind) - noisy).max() < 1e-10
    k = 3 if kind == "hard" else 1.5
    assert psnr(image, denoise(f, noisy, 0.1, k, kind)) > psnr(image, noisy) + 1.5
    assert ssim(image, denoise(f, noisy, 0.1, k, kind)) > ssim(image, noisy)


def test_pure_noise_is_removed_alike_from_every_atom():
    noise = np.random.default_rng(0).normal(size=(64, 64))
    for name in ("sym8", "sym8-swt", "contourlet", "curvelet"):
        f = frame(name, 64)
        z = f.analyse(noise) / f.norms
        # A standard normal in every octave: what makes one k mean the same for all frames.
        for octave in range(1, f.octaves.max() + 1):
            part = z[f.octaves == octave]
            assert 0.8 < part.std() < 1.2
        assert np.abs(denoise(f, noise, 1.0, 10.0) - denoise(f, noise, 1.0, 20.0)).max() < 1e-12


def test_scores_share_the_noise_and_thresholds_are_chosen_elsewhere():
    images = {"a": cartoon(32, 0), "b": cartoon(32, 1), "c": cartoon(32, 2)}
    frames = [frame("haar", 32), frame("contourlet", 32)]
    scores = denoising_scores(frames, images, 0.1, ks=(0.0, 2.0, 3.0), kinds=("hard",), seeds=(0, 1))
    assert len(scores) == 3 * 2 * 2 * 3
    untouched = scores[scores.k == 0].pivot_table(index=["image", "seed"], columns="frame", values="psnr")
    assert np.allclose(untouched["haar"], untouched["contourlet"], atol=1e-9)
    chosen = best_threshold_elsewhere(scores)
    assert len(chosen) == 6 and set(chosen.k) <= {2.0, 3.0}
    mean = scores.groupby(["frame", "k", "image"]).psnr.mean()
    for row in chosen.itertuples():
        others = mean[row.frame].drop(row.image, level="image").groupby("k").mean()
        assert row.k == others.idxmax() and row.psnr == pytest.approx(mean[row.frame, row.k, row.image])
    pair = best_threshold_elsewhere(scores, {"a": "one", "b": "one", "c": "two"})
    for row in pair.itertuples():
        others = mean[row.frame].drop(["a", "b"] if row.group == "one" else ["c"], level="image").groupby("k").mean()
        assert row.k == others.idxmax()
    refused(lambda: best_threshold_elsewhere(scores, dict.fromkeys("abc", "one")), "1 group of images")


@each(
    ("call", "said"),
    [
        (lambda: cartoon(100), "size is 100: expected a power of two"),
        (lambda: cartoon(64, seed=-1), "seed is -1"),
        (lambda: coverage(star(), 64, parts=0), "parts is 0"),
        (lambda: n_term_errors(frame("haar", 32), np.zeros((32, 32)), [4]), "all zero"),
        (lambda: n_term_errors(frame("haar", 32), cartoon(32), [0]), "from 1 to 1024"),
        (lambda: n_term_errors(frame("haar", 32), cartoon(64), [4]), "expected a square image of 32 x 32"),
        (lambda: slopes_in_windows([1, 2], [1.0, 0.5], 8), "factor is 8"),
        (lambda: slopes_in_windows([2, 1], [1.0, 0.5]), "rising counts"),
        (lambda: octave_statistics(frame("haar", 64), np.ones((64, 64))), "without energy"),
        (lambda: octave_slopes(Octaves(np.ones(3), np.ones(3))), "2 octaves are left"),
        (lambda: denoise(frame("bior4.4", 32), cartoon(32), 0.1, 3), "bior4.4 is not tight"),
        (lambda: denoise(frame("haar", 32), cartoon(32), -1, 3), "sigma is -1"),
        (lambda: denoise(frame("haar", 32), cartoon(32), 1, 3, "firm"), "unknown kind 'firm'"),
        (lambda: psnr(np.zeros((32, 32)), np.zeros((64, 64))), "other has shape"),
        (lambda: drawn.atom_panels({}), "atoms is empty"),
        (lambda: drawn.log_curves({"": {str(i): ([1], [1]) for i in range(9)}}, xlabel="", ylabel=""), "9 curves"),
    ],
)
def test_bad_input_is_named_in_one_line(call, said):
    refused(call, said)


def test_atoms_are_centred_and_paired_with_their_spectra():
    atom = np.zeros((64, 64))
    atom[3, 60] = 1.0
    fig = drawn.atom_panels({"impulse": atom}, window=16)
    space, frequency = (np.asarray(ax.images[0].get_array()) for ax in fig.axes)
    assert space.shape == (16, 16) and space[8, 8] == 1 and np.allclose(frequency, 1)


def test_spectra_have_their_axes_up_and_right():
    y, x = np.mgrid[:64, :64]
    # Rises to the right and upwards (rows count down), so its wave vector points there.
    wave = np.cos(2 * np.pi * (8 * x - 16 * y) / 64)
    shown = np.asarray(drawn.atom_panels({"wave": wave}).axes[1].images[0].get_array())
    peaks = {tuple(int(i) for i in peak) for peak in np.argwhere(shown > shown.max() / 2)}
    assert peaks == {(16, 40), (48, 24)}


def test_partitions_draw_every_border():
    bands = np.zeros((8, 8), int)
    bands[:, 4:] = 1
    fig = drawn.partition_panels({"halves": bands})
    border = fig.axes[0].images[1].get_array()
    assert border.shape == (7, 7) and border.count() == 7


def test_curves_and_guides_are_drawn_on_their_axes():
    x = np.array([1.0, 2.0, 4.0])
    fig = drawn.log_curves(
        {"p": {"a": (x, 1 / x), "b": (x, 2 / x)}}, xlabel="n", ylabel="e", guides=[("1/n", x, 3 / x)], marked={"p": (1, 2)}
    )
    (ax,) = fig.axes
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert [line.get_ydata()[0] for line in ax.lines] == [1, 2, 3] and ax.texts[0].get_text() == "1/n"


def test_octaves_are_drawn_on_their_mean_with_the_guide_through_it():
    octaves = np.arange(1, 6)
    values = 2.0 ** np.arange(5) * np.ones((3, 1))
    fig = drawn.octave_panels({"w": (octaves, values, 1 / values)}, {"w": (1.0, -1.0)})
    left, right = fig.axes
    for ax, sign in ((left, 1), (right, -1)):
        hollow, fitted, guide = ax.lines
        assert np.allclose(hollow.get_ydata(), sign * np.arange(5)) and len(fitted.get_xdata()) == 4
        assert np.allclose(guide.get_ydata(), sign * np.arange(5))
