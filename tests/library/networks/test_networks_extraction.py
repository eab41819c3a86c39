"""Extraction: what was mixed is found again, whatever the gains and signs; the reduction; the comparison."""

import json
from collections import OrderedDict

import numpy as np
import pytest
import torch
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused
from torch import nn

from keyfilters import ideal_filter, learned_filters
from keyfilters.filter_files import load_filters
from keyfilters.networks.extraction.autoencoder import fit_autoencoder
from keyfilters.networks.extraction.comparison import ALGORITHMS, assign, compare_keys, surrogate
from keyfilters.networks.extraction.extracting import NORMALIZATIONS, extract, normalized, pool_networks, two_rounds
from keyfilters.networks.extraction.reduction import REACH, Accuracy, ExplainedVariance, elbow, greedy_reduction
from keyfilters.networks.klines import k_lines, leading_directions


def eight(size=7, sigma=0.7):
    return np.stack([ideal_filter(k, sigma, gamma=0.5 if k == 7 else None, size=size) for k in range(1, 9)])


def lines_of(filters):
    """Unit mean-free vectors."""
    v = filters.reshape(len(filters), -1)
    v = v - v.mean(axis=1, keepdims=True)
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def mixture(count=400, size=7, noise=0.02, seed=0, keys=None):
    """Filters a f + b + noise with random gains of either sign, random offsets, and the key of each."""
    rng = np.random.default_rng(seed)
    keys = eight(size) if keys is None else keys
    labels = np.arange(count) % len(keys)
    gain = rng.uniform(0.3, 3.0, count) * rng.choice([-1.0, 1.0], count)
    clean = gain[:, None, None] * keys[labels] + rng.normal(size=count)[:, None, None]
    scale = np.abs(gain)[:, None, None] * np.linalg.norm(keys[labels], axis=(1, 2), keepdims=True)
    return clean + noise * scale * rng.normal(size=clean.shape), labels


clouds = st.builds(
    lambda seed, n, d, rank: np.random.default_rng(seed).normal(size=(n, rank)) @ np.random.default_rng(seed + 1).normal(size=(rank, d)),
    st.integers(0, 10_000), st.integers(6, 40), st.integers(2, 9), st.integers(1, 4),
)  # fmt: skip


# --- k-lines


@settings(max_examples=40, deadline=None)
@given(v=clouds, k=st.integers(1, 6), seed=st.integers(0, 3))
def test_no_iteration_of_k_lines_loses_anything(v, k, seed):
    found = k_lines(v, k, seed=seed, restarts=1)
    total = (v**2).sum() / np.abs(v).max() ** 2
    assert (np.diff(found.inertia) <= 1e-10 * total).all()
    assert found.explained == pytest.approx(1 - found.inertia[-1] / total, abs=1e-10)
    assert 0 <= found.explained <= 1
    np.testing.assert_allclose(np.linalg.norm(found.lines, axis=1), 1.0, atol=1e-12)
    # No vector has a better line than its own.
    scores = (v @ found.lines.T) ** 2
    own = scores[np.arange(len(v)), found.labels]
    assert (own >= scores.max(axis=1) - 1e-9 * (v**2).sum(axis=1)).all()


@settings(max_examples=30, deadline=None)
@given(v=clouds, k=st.integers(1, 5))
def test_one_line_is_the_leading_singular_vector_and_more_lines_explain_more(v, k):
    s = np.linalg.svd(v, compute_uv=False)
    assert k_lines(v, 1).explained == pytest.approx(s[0] ** 2 / (s**2).sum(), abs=1e-9)
    assert k_lines(v, k).explained >= s[0] ** 2 / (s**2).sum() - 1e-9


@pytest.mark.parametrize("shape", [(30, 5), (5, 30)])
def test_leading_directions_are_those_of_the_singular_values(shape):
    v, labels = np.random.default_rng(0).normal(size=shape), np.arange(shape[0]) % 4
    labels[labels == 3] = 2
    lines = leading_directions(v, labels, 4)
    for j in range(3):
        axes = np.linalg.svd(v[labels == j])[2]
        assert abs(lines[j] @ axes[0]) == pytest.approx(1)
    assert np.linalg.norm(lines[3]) == 1


