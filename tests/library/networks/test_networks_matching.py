"""Matching filters with keys: least squares, what is left out, nulls, intervals, own scales."""

import numpy as np
import pandas as pd
import pytest
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import message as said
from scipy.linalg.lapack import dsyevr

from keyfilters import ideal_filter, learned_filters
from keyfilters.filters import KEYS

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from keyfilters.fitting.joint import key_parameters  # noqa: E402
from keyfilters.networks import (  # noqa: E402
    NULLS,
    FilterBankConv2d,
    ScaleSpaceConv2d,
    explained_interval,
    find_depthwise,
    inspect_model,
    key_filters,
    klines,
    match,
    null_distribution,
    replace,
)
from keyfilters.networks.surgery import nulls  # noqa: E402
from keyfilters.networks.surgery.depthwise import FILTER_SETS, resized  # noqa: E402
from keyfilters.networks.surgery.matching import unit  # noqa: E402
from keyfilters.networks.surgery.nulls import (  # noqa: E402
    covariance_root,
    direction_root,
    null_distributions,
    null_filters,
    spread_of_directions,
)
from keyfilters.networks.surgery.printing import frame_text  # noqa: E402
from keyfilters.networks.surgery.scale_fits import GAMMA_MAX, fit_scales, sigma_max  # noqa: E402

SEEDS = st.integers(0, 10**6)
SIZES = st.sampled_from([3, 5, 7, 9])


def noise(seed, size=7, count=12):
    return np.random.default_rng(seed).normal(size=(count, size, size))


def depthwise(channels=8, size=7, **more):
    return nn.Conv2d(channels, channels * more.pop("multiplier", 1), size, groups=channels, **more)


# The least squares fit


@settings(max_examples=40, deadline=None)
@given(SEEDS, SIZES)
def test_gain_offset_and_explained_variance_are_those_of_least_squares(seed, size):
    filters, keys = noise(seed, size, 5), key_filters("D1", size)
    found = match(filters, "D1").layers[0]
    for c, w in enumerate(filters):
        left = []
        for key in keys:
            design = np.stack([key.ravel(), np.ones(size * size)], axis=1)
            solution = np.linalg.lstsq(design, w.ravel(), rcond=None)[0]
            left.append((((design @ solution - w.ravel()) ** 2).sum(), *solution))
        best = min(left)
        assert found.key[c] == left.index(best) + 1
        np.testing.assert_allclose((found.gain[c], found.offset[c]), best[1:], rtol=1e-8, atol=1e-10)
        total = ((w - w.mean()) ** 2).sum()
        np.testing.assert_allclose(found.explained_by_key[c], 1 - np.array([row[0] for row in left]) / total, atol=1e-10)
        np.testing.assert_allclose(found.energy[c], total)


@settings(max_examples=40, deadline=None)
@given(SEEDS, SIZES, st.floats(1e-2, 1e2), st.floats(-10, 10), st.sampled_from(FILTER_SETS))
def test_explained_variance_is_a_share_and_knows_no_gain_or_offset(seed, size, gain, offset, filters):
    stack = noise(seed, size)
    signs = np.where(np.arange(len(stack)) % 2, 1, -1)[:, None, None]
    plain, moved = (match(s, filters).layers[0] for s in (stack, signs * gain * stack + offset))
    assert ((plain.explained_by_key >= 0) & (plain.explained_by_key <= 1)).all()
    np.testing.assert_allclose(moved.explained_by_key, plain.explained_by_key, atol=1e-9)
    np.testing.assert_array_equal(plain.explained, plain.explained_by_key.max(axis=1))
    np.testing.assert_allclose(moved.gain, signs.ravel() * gain * plain.gain, rtol=1e-6, atol=1e-9 * gain)


@settings(max_examples=30, deadline=None)
@given(SIZES, st.sampled_from([m for m in FILTER_SETS if m != "impulse"]), SEEDS)
def test_a_gained_key_plus_an_offset_is_found_exactly(size, method, seed):
    keys, rng = key_filters(method, size), np.random.default_rng(seed)
    order = rng.permutation(len(keys))
    gain, offset = rng.choice([-1, 1], len(keys)) * rng.uniform(0.1, 5, len(keys)), rng.normal(size=len(keys))
    found = match(gain[:, None, None] * keys[order] + offset[:, None, None], method).layers[0]
    np.testing.assert_array_equal(found.key, order + 1)
    np.testing.assert_allclose(found.explained, 1, atol=1e-12)
    np.testing.assert_allclose(found.gain, gain, rtol=1e-9)
    np.testing.assert_allclose(found.offset, offset, atol=1e-9)


