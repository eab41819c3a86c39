"""Whitening makes covariances the identity; fits find the functions they are given; colours add up; layers as defined."""

import numpy as np
import pytest
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import message as said
from scipy.stats import ortho_group

from keyfilters_book.figures.mosaics import mosaic_rows, mosaics, step_curves, tiles
from keyfilters_book.representations import gabor
from keyfilters_book.representations.colour import OPPONENT, colour_axes, colour_parts
from keyfilters_book.representations.patches import Patches, luminance, sample_patches, whiten, whitened_images
from keyfilters_book.representations.resampling import recentred, shrunk
from keyfilters_book.representations.second_layer import column_correlations, combined, rectified_maps, second_layer
from keyfilters_book.representations.sparse_coding import (
    independent_components,
    kurtosis,
    principal_components,
    random_rotation,
    sparse_dictionary,
)


def mixed(count=400, d=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, d)) @ rng.standard_normal((d, d)) + rng.standard_normal(d)


# Whitening


@given(d=st.integers(2, 8), seed=st.integers(0, 10_000), kind=st.sampled_from(["pca", "zca"]))
@settings(max_examples=30, deadline=None)
def test_white_data_have_the_identity_as_covariance_and_come_back(d, seed, kind):
    x = mixed(20 * d, d, seed)
    w = whiten(x, kind)
    assert len(w.variances) == d and (np.diff(w.variances) <= 0).all()
    assert np.allclose(np.cov(w.apply(x).T, bias=True), np.eye(d), atol=1e-6)
    assert np.allclose(w.undo(w.apply(x)), x, atol=1e-6 * np.abs(x).max())
    if kind == "zca":
        assert np.allclose(w.forward, w.forward.T)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_zca_changes_the_data_least_of_all_whitenings(seed):
    x = mixed(seed=seed)
    w = whiten(x, "zca")
    white, rest = w.apply(x), x - w.mean
    turn = ortho_group.rvs(6, random_state=np.random.default_rng(seed))
    assert ((white - rest) ** 2).sum() <= ((white @ turn.T - rest) ** 2).sum() + 1e-9


def test_fewer_components_leave_a_projection_and_patches_without_mean_lack_one():
    x = mixed()
    w = whiten(x, "zca", 3)
    projection = np.cov(w.apply(x).T, bias=True)
    assert np.allclose(projection @ projection, projection) and round(np.trace(projection)) == 3
    assert len(whiten(x - x.mean(axis=1, keepdims=True)).variances) == 5


def test_whitened_images_hold_the_white_value_of_the_middle_pixel():
    image = np.random.default_rng(0).random((20, 24)).cumsum(axis=0).cumsum(axis=1)
    patches = sample_patches({"a": image}, 5, 500, keep_mean=True)
    w = whiten(patches.vectors, "zca")
    white = whitened_images({"a": image}, w)["a"]
    windows = np.lib.stride_tricks.sliding_window_view(image, (5, 5)).reshape(-1, 25)
    direct = w.apply(windows)[:, 12].reshape(16, 20)
    assert np.allclose(white, (direct - direct.mean()) / direct.std(), atol=1e-8)


def test_patches_are_pieces_of_their_images():
    names = {"flat": np.tile(np.arange(10.0), (12, 1)), "steep": np.tile(5 * np.arange(9.0), (9, 1))}
    drawn = sample_patches(names, 4, 20, seed=3)
    assert drawn.groups.tolist() == ["flat", "steep"] * 10
    slope = {"flat": 1.0, "steep": 5.0}
    for values, name in zip(drawn.values, drawn.groups, strict=True):
        assert np.allclose(values, slope[name] * (np.arange(4) - 1.5))
    assert set(drawn.of(["steep"]).groups) == {"steep"}
    again = sample_patches(names, 4, 20, seed=3)
    assert np.array_equal(drawn.values, again.values)