@settings(max_examples=30, deadline=None)
@given(v=clouds, flip=st.integers(0, 2**40 - 1), power=st.sampled_from([-300, -3, 0, 300]))
def test_k_lines_do_not_see_signs_nor_a_common_scale(v, flip, power):
    scale = 2.0**power  # nothing is rounded, so even ties fall the same way
    signs = np.array([-1.0 if flip >> i & 1 else 1.0 for i in range(len(v))])
    one, other = k_lines(v, 3, restarts=2), k_lines(scale * signs[:, None] * v, 3, restarts=2)
    assert other.explained == one.explained
    np.testing.assert_array_equal(other.labels, one.labels)
    np.testing.assert_allclose(np.abs((one.lines * other.lines).sum(axis=1)), 1.0, atol=1e-12)


def test_the_order_of_the_vectors_does_not_matter():
    v = lines_of(mixture()[0])
    order = np.random.default_rng(5).permutation(len(v))
    one, other = k_lines(v, 8), k_lines(v[order], 8)
    assert other.explained == pytest.approx(one.explained, abs=1e-12)
    assigned, correlation = assign(one.lines, other.lines)
    np.testing.assert_allclose(np.abs(correlation), 1.0, atol=1e-9)
    np.testing.assert_array_equal(assigned[other.labels], one.labels[order])


def test_k_lines_are_deterministic_and_seeded():
    v = np.random.default_rng(0).normal(size=(60, 9))
    one, same = k_lines(v, 4, seed=3, restarts=1), k_lines(v, 4, seed=3, restarts=1)
    np.testing.assert_array_equal(one.lines, same.lines)
    assert any(not np.array_equal(one.labels, k_lines(v, 4, seed=s, restarts=1).labels) for s in range(4, 10))


def test_affine_lines_take_off_the_mean_of_each_vector():
    v = np.random.default_rng(0).normal(size=(50, 9))
    shifted = v + np.linspace(-5, 5, 50)[:, None]
    one, other = k_lines(v, 3, affine=True), k_lines(shifted, 3, affine=True)
    assert one.explained == pytest.approx(other.explained, abs=1e-9)
    np.testing.assert_allclose(one.lines.sum(axis=1), 0.0, atol=1e-12)
    assert k_lines(np.vstack([v, np.full(9, 0.1)]), 3, affine=True).labels[-1] == -1


def test_dead_vectors_belong_to_no_line_and_repeated_ones_to_one():
    found = k_lines([[0, 0], [1, 0], [0, 0], [0, 2]], 2)
    assert found.labels[[0, 2]].tolist() == [-1, -1] and found.signs[[0, 2]].tolist() == [0, 0]
    assert found.counts.tolist() == [1, 1]
    # A line for each vector even where vectors repeat.
    found = k_lines([[1.0, 0, 0], [-2, 0, 0], [3, 0, 0], [0, 1, 0], [0, 0, 1]], 5)
    assert found.explained == pytest.approx(1.0) and np.isfinite(found.lines).all()
    assert len({found.labels[0], found.labels[3], found.labels[4]}) == 3


# --- recovery