def test_constant_zero_and_withered_filters_are_dead():
    stack = noise(0, count=6)
    stack[1], stack[2] = 0.1, 0.0
    stack[4] *= 1e-8
    found = match(stack)
    layer = found.layers[0]
    assert layer.dead == 3 and found.frame().dead[0] == 3
    np.testing.assert_array_equal(layer.key == 0, [False, True, True, False, True, False])
    assert np.isnan(layer.explained[[1, 2, 4]]).all() and (layer.gain[[1, 2, 4]] == 0).all()
    np.testing.assert_array_equal(layer.offset[[1, 2]], [0.1, 0.0])
    assert 0 < layer.pooled() < 1
    own = fit_scales(stack, layer.key, *key_parameters("B"))
    assert own.gain[1] == 0 and own.offset[1] == 0.1 and np.isnan(own.explained[1]) and own.explained[0] > 0
    # A layer of nothing else.
    found = match(np.ones((4, 5, 5)))
    assert found.layers[0].dead == 4 and np.isnan(found.pooled())


def test_pooling_by_energy_and_by_filters():
    stack = noise(3)
    stack[0] *= 100
    layer = match(stack).layers[0]
    residual = stack - layer.gain[:, None, None] * key_filters("B")[layer.key - 1] - layer.offset[:, None, None]
    np.testing.assert_allclose(layer.pooled(), 1 - (residual**2).sum() / layer.energy.sum())
    np.testing.assert_allclose(layer.pooled("filters"), layer.explained.mean())


# Which layers


def test_layers_that_cannot_be_matched_are_listed_with_the_reason():
    spectral = nn.utils.parametrizations.spectral_norm(depthwise())
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3), depthwise(size=1), depthwise(size=4), depthwise(size=(3, 7)), spectral,
        depthwise(size=5, stride=2, padding=2, multiplier=3), depthwise(size=9, dilation=2, padding="same"),
        nn.Conv2d(8, 8, 3, groups=4),
    )  # fmt: skip
    layers = find_depthwise(network)
    assert [d.name for d in layers] == ["1", "2", "3", "4", "5", "6"]
    assert [d.matchable for d in layers] == [False] * 4 + [True] * 2
    for layer, reason in zip(
        layers, ["1x1", "even size", "not square", "computed by a parametrisation (SpectralNorm)"], strict=False
    ):
        assert reason in layer.note
    assert layers[4].channels == 24 and layers[4].stride == (2, 2) and layers[4].padding == (2, 2)
    assert layers[5].dilation == (2, 2) and layers[5].padding == (8, 8)
    frame = match(network).frame()
    assert frame.layer.tolist() == [d.name for d in layers]
    assert (frame.note == "").tolist() == [d.matchable for d in layers]
    assert frame.explained.isna().tolist() == [not d.matchable for d in layers]
    counted = frame[[f"key_{k}" for k in range(1, 9)]].sum(axis=1) + frame.dead
    assert counted[frame.note == ""].tolist() == [24, 8] and (counted[frame.note != ""] == 0).all()
    assert [m.name for m in match(network).select(size=5).layers] == ["5"]
    assert [m.name for m in match(network).select(stride=1).layers] == ["6"]