def test_luminance_averages_blocks_and_cuts_what_is_left():
    image = np.random.default_rng(0).random((5, 7, 3))
    grey = luminance(image, 2)
    blocks = np.array([[image[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean() for j in range(3)] for i in range(2)])
    assert np.allclose(grey, (blocks - blocks.mean()) / blocks.std())


# Bases


def sources(count=3000, k=9, seed=0):
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((k, k))
    return Patches((rng.laplace(size=(count, k)) @ mixing).reshape(count, 3, 3), np.zeros(count, str)), mixing


@pytest.mark.parametrize("make", [principal_components, random_rotation, independent_components])
def test_rotations_are_white_and_their_atoms_give_the_patches_back(make):
    patches, _ = sources()
    basis = make(patches, 9)
    white = basis.responses(patches)
    assert np.allclose(np.cov(white.T, bias=True), np.eye(9), atol=1e-8)
    back = (white - white.mean(axis=0)) @ basis.atoms.reshape(9, -1) + patches.vectors.mean(axis=0)
    assert np.allclose(back, patches.vectors)


def test_ica_unmixes_and_is_sparser_than_any_other_rotation():
    patches, mixing = sources()
    ica = independent_components(patches, 9)
    gains = np.abs(mixing @ ica.filters.reshape(9, 9).T)
    assert ica.converged and sorted(gains.argmax(axis=0)) == list(range(9))
    others = [kurtosis(random_rotation(patches, 9, seed).responses(patches)).mean() for seed in range(5)]
    assert kurtosis(ica.responses(patches)).mean() > max(others) + 1
    assert not independent_components(patches, 9, iterations=1, tolerance=1e-12).converged


def test_a_dictionary_has_the_atoms_asked_for_and_repeats():
    patches = sources(600)[0]
    one, two = (sparse_dictionary(patches, 8, 12, passes=2) for _ in range(2))
    assert one.atoms.shape == one.filters.shape == (12, 3, 3) and not one.converged
    assert np.array_equal(one.atoms, two.atoms)


# Fits


def drawn_shapes(count, tuned, seed=0):
    """Shapes well inside of an 11 x 11 patch; with about half a cycle within a standard deviation."""
    rng = np.random.default_rng(seed)
    shapes = np.column_stack(
        [
            rng.uniform(-1.5, 1.5, (count, 2)),
            rng.uniform(0, np.pi, count),
            rng.uniform(1.2, 2, count),
            rng.uniform(1.3, 2.2, count),
        ]
    )
    return np.column_stack([shapes, rng.uniform(0.35, 0.6, count) / shapes[:, 3]]) if tuned else shapes


def test_a_gabor_fit_recovers_its_parameters_up_to_sign_and_half_a_turn():
    truth = drawn_shapes(40, tuned=True)
    phase = np.random.default_rng(1).uniform(0, 2 * np.pi, 40)
    amplitudes = 3.0 * np.stack([np.cos(phase), np.sin(phase)], axis=1)
    h = np.einsum("npa,na->np", gabor.columns("gabor", truth, 11), amplitudes).reshape(-1, 11, 11)
    fits = gabor.fit_gabor(h)
    # A search may end in another minimum; where it does not, everything is found.
    exact = [i for i, found in enumerate(fits) if found.explained > 1 - 1e-7]
    assert len(exact) >= 38
    for i in exact:
        found = fits[i]
        assert np.allclose(found.filter, h[i], atol=1e-2)
        turn = abs(found.shape[2] - truth[i, 2])
        assert min(turn, np.pi - turn) < 1e-2
        assert np.allclose(found.shape[[0, 1, 3, 4, 5]], truth[i, [0, 1, 3, 4, 5]], atol=2e-2)
        # Half a turn exchanges u and -u, which changes the sine's sign.
        sine = found.amplitudes[1] if turn < np.pi / 2 else -found.amplitudes[1]
        assert np.allclose([found.amplitudes[0], sine], amplitudes[i], atol=0.1)


@pytest.mark.parametrize("model", ["derivatives 0-2", "derivative 1", "derivative 2"])
def test_a_derivative_fit_explains_derivatives(model):
    shapes, count = drawn_shapes(40, tuned=False), gabor.GABOR_MODELS[model].amplitudes
    amplitudes = np.random.default_rng(1).uniform(-1, 1, (40, count))
    h = np.einsum("npa,na->np", gabor.columns(model, shapes, 11), amplitudes).reshape(-1, 11, 11)
    explained = np.array([found.explained for found in gabor.fit_gabor(h, model)])
    assert (explained > 0.9999).mean() >= 0.9 and explained.min() > 0.9


@given(seed=st.integers(0, 1000), gain=st.floats(0.01, 100), model=st.sampled_from(["gabor", "derivatives 0-2"]))
@settings(max_examples=10, deadline=None)
def test_a_gain_scales_the_filter_and_a_turn_of_the_image_turns_the_angle(seed, gain, model):
    shape = drawn_shapes(1, model == "gabor", seed)[0]
    h = (gabor.columns(model, shape, 11) @ np.ones(gabor.GABOR_MODELS[model].amplitudes)).reshape(11, 11)
    one, scaled = gabor.fit_gabor(np.stack([h, -gain * h]), model)
    assert scaled.explained == pytest.approx(one.explained, abs=1e-9)
    # In a flat minimum shape and amplitudes wander together, further than rounding; the filter that they make does not.
    assert np.allclose(scaled.filter, -gain * one.filter, atol=1e-4 * gain * np.abs(h).max())
    turned = gabor.columns(model, [-one.shape[1], one.shape[0], one.shape[2] + np.pi / 2, *one.shape[3:]], 11) @ one.amplitudes
    assert np.allclose(turned.reshape(11, 11), np.rot90(one.filter))


@pytest.mark.parametrize("model", list(gabor.GABOR_MODELS))
def test_the_functions_of_a_fit_give_its_filter_and_its_share(model):
    w = np.random.default_rng(0).standard_normal((2, 9, 9))
    for h, found in zip(w, gabor.fit_gabor(w, model), strict=True):
        m = gabor.GABOR_MODELS[model]
        assert len(found.shape) + len(found.amplitudes) == m.parameters
        assert np.allclose((gabor.columns(model, found.shape, 9) @ found.amplitudes).reshape(9, 9), found.filter)
        assert found.explained == pytest.approx(1 - ((h - found.filter) ** 2).sum() / (h**2).sum())
        assert 0 <= found.shape[2] < np.pi
        # Both models that the page compares have eight free numbers.
        assert model not in ("gabor", "derivatives 0-2") or m.parameters == 8


def test_directional_functions_are_derivatives_of_the_gaussian():
    """Central differences of the Gaussian along u, with the factors of Hermite's polynomials."""
    shape, step = np.array([0.3, -0.4, 0.7, 1.3, 2.1]), 1e-3
    along = np.array([np.cos(0.7), np.sin(0.7), 0, 0, 0])
    g = [gabor.columns("derivative 0", shape + k * step * along, 9)[:, 0] for k in (-1, 0, 1)]
    # Moving the centre by +u is minus a derivative.
    first = gabor.columns("derivative 1", shape, 9)[:, 0] / 1.3
    assert np.allclose((g[2] - g[0]) / (2 * step), first, atol=1e-5)
    second = gabor.columns("derivative 2", shape, 9)[:, 0] / 1.3**2
    assert np.allclose((g[2] - 2 * g[1] + g[0]) / step**2, second, atol=1e-5)


def test_jacobian_of_a_perfect_fit_is_that_of_differences():
    """Kaufman's form leaves out a term that vanishes with the residual."""
    m, shape = gabor.GABOR_MODELS["gabor"], np.array([0.2, 0.5, 0.6, 1.5, 2.0, 0.25])
    w = gabor.columns("gabor", shape, 9) @ [1.0, 0.5]
    z = np.concatenate([shape[:3], np.log(shape[3:])])
    step = 1e-6 * np.eye(6)
    around = gabor._state(np.concatenate([z + step, z - step]), m, np.tile(w, (12, 1)), 9)["left"]
    found = gabor._slopes(z[None], m, gabor._state(z[None], m, w[None], 9), 9)
    assert np.allclose(found[0], (around[6:] - around[:6]) / 2e-6, atol=1e-4)


# Colour


@given(seed=st.integers(0, 10_000), n=st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_the_parts_of_a_colour_filter_are_orthogonal_and_add_up(seed, n):
    w = np.random.default_rng(seed).standard_normal((4, 3, n, n))
    parts = colour_parts(w)
    together = np.concatenate([parts.luminance[:, None], parts.chroma], axis=1)
    assert np.allclose(np.einsum("jc,njxy->ncxy", OPPONENT, together), w)
    assert np.allclose(1 - (parts.luminance**2).sum(axis=(1, 2)) / (w**2).sum(axis=(1, 2, 3)), parts.share)
    assert ((parts.separability >= 1 / 3 - 1e-12) & (parts.separability <= 1 + 1e-12)).all()
    product = parts.colour[:, :, None, None] * parts.mask[:, None]
    assert np.allclose(1 - ((w - product) ** 2).sum(axis=(1, 2, 3)) / (w**2).sum(axis=(1, 2, 3)), parts.separability)
    shares, axes = colour_axes(w)
    assert np.allclose(axes @ axes.T, np.eye(3)) and shares.sum() == pytest.approx(1)


def test_grey_filters_have_no_chroma_and_opponent_ones_nothing_else():
    mask = np.random.default_rng(0).standard_normal((3, 3))
    parts = colour_parts([OPPONENT[j][:, None, None] * mask for j in range(3)])
    assert np.allclose(parts.share, [0, 1, 1]) and np.allclose(parts.separability, 1)


# Resampling, second layer


def test_recentred_moves_a_blob_to_the_middle_and_shrunk_keeps_constants():
    h = gabor.columns("derivative 0", np.array([[1.5, -2.0, 0, 1.2, 1.2], [-1, 0.5, 0, 1.2, 1.2]]), 11)[..., 0].reshape(
        -1, 11, 11
    )
    moved = recentred(h, [(1.5, -2.0), (-1, 0.5)])
    middle = gabor.columns("derivative 0", [0, 0, 0, 1.2, 1.2], 7)[:, 0].reshape(7, 7)
    assert np.allclose(moved, middle, atol=0.02)
    assert np.allclose(shrunk(2 * np.ones((2, 11, 11))), 2)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_the_modulus_forgets_the_sign_of_a_filter_and_on_off_exchanges_channels(seed):
    rng = np.random.default_rng(seed)
    patches, filters = rng.standard_normal((3, 6, 6)), rng.standard_normal((4, 3, 3))
    modulus = rectified_maps(patches, filters, 2)
    assert np.allclose(modulus, rectified_maps(patches, -filters, 2))
    on_off = rectified_maps(patches, filters, 2, "on-off")
    assert np.allclose(np.roll(on_off, 4, axis=1), rectified_maps(patches, -filters, 2, "on-off"))
    assert np.allclose(on_off[:, :4] + on_off[:, 4:], modulus)
    direct = np.abs([(patches[0, i : i + 3, j : j + 3] * filters[1]).sum() for i in (2, 3) for j in (0, 1)]).mean()
    assert modulus[0, 1, 1, 0] == pytest.approx(direct)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_a_drawing_is_the_gradient_of_the_pooled_linear_responses(seed):
    """Without rectification the weighted pooled responses are the inner product with the drawing."""
    rng = np.random.default_rng(seed)
    atoms, weights = rng.standard_normal((2, 3, 3)), rng.standard_normal((3, 2, 2, 2))
    image = rng.standard_normal((6, 6))
    pooled = np.array([[[(image[i : i + 3, j : j + 3] * a).sum() for j in range(4)] for i in range(4)] for a in atoms])
    pooled = pooled.reshape(2, 2, 2, 2, 2).mean(axis=(2, 4))
    inner = (combined(weights, atoms, 2) * image).sum(axis=(1, 2))
    assert np.allclose(inner, np.einsum("ukxy,kxy->u", weights, pooled))
    both = np.concatenate([weights, -weights], axis=1) / 2
    assert np.allclose(combined(both, atoms, 2), combined(weights, atoms, 2))


def test_a_second_layer_is_white_on_its_patches():
    rng = np.random.default_rng(0)
    patches = rng.laplace(size=(300, 5, 5))
    layer = second_layer(patches, rng.standard_normal((3, 2, 2)), 2, units=4)
    assert layer.filters.shape == layer.atoms.shape == (4, 3, 2, 2)
    assert np.allclose(np.cov(layer.responses(patches).T, bias=True), np.eye(4), atol=1e-8)
    assert np.allclose(column_correlations(layer.responses(patches), -layer.responses(patches)), -1)


# Figures, bad input


def test_figures_draw_each_entry():
    filters = np.random.default_rng(0).standard_normal((5, 3, 3))
    assert len([ax for ax in mosaics({"a": filters, "b": np.ones((3, 2, 2, 3))}).axes if ax.images]) == 2
    assert len(mosaic_rows({"a": filters, "b": filters[:2]}).axes) == 2
    fig = step_curves({"error": {"a": ([0, 10, 100], [1, 0.5, 0.2])}})
    assert fig.axes[0].get_ylabel() == "error" and len(fig.axes[0].lines) == 1
    laid = tiles(filters, 2)
    assert np.nanmax(np.abs(laid)) == 1 and np.isnan(laid[3]).all()


GREY = {"a": np.eye(6)}


@each("call, message", [
    (lambda: luminance(np.ones((4, 4, 3))), "image is constant: expected one with contrast"),
    (lambda: luminance(np.ones((4, 4))), "image has shape (4, 4): expected (rows, columns, 3)"),
    (lambda: luminance(np.random.rand(2, 2, 3), 5), "reduce is 5 for an image of 2 x 2 pixels"),
    (lambda: sample_patches({}, 3, 3), "images is empty"),
    (lambda: sample_patches(GREY, 7, 3), "image a has shape (6, 6): expected (rows, columns), both at least 7"),
    (lambda: sample_patches(GREY, 3, 0), "count is 0: expected an integer of at least 1"),
    (lambda: sample_patches(GREY, 3, 4).of(["b"]), "no patch is of b: expected names among a"),
    (lambda: whiten(np.ones((4, 3))), "vectors are all equal"),
    (lambda: whiten(np.eye(3), "all"), "unknown kind 'all'"),
    (lambda: whiten(mixed(), components=7), "components is 7 but only 6 have variance"),
    (lambda: whitened_images(GREY, whiten(np.eye(4))), "expected zca of patches with an odd side"),
    (lambda: sparse_dictionary(sources(20)[0], 4, 30), "atoms is 30 but there are only 20 patches"),
    (lambda: gabor.fit_gabor(np.zeros((1, 7, 7))), "filter 0 is all zero"),
    (lambda: gabor.fit_gabor(np.ones((7, 7))), "filters has shape (7, 7): expected (N, n, n)"),
    (lambda: gabor.fit_gabor(np.ones((1, 7, 7)), "wave"), "unknown model 'wave'"),
    (lambda: gabor.columns("gabor", [0, 0, 0, 1, 1], 7), "shape has 5 numbers: expected 6"),
    (lambda: colour_parts(np.zeros((1, 3, 3, 3))), "filter 0 is all zero"),
    (lambda: colour_parts(np.ones((3, 3, 3))), "filters has shape (3, 3, 3): expected (N, 3, n, n)"),
    (lambda: recentred(np.ones((2, 5, 5)), [(0, 0)]), "expected (N, n, n) and (N, 2)"),
    (lambda: shrunk(np.ones((2, 5, 5)), 4), "size is 4: expected an odd integer"),
    (lambda: rectified_maps(np.ones((1, 5, 5)), np.ones((1, 3, 3)), 2), "have 3 places along patches of side 5"),
    (lambda: combined(np.ones((1, 3, 2, 2)), np.ones((2, 3, 3)), 2), "expected (units, 2 or 4, blocks, blocks)"),
])  # fmt: skip
def test_bad_input_is_named_in_one_line(call, message):
    assert message in said(call)