@pytest.mark.parametrize("algorithm", ["k-lines", "k-means"])
@pytest.mark.parametrize("size", [3, 5, 7])
def test_what_was_mixed_is_found_again(algorithm, size):
    keys = eight(size)
    filters, labels = mixture(400, size)
    found = extract(filters, 8, algorithm)
    assigned, correlation = assign(found.keys.reshape(8, -1), lines_of(keys))
    assert sorted(assigned) == list(range(8))
    assert np.abs(correlation).min() > 0.99
    np.testing.assert_array_equal(found.labels, assigned[labels])
    assert found.counts.sum() == 400


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_the_result_has_one_form_whatever_the_algorithm(algorithm):
    filters, _ = mixture(80, 5, keys=eight(5)[[0, 1, 7]])
    filters[7] = 0.25
    found = extract(filters, 3, algorithm, seed=1)
    if algorithm != "autoencoder":  # which has a test of its own: it takes seconds
        np.testing.assert_array_equal(found.keys, extract(filters, 3, algorithm, seed=1).keys)
    assert found.keys.shape == (3, 5, 5)
    np.testing.assert_allclose(np.linalg.norm(found.keys, axis=(1, 2)), 1.0, atol=1e-6)
    np.testing.assert_allclose(found.keys.sum(axis=(1, 2)), 0.0, atol=1e-6)
    assert found.labels[7] == -1 and found.dead == 1 and found.counts.sum() == 79
    assert found.explained == pytest.approx(found.explained_by(found.keys), abs=1e-6)
    explained = [(found.vectors[found.labels == j] @ found.keys[j].ravel()) ** 2 for j in range(3)]
    assert list(map(np.sum, explained)) == sorted(map(np.sum, explained), reverse=True)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), k=st.sampled_from([2, 8]))
def test_lines_explain_more_than_any_filters_chosen_without_looking(seed, k):
    """Structured or not, what was fitted to the data explains at least as much as what was not."""
    rng = np.random.default_rng(seed)
    filters = np.concatenate([mixture(60, 5, 0.3, seed)[0], rng.normal(size=(60, 5, 5))])
    found = extract(filters, k)
    assert found.explained > found.explained_by(rng.normal(size=(k, 5, 5)))
    if k == 8:
        assert found.explained >= found.explained_by("B") - 1e-9
        assert found.explained >= extract(filters, k, "k-means").explained - 0.01


def test_normalisations():
    filters, _ = mixture(40, 5)
    for name, (affine, scaled) in NORMALIZATIONS.items():
        v = normalized(filters, name)
        assert np.allclose(v.sum(axis=1), 0) == affine
        assert np.allclose(np.linalg.norm(v, axis=1), 1) == scaled
        assert extract(filters, 2, normalize=name).affine == affine
    loud = np.concatenate([100 * filters[:1], filters[1:8]])
    assert abs(extract(loud, 1, normalize="mean-free").keys.ravel() @ lines_of(filters[:1])[0]) > 0.99
    np.testing.assert_allclose(extract(loud, 1).keys, extract(filters[:8], 1).keys, atol=1e-12)


# --- networks


def network():
    """3x3 and 5x5 depthwise layers, a 1x1 that is no filter, and a head."""
    torch.manual_seed(0)
    layers = {
        "first": nn.Conv2d(2, 16, 3, padding=1, groups=2),
        "second": nn.Conv2d(16, 16, 5, padding=2, groups=16),
        "third": nn.Conv2d(16, 16, 5, padding=2, groups=16),
        "gain": nn.Conv2d(16, 16, 1, groups=16),
    }
    head = {"rectified": nn.ReLU(), "mean": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten(), "head": nn.Linear(16, 3)}
    return nn.Sequential(OrderedDict(layers | head))


def with_nan():
    net = network()
    net.third.weight.data[3, 0, 1, 1] = float("nan")
    return net


def test_layers_of_one_size_at_a_time():
    net = network()
    found = extract(net, 3)
    assert (found.size, found.sizes, found.layers, len(found.labels)) == (5, {3: 16, 5: 32}, ("second", "third"), 32)
    assert extract(net, 3, size=3).keys.shape == (3, 3, 3)
    assert extract(net, 3, layers=["third"]).layers == ("third",)
    table = found.frame()
    assert table["layer"].tolist() == ["second", "third"]
    assert table[["key_1", "key_2", "key_3"]].to_numpy().sum(axis=0).tolist() == found.counts.tolist()
    assert np.average(table["explained"], weights=table["channels"]) == pytest.approx(found.explained)


def test_arrays_by_name_are_layers_too():
    filters, _ = mixture(40, 5)
    found = extract({"a": filters[:10], "b": filters[10:]}, 4)
    np.testing.assert_allclose(found.keys, extract(filters, 4).keys)
    assert found.frame()["channels"].tolist() == [10, 30]