def test_a_module_that_stands_twice_is_listed_once_and_the_own_layers_are_found():
    shared = depthwise()
    network = nn.Sequential(shared, nn.ReLU(), shared, ScaleSpaceConv2d(8), FilterBankConv2d(learned_filters(), 16, stride=2))
    assert [d.name for d in find_depthwise(network)] == ["0", "3", "4"]
    found = match(network, "B").layers
    np.testing.assert_array_equal(found[1].key, np.arange(1, 9))
    np.testing.assert_allclose(found[1].explained, 1, atol=1e-6)
    np.testing.assert_allclose(match(network, "learned").layers[2].explained, 1, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_filters_are_the_weights_in_double_precision(dtype):
    conv = depthwise().to(dtype)
    filters = find_depthwise(conv)[0].filters
    assert filters.dtype == np.float64
    np.testing.assert_array_equal(filters, conv.weight.detach().double().numpy()[:, 0])
    filters[:] = 7.0
    assert not (conv.weight == 7.0).any()


def test_sources_of_filters():
    conv = depthwise()
    array = conv.weight.detach().numpy()
    expected = match(conv).layers[0]
    for source in (find_depthwise(conv), array, array[:, 0].astype(float), conv.weight, {"a": array}):
        np.testing.assert_array_equal(match(source).layers[0].key, expected.key)
    assert match({"a": array, "b": array}).frame().layer.tolist() == ["a", "b"]


# Key filters


@pytest.mark.parametrize("size", [3, 5, 7, 9, 11])
def test_key_filters_are_built_at_the_size_and_arrays_cropped_or_padded(size):
    sigma_x, sigma_y, gamma = key_parameters("C1")
    np.testing.assert_array_equal(key_filters("C1", size)[1], ideal_filter(2, sigma_x[1], sigma_y[1], size=size))
    np.testing.assert_array_equal(
        key_filters("C1", size)[6], ideal_filter(7, sigma_x[6], sigma_y[6], gamma=gamma[6], size=size)
    )
    learned = key_filters("learned", size)
    np.testing.assert_array_equal(resized(learned, 3), learned_filters()[:, 2:5, 2:5])
    assert learned.shape == (8, size, size)
    assert key_filters("impulse", size).sum() == key_filters("impulse", size)[0, size // 2, size // 2] == 1


# Nulls


@pytest.mark.parametrize("kind", NULLS)
def test_nulls_have_a_row_per_layer_and_come_again_with_the_seed(kind):
    network = nn.Sequential(depthwise(16, 5), depthwise(12, 7, stride=2), depthwise(4, 1))
    first, again, other = (null_distribution(network, "B", kind, draws=4, seed=s) for s in (1, 1, 2))
    draws = 4 if NULLS[kind].varies else 1
    assert first.layers == ["0", "1"] and first.explained.shape == (2, draws) and first.pooled.shape == (draws,)
    assert ((first.explained > 0) & (first.explained <= 1)).all()
    np.testing.assert_array_equal(first.explained, again.explained)
    if NULLS[kind].varies:
        assert (first.explained != other.explained).all()
    low, high = first.explained.min(axis=0), first.explained.max(axis=0)
    assert ((first.pooled >= low) & (first.pooled <= high)).all()


@pytest.mark.parametrize("pool", ["energy", "filters", "median"])
def test_the_impulse_null_is_the_match_with_the_impulse(pool):
    stack = noise(5, 5)
    null = null_distribution(stack, "B", "impulse", pool=pool)
    np.testing.assert_allclose(null.pooled, match(stack, "impulse").pooled(pool))


def test_lines_bound_the_keys_and_find_what_they_were_made_of():
    gain = np.random.default_rng(0).normal(size=(80, 1, 1))
    stack = gain * np.tile(learned_filters(), (10, 1, 1)) + 0.3
    lines = null_distribution(stack, "learned", "lines").pooled[0]
    np.testing.assert_allclose(lines, 1, atol=1e-9)
    # The keys of another set explain less than the best lines.
    assert match(stack, "B").pooled() < lines


def test_keys_beat_random_and_permuted_ones_on_their_own_filters():
    stack = np.tile(learned_filters(), (4, 1, 1)) + 0.01 * noise(0, count=32)
    explained = match(stack, "B").pooled()
    for kind in ("random", "permuted"):
        assert null_distribution(stack, "B", kind, draws=50).pooled.max() < explained


def test_gaussian_surrogates_have_the_covariance_of_the_layer():
    stack = noise(1, 3, 40) * np.linspace(0.1, 2, 9).reshape(3, 3)
    stack[7] = 1.0  # dead: left out
    bare = np.delete(stack, 7, axis=0).reshape(39, 9)
    bare = bare - bare.mean(axis=1, keepdims=True)
    rng = np.random.default_rng(0)
    draws = np.concatenate([null_filters("gaussian", stack, rng)[0].reshape(-1, 9) for _ in range(500)])
    assert len(draws) == 39 * 500
    np.testing.assert_allclose(draws.sum(axis=1), 0, atol=1e-9)
    expected = bare.T @ bare / len(bare)
    np.testing.assert_allclose(draws.T @ draws / len(draws), expected, atol=0.05 * expected.max())


def one_large(rng, count=60, size=5):
    """Filters along two directions for the most part, one of them 50 times as large as the others."""
    axes = rng.normal(size=(2, size * size))
    filters = rng.normal(size=(count, 1)) * axes[rng.integers(2, size=count)] + 0.3 * rng.normal(size=(count, size * size))
    filters[4] *= 50
    return filters.reshape(count, size, size)


@pytest.mark.parametrize("pool", ["energy", "filters"])
def test_one_key_explains_of_gaussian_filters_what_it_explains_of_the_layer(pool):
    """E (w' f)^2 / E |w|^2 = f' S f / tr S: with a single key the null is the match itself, in each pool."""
    rng = np.random.default_rng(0)
    filters = one_large(rng)
    for key in (filters[1:2], filters[4:5], rng.normal(size=(1, 5, 5))):
        null = null_distribution(filters, key, "gaussian", draws=600, pool=pool)
        assert abs(null.pooled.mean() - match(filters, key).pooled(pool)) < 4 * null.pooled.std() / 600**0.5 + 1e-3


# A moment far below 1 in 1,000 is made by a few of the draws, and the spread of their mean is not known from them.
@given(
    st.lists(st.floats(-2, 0), min_size=2, max_size=9).map(lambda powers: 10.0 ** np.array(powers)), st.integers(0, 2**32 - 1)
)
def test_normal_directions_have_the_moments_they_were_asked_for(moments, seed):
    moments = moments / moments.sum()
    variances = spread_of_directions(moments)
    z = np.random.default_rng(seed).normal(size=(40_000, len(moments))) * np.sqrt(variances)
    drawn = z**2 / (z**2).sum(axis=1, keepdims=True)
    assert (np.abs(drawn.mean(axis=0) - moments) < 6 * drawn.std(axis=0) / 200 + 1e-9).all()
    np.testing.assert_allclose(spread_of_directions(3 * moments), variances, rtol=1e-6)


def test_directions_within_a_plane_and_along_a_line():
    (one,), three = spread_of_directions(np.ones(1)), spread_of_directions(np.array([0.5, 0.0, 0.5]))
    assert one == 1 and three == pytest.approx([0.5, 0.0, 0.5])
    filters = np.outer([1.0, -2.0, 3.0], np.arange(9.0)).reshape(3, 3, 3)
    for pool in ("energy", "filters", "median"):
        assert null_distribution(filters, filters[:1], "gaussian", draws=3, pool=pool).pooled == pytest.approx(1)


def test_roots_do_not_hang_on_the_signs_of_eigenvectors(monkeypatch):
    vectors = one_large(np.random.default_rng(2)).reshape(60, 25)
    before = covariance_root(vectors), direction_root(unit(vectors))
    eigh = np.linalg.eigh
    monkeypatch.setattr(np.linalg, "eigh", lambda a: (eigh(a)[0], -eigh(a)[1]))
    for root, again in zip(before, (covariance_root(vectors), direction_root(unit(vectors))), strict=True):
        np.testing.assert_allclose(again, root, atol=1e-12)


def test_permuted_keys_keep_their_angles():
    keys = key_filters("B").reshape(8, -1)
    keys = keys - keys.mean(axis=1, keepdims=True)
    _, permuted = null_filters("permuted", noise(0), np.random.default_rng(0))
    permuted = permuted.reshape(8, -1)
    np.testing.assert_allclose(permuted @ permuted.T, keys @ keys.T, atol=1e-12)
    assert not np.allclose(permuted, keys)


# Intervals


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.integers(1, 4), st.sampled_from(["energy", "filters"]))
def test_intervals_widen_with_the_level_and_come_again(seed, layers, pool):
    found = match({str(i): noise(seed + i, 5, 6) for i in range(layers)})
    narrow, wide, again = (explained_interval(found, level, draws=200, seed=seed, pool=pool) for level in (0.5, 0.99, 0.99))
    assert 0 <= wide.low <= narrow.low <= narrow.high <= wide.high <= 1
    assert wide == again and wide.estimate == found.pooled(pool)


def test_filters_that_are_all_explained_alike_have_no_interval_to_speak_of():
    found = explained_interval(match(key_filters("B") * 3.0, "B"), draws=100)
    np.testing.assert_allclose((found.low, found.estimate, found.high), 1)


def test_layers_that_differ_give_a_wider_interval_than_filters_that_do():
    good, bad = key_filters("B") + 0.01 * noise(0, count=8), noise(1, count=8)
    mixed = np.stack([good, bad]).transpose(1, 0, 2, 3).reshape(2, 8, 7, 7)
    stacks = [{str(i): s for i, s in enumerate(pair)} for pair in ((good, bad), mixed)]
    apart, shuffled = (explained_interval(match(s), draws=400, pool="filters") for s in stacks)
    assert apart.high - apart.low > shuffled.high - shuffled.low


# Own scales


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 8), st.sampled_from([5, 7, 9]), st.floats(0, 1.4), st.floats(0, 1.4), st.floats(0.1, 2), SEEDS)
def test_own_scales_explain_an_idealised_filter_entirely(key, size, sigma_x, sigma_y, gamma, seed):
    gain, offset = np.random.default_rng(seed).uniform(-3, 3, 2)
    more = {"gamma": gamma} if key == 7 else {}
    w = (abs(gain) + 0.1) * np.sign(gain) * ideal_filter(key, sigma_x, sigma_y, size=size, **more) + offset
    found = fit_scales(w[None], np.array([key]), *key_parameters("B"))
    assert found.explained[0] > 1 - 1e-4
    more = {"gamma": found.gamma[0]} if key == 7 else {}
    model = found.gain[0] * ideal_filter(key, found.sigma_x[0], found.sigma_y[0], size=size, **more) + found.offset[0]
    assert np.abs(model - w).max() < 0.02 * np.abs(w - w.mean()).max()


@settings(max_examples=20, deadline=None)
@given(SEEDS, SIZES, st.sampled_from(["A", "B", "C1", "D2", "B-joint"]))
def test_own_scales_are_never_worse_than_the_affine_match(seed, size, method):
    stack = noise(seed, size, 30)
    affine = match(stack, method).layers[0]
    own = fit_scales(stack, affine.key, *key_parameters(method))
    assert (own.explained >= affine.explained - 1e-12).all() and (own.explained <= 1).all()
    sigmas = np.stack([own.sigma_x, own.sigma_y])
    assert (sigmas >= 0).all() and (sigmas <= sigma_max(size) + 1e-12).all()
    assert (own.gamma >= 0).all() and (own.gamma <= GAMMA_MAX).all()
    for c, w in enumerate(stack):
        more = {"gamma": own.gamma[c]} if affine.key[c] == 7 else {}
        model = ideal_filter(int(affine.key[c]), own.sigma_x[c], own.sigma_y[c], size=size, **more)
        residual = w - own.gain[c] * model - own.offset[c]
        np.testing.assert_allclose(1 - (residual**2).sum() / affine.energy[c], own.explained[c], atol=1e-9)


def test_own_scales_are_as_good_as_a_fine_grid():
    stack = noise(11, 5, 16)
    keys = match(stack).layers[0].key
    found = fit_scales(stack, keys, *key_parameters("B"))
    grid = np.linspace(0, sigma_max(5), 61)
    bare = stack.reshape(16, -1) - stack.reshape(16, -1).mean(axis=1, keepdims=True)
    for c in np.flatnonzero(keys != 7):
        bank = ideal_filter(int(keys[c]), grid[:, None], grid, size=5).reshape(-1, 25)
        bank = bank - bank.mean(axis=1, keepdims=True)
        share = (bank @ bare[c]) ** 2 / (bank**2).sum(axis=1) / (bare[c] ** 2).sum()
        assert found.explained[c] > share.max() - 1e-3