@each(
    ("call", "message"),
    [
        (lambda: extract(network(), 33), "k is 33 but there are only 32 non-zero filters of size 5x5"),
        (lambda: extract(network(), size=7), r"size is 7, but the filters are 3x3 \(16 filters\) and 5x5 \(32 filters\)"),
        (lambda: extract(network(), layers="forth"), "'forth' is no depthwise layer .* there are first, second, third"),
        (lambda: extract(network().gain), "no depthwise layer with odd square filters"),
        (lambda: extract(nn.Linear(2, 2)), "no depthwise convolution"),
        (lambda: extract(np.full((9, 3, 3), np.nan)), "NaN or infinity"),
        (lambda: extract(np.ones((9, 3, 3)), 2), "only 0 non-zero filters"),
        (lambda: extract(network(), algorithm="k-planes"), "unknown algorithm 'k-planes': expected one of k-lines"),
        (lambda: extract(network(), normalize="l1"), "unknown normalize"),
        (lambda: extract(network(), k=0), "k is 0: expected an integer"),
        (lambda: extract(network(), seed=-1), "seed is -1"),
        (lambda: k_lines([[1.0, np.inf]], 1), "NaN or infinity"),
        (lambda: k_lines([1.0, 2.0], 1), "vectors has shape"),
        (lambda: k_lines([["a"]], 1), "not an array of real numbers"),
        (lambda: k_lines(np.eye(3), 4), "only 3 non-zero vectors"),
        (lambda: k_lines(np.eye(3), 1, restarts=0), "restarts is 0"),
        (lambda: extract(network(), 2).compare("E"), "unknown filters 'E'"),
        (lambda: extract(network(), 2).compare(null="none"), "unknown null"),
        (lambda: extract(network(), 2).compare(null="random", draws=0), "draws is 0"),
        (lambda: extract(network(), 2).compare(np.ones((1, 5, 5))), "constant filter"),
        (lambda: greedy_reduction(np.ones((2, 3, 3)), ExplainedVariance(np.eye(3)), 3), "down_to is 3 but there are only 2"),
        (lambda: greedy_reduction(np.ones((2, 3, 3)), lambda f: float("nan")), "score is nan"),
        (lambda: greedy_reduction(np.ones((2, 3, 3)), ExplainedVariance(np.eye(4))), "expected 4 as in the filters"),
        (lambda: ExplainedVariance(np.ones((2, 3, 3))), "all zero or constant"),
        (lambda: Accuracy(network(), iter([])), "run through once only"),
        (lambda: elbow([1, 2], [1.0]), "2 sizes and 1 scores"),
        (lambda: elbow([1, 1], [0.0, 1.0]), "sizes repeat"),
        (lambda: elbow([1, 2], [0.0, np.nan]), "NaN"),
        (lambda: fit_autoencoder(np.zeros((3, 4))), "only 0 non-zero vectors"),
        (lambda: fit_autoencoder(np.eye(3), steps=0), "steps is 0"),
        (lambda: extract(with_nan(), 2), "third"),
        (lambda: pool_networks({}), "networks is empty"),
        (lambda: two_rounds(np.eye(9).reshape(9, 3, 3), candidates=4), "around is 10: expected at most candidates, 4"),
        (lambda: two_rounds(np.eye(9).reshape(9, 3, 3), around=2, near=2, down_to=5), "down_to is 5: expected at most"),
        (lambda: two_rounds(np.eye(9).reshape(9, 3, 3), candidates=1), "candidates is 1: expected an integer of at least 2"),
        (lambda: two_rounds(np.eye(9).reshape(9, 3, 3), lambda few: np.nan), "score is nan for 50 filters"),
    ],
)
def test_a_mistake_is_one_line(call, message):
    refused(call, message)


# --- autoencoder


def test_the_autoencoder_is_deterministic_and_leaves_the_random_state_alone():
    v = lines_of(mixture(60, 5)[0])
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    one, same, other = (fit_autoencoder(v, seed=s, steps=40) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.candidates(7), same.candidates(7))
    assert not np.array_equal(one.candidates(7), other.candidates(7))
    assert torch.equal(torch.get_rng_state(), state) and torch.get_num_threads() == threads