@pytest.mark.parametrize("key", range(1, 9))
def test_scales_that_a_filter_does_not_determine_are_said(key):
    """With three taps a difference has one shape, and key 7 more parameters than there are shapes; five taps are enough."""
    more = {"gamma": 0.7} if key == 7 else {}
    axis = KEYS[key - 1].derivative_axis
    for size in (3, 5, 7):
        w = 2 * ideal_filter(key, 0.6, 0.8, size=size, **more) + 0.1
        found = fit_scales(w[None], np.array([key]), *key_parameters("B"))
        expected = [True, True] if size > 3 else [False, False] if key == 7 else [axis != 0, axis != 1]
        assert found.determined[:, 0].tolist() == expected, size
        for name, firm, right in zip(("sigma_x", "sigma_y"), expected, (0.6, 0.8), strict=True):
            assert not firm or getattr(found, name)[0] == pytest.approx(right, abs=1e-3)
        row = inspect_model({"a": np.tile(w, (3, 1, 1))}, nulls="none").frame().iloc[0]
        assert [not np.isnan(row.sigma_x), not np.isnan(row.sigma_y)] == expected and row.explained_fitted > 1 - 1e-6


# Mistakes


def spoilt(value):
    network = nn.Sequential(nn.Conv2d(1, 8, 1), depthwise())
    with torch.no_grad():
        network[1].weight[3, 0, 2, 2] = value
    return network


@each(
    ("call", "message"),
    [
        (lambda: find_depthwise("resnet"), "model is a str: expected a torch.nn.Module"),
        (lambda: match(nn.Linear(2, 2)), "Linear has no depthwise convolution"),
        (lambda: match(nn.Sequential(nn.Conv2d(4, 4, 3))), "has no depthwise convolution"),
        (lambda: match(spoilt(float("nan"))), "layer 1: its weights hold NaN or infinity"),
        (lambda: match(spoilt(float("inf"))), "layer 1: its weights hold NaN or infinity"),
        (lambda: match(depthwise(device="meta")), "its weights are on the meta device"),
        (lambda: match(depthwise(), "E"), "unknown filters 'E': expected one of A, B"),
        (lambda: match(depthwise(), np.ones((2, 4, 4))), "filters has shape (2, 4, 4)"),
        (lambda: match(depthwise(), np.zeros((2, 7, 7))), "filters are all zero"),
        (lambda: match(np.full((2, 3, 3), np.nan)), "filters holds NaN or infinity"),
        (lambda: match({"a": "b"}), "a is not an array of real numbers"),
        (lambda: match([]), "expected a torch.nn.Module"),
        (lambda: key_filters("B", 4), "size is 4: expected an odd integer"),
        (lambda: match(noise(0)).pooled("sum"), "unknown pool 'sum': expected one of energy, filters, median"),
        (lambda: null_distribution(noise(0), "B", "noise"), "unknown kind 'noise'"),
        (lambda: null_distribution(noise(0), draws=0), "draws is 0: expected an integer of at least 1"),
        (lambda: null_distribution(noise(0), seed=-1), "seed is -1: expected an integer of at least 0"),
        (lambda: null_distribution(np.ones((3, 7, 7))), "no layer has live filters"),
        (lambda: null_filters("random", np.ones((3, 7, 7)), np.random.default_rng()), "all its filters are dead"),
        (lambda: explained_interval(match(noise(0)), level=95), "level is 95: expected a number between 0 and 1"),
        (lambda: explained_interval(match(noise(0)), pool="median"), "unknown pool 'median': expected one of energy, filters"),
        (lambda: explained_interval(match(np.ones((4, 5, 5)))), "no filter is matched"),
    ],
)
def test_mistakes_are_answered_in_one_line(call, message):
    assert message in said(call)


# What print shows


@pytest.mark.parametrize("prefix", ["", "a.very.long.name.of.a.part.of.a.network."])
def test_reports_fit_into_eighty_columns(prefix):
    network = nn.Sequential()
    place = network
    for name in filter(None, prefix.split(".")):
        place.add_module(name, nn.Sequential())
        place = place.get_submodule(name)
    place.add_module("mixed", nn.Sequential(depthwise(4, 3), depthwise(4, (3, 7)), nn.Sequential(depthwise(6, 7))))
    for found in (match(network), replace(network), inspect_model(network, draws=2)):
        lines = str(found).splitlines()
        assert max(map(len, lines)) <= 80 and "..." not in str(found)
        columns = {word for line in lines if line.split()[:1] == ["layer"] for word in line.split()}
        assert columns >= {"layer", "size", "explained", *(f"k{k}" for k in range(1, 9))}
        assert sum(line.split()[:1] == [f"{prefix}mixed.0"] for line in lines) >= 1
        assert "kernel is not square (3x7)" in " ".join(str(found).split())