def test_one_number_separates_two_clusters():
    keys = eight(5)[[4, 7]]
    filters, labels = mixture(120, 5, 0.05, keys=keys)
    # One sign each: v and -v are different shapes to the code.
    v = lines_of(filters)
    v *= np.sign((v * lines_of(keys)[labels]).sum(axis=1, keepdims=True))
    line = fit_autoencoder(v, steps=300)
    codes = line.encode(v)
    assert ((codes > 0) & (codes < 1)).all()
    low, high = sorted((codes[labels == 0], codes[labels == 1]), key=np.mean)
    assert low.max() < high.min()
    cosine = (line.decode(codes) * v).sum(axis=1)
    assert cosine.mean() > 0.9
    assert np.isnan(line.encode(np.ones((1, 25)))[0])


def test_the_published_route_approaches_the_lines():
    filters, _ = mixture(200, 5, keys=eight(5)[[0, 1, 6, 7]])
    route, best = extract(filters, 4, "autoencoder"), extract(filters, 4)
    assert route.explained <= best.explained + 1e-9
    assert route.explained > route.explained_by(np.random.default_rng(0).normal(size=(4, 5, 5))) + 0.2


# --- reduction


def test_the_reduction_leaves_out_what_is_missed_least():
    keys = eight(7)
    filters, _ = mixture(160, 7, 0.0, keys=keys[[0, 1, 4, 7]])
    candidates = np.concatenate([keys[[0, 1, 4, 7]], np.random.default_rng(0).normal(size=(4, 7, 7))])
    path = greedy_reduction(candidates, ExplainedVariance(filters))
    assert path.sizes.tolist() == list(range(8, 0, -1))
    assert sorted(path.removed[:4]) == [4, 5, 6, 7]
    assert path.indices(4).tolist() == [0, 1, 2, 3] and path.scores[4] == pytest.approx(1.0)
    assert (np.diff(path.scores) <= 1e-12).all()
    assert path.elbow == 4
    assert path.frame()["removed"].isna().tolist() == [False] * 7 + [True]
    refused(lambda: path.filters(9), "expected one from 1 to 8")


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000))
def test_indices_and_filters_give_the_same_path(seed):
    rng = np.random.default_rng(seed)
    filters, candidates = rng.normal(size=(30, 3, 3)), rng.normal(size=(6, 3, 3))
    score = ExplainedVariance(filters)
    fast, plain = greedy_reduction(candidates, score, 2), greedy_reduction(candidates, lambda f: score(f), 2)
    np.testing.assert_array_equal(fast.removed, plain.removed)
    np.testing.assert_allclose(fast.scores, plain.scores)
    assert score(fast.filters(3)) == pytest.approx(fast.scores[3])
    # The explained variance of the best a f + b, by least squares.
    columns = [np.linalg.lstsq(np.stack([f.ravel(), np.ones(9)], 1), filters.reshape(30, 9).T)[0] for f in candidates]
    fits = np.stack([np.stack([f.ravel(), np.ones(9)], 1) @ c for f, c in zip(candidates, columns, strict=True)])
    left = ((filters.reshape(30, 9).T - fits) ** 2).sum(axis=1).min(axis=0).sum()
    total = ((filters - filters.mean(axis=(1, 2), keepdims=True)) ** 2).sum()
    assert score(candidates) == pytest.approx(1 - left / total)


class Loudest(nn.Module):
    """Two filters, two classes: that of the stronger response, each relative to its median."""

    def __init__(self, filters, images):
        super().__init__()
        self.filter = nn.Conv2d(2, 2, 5, groups=2, bias=False)
        self.register_buffer("median", torch.ones(2))
        with torch.no_grad():
            self.filter.weight.copy_(torch.tensor(filters[:, None]))
            self.median.copy_(self(images).median(dim=0).values)

    def forward(self, x):
        return self.filter(x).abs().mean(dim=(2, 3)) / self.median