def test_a_report_says_how_many_filters_are_nearest_to_each_key():
    filters = {"one": learned_filters()[[0, 0, 7]], "two": np.concatenate([learned_filters()[[4]], np.zeros((1, 7, 7))])}
    head, one, two, *below = str(match(filters, "learned")).splitlines()
    assert head.split() == ["layer", "size", "n", "explained", "median", *(f"k{k}" for k in range(1, 9))]
    assert one.split() == ["one", "7x7", "3", *["1.000"] * 2, "2", *"000000", "1"]
    assert two.split() == ["two", "7x7", "2", *["1.000"] * 2, *"0000", "1", *"000"]
    assert below[0] == "5 filters matched, 1 of them dead; explained variance 1.000 (pooled by energy);"


def test_one_large_filter_decides_the_pooled_share_and_not_the_mean_nor_the_median():
    noise = np.random.default_rng(0).normal(size=(20, 7, 7))
    large = 50 * learned_filters()[:1] / np.linalg.norm(learned_filters()[0])
    found = match(np.concatenate([large, 0.1 * noise]), "learned")
    each = found.layers[0].explained
    assert found.pooled() > 0.98 and each[1:].max() < 0.6
    assert (found.pooled("filters"), found.pooled("median")) == (each.mean(), np.median(each)) and found.pooled("median") < 0.3
    row = found.frame().iloc[0]
    assert (row.explained_mean, row.explained_median) == (each.mean(), np.median(each))
    shown = " ".join(str(found).split())
    assert f"pooled by energy); over the filters mean {each.mean():.3f}, median {np.median(each):.3f}" in shown
    # A null pooled in the same three ways: of the same draws, each filter of a draw by itself.
    channels, random = null_filters("random", noise, np.random.default_rng([3, 0]), "learned")
    shares = match(channels, random).layers[0].explained
    null = null_distributions(noise, "learned", "random", draws=1, seed=3)
    assert [float(null[pool].pooled[0]) for pool in ("filters", "median")] == pytest.approx(
        [shares.mean(), np.median(shares)], abs=1e-12
    )
    assert (
        null["energy"].pooled[0]
        == null_distribution(noise, "learned", "random", draws=1, seed=3).pooled[0]
        != null["filters"].pooled[0]
    )


def test_large_kernels_have_all_their_nulls(monkeypatch):
    """31 x 31 pixels: the best lines of 16 filters need no matrix of 961 x 961, of which a search decomposes thousands."""
    filters, sizes = np.random.default_rng(0).normal(size=(16, 31, 31)), []
    monkeypatch.setattr(klines, "dsyevr", lambda matrix, **options: (sizes.append(len(matrix)), dsyevr(matrix, **options))[1])
    for kind in NULLS:
        found = null_distribution(filters, "B", kind, draws=3)
        assert ((found.pooled > 0) & (found.pooled <= 1)).all()
    assert sizes and max(sizes) <= 16
    assert (
        null_distribution(filters, "B", "lines").pooled[0] > null_distribution(filters, "B", "gaussian", draws=3).pooled.max()
    )


def test_nulls_that_take_long_show_a_bar_on_a_terminal_only(monkeypatch, capfd):
    filters, steps = np.random.default_rng(0).normal(size=(4, 7, 7)), []

    class Bar(nulls.tqdm):
        def __init__(self, **options):
            assert options["disable"] is None
            super().__init__(**options | {"disable": False})

        def update(self, n=1):
            steps.append(n)

    null_distribution({"a": filters, "b": filters}, draws=5)
    assert capfd.readouterr() == ("", "")
    monkeypatch.setattr(nulls, "tqdm", Bar)
    null_distribution({"a": filters, "b": filters}, draws=5)
    assert sum(steps) == 10


def test_a_table_breaks_where_it_has_to():
    frame = pd.DataFrame({"layer": ["a", "b"], "x": [0.5, np.nan], "y": [-1e-9, 2.0], "z": [3, 14], "w": [None, "no"]})
    assert frame_text(frame).splitlines() == ["layer     x     y  z  w", "    a 0.500 0.000  3  -", "    b     - 2.000 14 no"]
    for width in range(6, 30):
        blocks = [block.splitlines() for block in frame_text(frame, width).split("\n\n")]
        assert [name for block in blocks for name in block[0].split()[1:]] == ["x", "y", "z", "w"]
        assert all(len(block) == 3 and block[2].split()[0] == "b" for block in blocks)
        assert width < 11 or max(len(line) for block in blocks for line in block) <= width
    assert frame_text(frame[:0]) == ""
    assert frame_text(pd.DataFrame({"n": pd.array([1, None], dtype="Int64")})).split() == ["n", "1", "-"]