def test_reduction_by_the_accuracy_of_a_network():
    keys = eight(5)[[0, 1, 4, 7]]
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(200, 2, 12, 12, generator=generator) * (0.5 + torch.rand(200, 2, 1, 1, generator=generator))
    net = Loudest(keys[[0, 3]], images)
    labels = net(images).argmax(dim=1)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    score = Accuracy(net, [(images, labels)])
    path = greedy_reduction(keys, score)
    assert path.scores[:3].tolist() == [1.0, 1.0, 1.0] and path.indices(2).tolist() == [0, 3]
    assert path.scores[3] < 0.8 and path.elbow == 2
    assert Accuracy(net, [(images, labels)], layers=["filter"])(keys[1:3]) < 1.0
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), gone=st.integers(0, 4))
def test_the_accuracies_of_a_path_are_those_of_the_replaced_network(seed, gone):
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    net, candidates = network().eval(), rng.normal(size=(5, 5, 5))
    net.second.weight.data[3] = 0.25  # a dead channel
    images = torch.randn(60, 2, 12, 12, generator=generator)
    score = Accuracy(net, [(images, net(images).argmax(dim=1))], layers=["second", "third"])
    before = {name: value.clone() for name, value in net.state_dict().items()}
    left = [i for i in range(5) if i != gone]
    expected = [score(candidates[[i for i in left if i != out]]) for out in left]
    removals = score.removals(candidates)
    removals([0, 1, 2, 3, 4])
    assert removals(left) == expected
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_candidate_that_no_filter_takes_is_left_out_without_a_look():
    keys, looks = eight(5)[[0, 1]], []
    net = nn.Sequential(nn.Conv2d(2, 2, 5, groups=2, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net[0].weight.data = torch.tensor(keys[:, None], dtype=torch.float32)
    images = torch.randn(9, 2, 7, 7, generator=torch.Generator().manual_seed(0))

    class Counted(list):
        def __iter__(self):
            looks.append(1)
            return super().__iter__()

    score = Accuracy(net, Counted([(images, net(images).argmax(dim=1))]))
    looks.clear()
    others = np.random.default_rng(0).normal(size=(6, 5, 5))
    path = greedy_reduction(np.concatenate([others, keys]), score, 2)
    assert path.indices(2).tolist() == [6, 7] and set(path.scores) == {1.0}
    # All of them; the two keys alone stand behind every other set of the path, but for those without a key.
    assert len(looks) < 1 + 8 + 7 + 6 + 5 + 4 + 3


# --- the published route


def test_networks_are_pooled_layer_by_layer():
    first, filters = network(), mixture(30, 5)[0]
    pooled = pool_networks({"net": first, "stored": {"a": filters}, "plain": filters[:4]})
    assert list(pooled) == ["net: first", "net: second", "net: third", "stored: a", "plain: filters"]
    np.testing.assert_array_equal(pooled["stored: a"], filters)
    found = extract(pooled, 3)
    assert found.sizes == {3: 16, 5: 66} and found.layers[0] == "net: second" and len(found.vectors) == 66
    # Every filter counts the same: the order of the networks is of no account.
    other = extract(pool_networks({"plain": filters[:4], "net": first, "stored": {"a": filters}}), 3)
    assert other.explained_by("B") == pytest.approx(found.explained_by("B"), abs=1e-12)


def test_the_second_round_is_drawn_around_what_the_first_one_left():
    filters, _ = mixture(90, 5, keys=eight(5)[[0, 1, 6, 7]])
    pooled = pool_networks({"one": filters[:30], "two": filters[30:]})
    found = two_rounds(pooled, candidates=21, around=6, near=3)
    assert [len(codes) for codes in found.codes] == [21, 18]
    first, second = found.rounds
    assert first.sizes.tolist() == list(range(21, 5, -1)) and second.sizes.tolist() == list(range(18, 0, -1))
    kept = found.codes[0][first.indices(6)]
    distance = np.abs(found.codes[1][:, None] - kept).min(axis=1)
    assert distance.max() <= REACH / 20 + 1e-12 and np.isin(kept, found.codes[1]).all()
    # The filters of the first round are among those of the second, which begin with at least their score.
    assert second.scores[0] >= first.scores[-1] - 1e-6
    assert all((np.diff(path.scores) <= 1e-12).all() for path in found.rounds)
    eight_left = found.extraction(8)
    assert eight_left.explained == pytest.approx(second.scores[10], abs=1e-9) and len(eight_left.labels) == 90
    assert len(found.extraction().keys) == found.elbow == second.elbow
    np.testing.assert_array_equal(two_rounds(pooled, candidates=21, around=6, near=3).rounds[1].removed, second.removed)


def test_by_explained_variance_the_route_is_the_algorithm_of_extract():
    filters, _ = mixture(60, 5, keys=eight(5)[[0, 1, 6, 7]])
    route, algorithm = two_rounds(filters, around=5, down_to=3).extraction(3), extract(filters, 3, "autoencoder")
    np.testing.assert_allclose(route.keys, algorithm.keys, atol=1e-6)
    np.testing.assert_array_equal(route.labels, algorithm.labels)


def test_a_score_of_ones_own_steers_both_rounds():
    filters = mixture(60, 5)[0]
    # Whoever wants filters without a slope along x gets them.
    found = two_rounds(filters, lambda few: -float(np.abs(few[:, :, 0] - few[:, :, -1]).sum()), candidates=10, around=4, near=2)
    for path in found.rounds:
        assert (np.diff(path.scores) >= 0).all()


@pytest.mark.parametrize(
    ("sizes", "scores", "expected"),
    [
        (np.arange(50, 0, -1), np.minimum(np.arange(50, 0, -1) / 8, 1.0), 8),
        (np.arange(50, 0, -1), np.minimum(np.arange(50, 0, -1) / 8, 1.0) * 80 + 3, 8),
        ([1, 2, 3], [0.0, 0.5, 1.0], 1),
        ([1, 2, 3], [0.5, 0.5, 0.5], 1),
        ([4], [0.5], 4),
    ],
)
def test_elbow(sizes, scores, expected):
    assert elbow(sizes, scores) == expected


def test_an_extraction_reduces_to_its_elbow():
    filters, _ = mixture(120, 5, 0.0, keys=eight(5)[[0, 1, 7]])
    many = extract(filters + 1e-3 * np.random.default_rng(0).normal(size=filters.shape), 12)
    few = many.reduce()
    assert len(few.keys) == 3 and few.explained > 0.99
    assert few.counts.sum() == 120 and few.size == 5
    assert len(many.reduce(5).keys) == 5


# --- comparison


def test_keys_match_themselves_far_above_chance():
    filters, _ = mixture(200, 7, keys=np.array(learned_filters()))
    found = extract(filters).compare("learned", "random", draws=49)
    assert found.mean > 0.99 and found.p_value == pytest.approx(1 / 50)
    assert found.explained_chance.max() < found.explained_reference <= 1
    assert found.chance_mean < 0.6
    table = found.frame()
    assert sorted(table["extracted"]) == list(range(1, 9)) and (table["correlation"] > table["chance_95"]).all()


def test_a_gaussian_without_clusters_is_not_taken_for_one():
    """Smooth random filters resemble the keys: white noise says p is small, the surrogate does not."""
    rng = np.random.default_rng(0)
    basis = lines_of(eight(5))[[0, 1, 4, 7]]
    filters = (rng.normal(size=(300, 4)) @ basis).reshape(300, 5, 5)
    found = extract(filters, 8)
    noise, gauss = found.compare("B", "random", 49), found.compare("B", "gaussian", 9)
    assert noise.p_value <= 0.05 < gauss.p_value
    assert gauss.explained_chance.min() > 0.9 * found.explained
    clustered = extract(mixture(300, 5, keys=eight(5)[[0, 1, 4, 7]])[0], 4).compare("B", "gaussian", 9)
    assert clustered.explained > clustered.explained_chance.max()


def test_the_surrogate_has_the_second_moments_of_each_layer():
    rng = np.random.default_rng(1)
    v = np.concatenate([rng.normal(size=(20000, 4)) * [1, 2, 0, 0], rng.normal(size=(20000, 4)) * [0, 0, 3, 1]])
    v[5] = 0
    layer_of = np.repeat([0, 1], 20000)
    drawn = surrogate(v, layer_of, rng, False)
    assert not drawn[5].any()
    for i, scales in enumerate(([1, 2, 0, 0], [0, 0, 3, 1])):
        here = drawn[layer_of == i]
        np.testing.assert_allclose(here.T @ here / len(here), np.diag(np.square(scales)), atol=0.2)
    v[6:] /= np.linalg.norm(v[6:], axis=1, keepdims=True)
    v[5] = 0
    scaled = surrogate(v, layer_of, rng, True)
    np.testing.assert_allclose(np.linalg.norm(scaled[6:], axis=1), 1.0)
    for i in (0, 1):
        here = layer_of == i
        np.testing.assert_allclose(scaled[here].T @ scaled[here] / 20000, v[here].T @ v[here] / 20000, atol=0.01)


def test_fewer_keys_than_references_leave_some_over():
    filters, _ = mixture(60, 7, keys=eight()[[2, 6]])
    found = extract(filters, 2).compare("B", "random", 20)
    assert np.flatnonzero(found.assigned >= 0).tolist() == [2, 6]
    assert np.isnan(found.correlation).sum() == 6 and found.frame()["extracted"].isna().sum() == 6
    more = compare_keys(extract(filters, 8), eight()[[2, 6]], "random", 5)
    assert (more.correlation > 0.95).all()


# --- the command


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    from safetensors.torch import save_file

    from keyfilters.networks import load_model

    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_file({name: value.contiguous() for name, value in load_model("small_convnext").model.state_dict().items()}, path)
    return path


@pytest.mark.parametrize("suffix", [".npy", ".csv"])
def test_the_command_writes_keys_that_the_library_reads(run, refuses, tmp_path, weights, suffix):
    out = tmp_path / f"keys{suffix}"
    arguments = ("extract", "small_convnext", "--weights", weights, "--keys", 5, "--null", "random", "-o", out)
    status, text, _ = run(*arguments, "--draws", 9, "--json")
    record = json.loads(text)
    assert status == 0 and record["keys"] == 5 and record["sizes"] == {"7": record["filters"]}
    assert sum(record["counts"]) + record["dead"] == record["filters"]
    assert len(record["comparison"]["keys"]) == 8 and 0 < record["comparison"]["p_value"] <= 1
    keys = np.stack(list(load_filters(out).values()))
    assert keys.shape == (5, 7, 7)
    np.testing.assert_allclose(np.linalg.norm(keys, axis=(1, 2)), 1.0)
    refuses("add --force", *arguments)


def test_the_command_reduces_to_the_elbow(run, weights):
    arguments = ("extract", "small_convnext", "--weights", weights, "--keys", 6, "--null", "random", "--draws", 3, "--reduce")
    status, text, _ = run(*arguments, "elbow")
    assert status == 0 and "reduced from 6 keys; the elbow is at" in text and "p = " in text
    record = json.loads(run(*arguments, 2, "--json")[1])
    assert record["keys"] == 2 and [s["size"] for s in record["path"]["steps"]] == [6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--keys", "none"], "--keys is 'none': expected an integer of at least 1"),
        (["--keys", "5000"], "k is 5000 but there are only"),
        (["--size", "5"], "size is 5, but the filters are 7x7"),
        (["--reduce", "9"], "--reduce is 9: expected at most the number of keys, 8"),
        (["--algorithm", "knn"], "unknown algorithm 'knn'"),
        (["--null", "none"], "unknown null"),
        (["--method", "E"], "unknown filters"),
        (["-o", "keys.txt"], "expected a name that ends in .npy or .csv"),
        (["-o", "nowhere/keys.npy"], "the folder nowhere does not exist"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(refuses, weights, arguments, message):
    refuses(message, "extract", "small_convnext", "--weights", weights, *arguments)
