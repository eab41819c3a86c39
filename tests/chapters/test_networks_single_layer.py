"""One layer trained alone: only it changes, all at once is the same as one by one, curves have the lengths they must have."""

import math

import numpy as np
import pytest
import torch
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import message as said
from torch.nn import functional as F

from keyfilters.networks.surgery.depthwise import find_depthwise, key_filters
from keyfilters_book.background.one_depthwise import SCALE, key_network, train_and_judge
from keyfilters_book.background.random_networks import (
    ACTIVATIONS,
    START_SETTINGS,
    hidden_layers,
    logits,
    random_weights,
    standardised_rows,
)
from keyfilters_book.background.single_layer import accuracies, single_layer_logits, train_all_layers, train_single_layers
from keyfilters_book.background.trajectories import (
    arc,
    layer_lengths,
    length,
    mean_chi,
    relu_growth,
    theorem_expression,
    wide_growth,
)
from keyfilters_book.figures.lines import layer_lines
from keyfilters_book.significance import t_interval

SHAPE = {"depth": 3, "width": 7, "inputs": 5, "classes": 3}


pytestmark = pytest.mark.usefixtures("one_thread")


X = torch.tensor(np.random.default_rng(0).standard_normal((40, 5)), dtype=torch.float32)
TASK = X, X[:, :3].argmax(1)
"""Images of five numbers, and which of the first three is the largest."""
DEPTHWISE = [f"stages.{s}.blocks.{b}.conv_dw.weight" for s in (0, 1) for b in (0, 1)]


def one_by_one(weights, name, x, y, layer, rate, epochs, batch, order_seed):
    """Train a layer of a single network with torch's own Adam and schedule."""
    own = [w.clone() for w in weights]
    own[layer].requires_grad_()
    optimiser = torch.optim.Adam([own[layer]], lr=rate)
    steps = len(x) // batch
    total, done = epochs * steps, 0
    warm = max(1, total // 10)
    for epoch in range(epochs):
        order = torch.tensor(np.random.default_rng((order_seed, epoch)).permutation(len(x)))
        for step in range(steps):
            index = order[step * batch : (step + 1) * batch]
            z = x[index]
            for w in own[:-1]:
                z = ACTIVATIONS[name](z @ w)
            loss = F.cross_entropy(z @ own[-1], y[index])
            for group in optimiser.param_groups:
                group["lr"] = rate * min((done + 1) / warm, (total - done) / (total - warm + 1))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            done += 1
    return own[layer].detach()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_all_at_once_is_the_same_as_one_by_one(name):
    weights, rates = random_weights([3, 4], 1.5, **SHAPE), np.array([[0.01, 0.02, 0.03, 0.04], [0.04, 0.03, 0.02, 0.01]])
    options = {"epochs": 3, "batch": 8, "order_seed": 5}
    own = train_single_layers(weights, name, *TASK, layers=range(4), rate=rates, **options)
    for d in range(4):
        for s in range(2):
            alone = one_by_one([w[s] for w in weights], name, *TASK, d, rates[s, d], **options)
            assert torch.allclose(own[d][s], alone, atol=2e-4), (d, s)
            assert (alone - weights[d][s]).abs().max() > 0.02


def test_only_the_chosen_layer_changes():
    weights = random_weights([0, 1], 2.0, **SHAPE)
    before = [w.clone() for w in weights]
    own = train_single_layers(weights, "relu", *TASK, layers=[1], epochs=2, batch=10)
    assert list(own) == [1] and not torch.equal(own[1], before[1])
    assert all(torch.equal(a, b) for a, b in zip(weights, before, strict=True))
    whole = [own.get(d, w) for d, w in enumerate(weights)]
    exchanged = single_layer_logits(weights, own, TASK[0], "relu")
    assert exchanged.shape == (2, 1, 40, 3)
    assert torch.allclose(exchanged[:, 0], logits(whole, TASK[0], "relu"), atol=1e-5)


def test_training_all_layers_moves_all_and_learns():
    weights = random_weights([0, 1], 1.0, **SHAPE)
    fitted = train_all_layers(weights, "tanh", *TASK, rate=0.02, epochs=15, batch=8)
    assert all((a != b).any() for a, b in zip(weights, fitted, strict=True))
    before, after = (accuracies(lambda im, w=w: logits(w, im, "tanh"), *TASK) for w in (weights, fitted))
    assert (after > before).all() and (after > 0.8).all()


def test_a_network_depends_on_its_seed_only():
    together, alone = random_weights([7, 8], 2.0, **SHAPE), random_weights([8], 2.0, **SHAPE)
    assert all(torch.equal(a[1], b[0]) for a, b in zip(together, alone, strict=True))
    assert not torch.equal(together[0][0], together[0][1])
    wide = random_weights([0], 3.0, depth=2, width=300, inputs=200)[1]
    assert abs(float(wide.var()) * 300 - 3) < 0.1


def test_training_twice_gives_the_same_bits():
    runs = [
        train_single_layers(random_weights([0], 2.0, **SHAPE), "hard-tanh", *TASK, layers=[0, 2], epochs=2, batch=8)
        for _ in range(2)
    ]
    assert all(torch.equal(runs[0][d], runs[1][d]) for d in (0, 2))


def test_a_layer_reports_after_every_epoch():
    seen = []
    weights = random_weights([0], 2.0, **SHAPE)
    train_single_layers(
        weights,
        "relu",
        *TASK,
        layers=[2],
        epochs=3,
        batch=40,
        on_epoch=lambda e, own: seen.append((e, own[2].detach().clone())),
    )
    assert [e for e, _ in seen] == [1, 2, 3] and not torch.equal(seen[0][1], seen[2][1])


def trained(layers=(1,), name="relu", rate=0.1, batch=8, epochs=1):
    return train_single_layers(
        random_weights([0], 1.0, **SHAPE), name, *TASK, layers=layers, rate=rate, batch=batch, epochs=epochs
    )


@each("call, message", [
    (lambda: trained(layers=[]), "layers is []: expected some of 0 to 3"),
    (lambda: trained(layers=[4]), "layers is [4]: expected some of 0 to 3"),
    (lambda: trained(rate=0.0), "rate is 0: expected numbers > 0"),
    (lambda: trained(rate=[[0.1, 0.1]]), "rate has shape (1, 2): expected a number, or (1, 1) for networks and layers"),
    (lambda: trained(batch=41), "batch is 41: expected 1 to 40, the number of images"),
    (lambda: trained(epochs=0), "epochs is 0: expected an integer of at least 1"),
    (lambda: trained(name="gelu"), "unknown activation 'gelu': expected one of relu, hard-tanh, tanh"),
    (lambda: random_weights([], 1.0), "seeds is empty: expected at least one"),
    (lambda: random_weights([0], -1.0), "variance is -1: expected a number > 0"),
    (lambda: random_weights([0], 1.0, width=0), "width is 0: expected an integer of at least 1"),
    (lambda: standardised_rows(np.ones((3, 2, 2)), 4), "the images are constant: expected some contrast"),
    (lambda: arc([1.0, 0.0], [-1.0, 0.0]), "the angle between a and b is 3.14159: expected one between 0 and pi, for which there is one arc"),
    (lambda: arc([1.0, 0.0], [0.0, 0.0]), "a or b is all zero: expected two points with a direction"),
    (lambda: arc([1.0, 0.0], [0.0, 1.0], points=1), "points is 1: expected an integer of at least 2"),
    (lambda: mean_chi(0, 0.5), "width is 0: expected an integer of at least 1"),
    (lambda: theorem_expression("tanh", 1.0, 5), "unknown activation 'tanh': expected one of relu, hard-tanh"),
    (lambda: key_network(0, learned=[5]), "learned holds 5: expected layers from 1 to 4"),
    (lambda: key_network(0, rest="some"), "unknown rest 'some': expected one of trained, frozen, head"),
    (lambda: layer_lines({}, xlabel="", ylabel=""), "panels holds no line: expected at least one"),
    (lambda: layer_lines({"a": {"b": ([1, 2], [1.0])}}, xlabel="", ylabel=""),
     "'b' of panel 'a' has values of shape (1,): expected (2,) for each run"),
])  # fmt: skip
def test_mistakes_are_named(call, message):
    assert said(call) == message


@settings(max_examples=25, deadline=None)
@given(st.floats(0.05, 3.0), st.floats(0.1, 10.0), st.integers(0, 1000))
def test_an_arc_has_the_length_of_its_angle(angle, radius, seed):
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((6, 2)))
    x = arc(3 * q[:, 0], np.cos(angle) * q[:, 0] + np.sin(angle) * q[:, 1], 2001, radius)
    assert math.isclose(float(length(x)), radius * angle, rel_tol=1e-6)
    # An inscribed polygon is shorter than the arc, by a factor that is known exactly.
    step = angle / 2000
    assert math.isclose(float(length(x)), radius * 2000 * 2 * math.sin(step / 2), rel_tol=1e-9)
    assert float(length(x[::2])) <= float(length(x))
    assert torch.allclose(x.norm(dim=1), torch.tensor(radius, dtype=torch.float64))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 5.0))
def test_a_linear_map_stretches_a_line_by_a_known_factor(seed, factor):
    rng = np.random.default_rng(seed)
    a, v = rng.standard_normal((2, 4))
    line = torch.tensor(a + np.linspace(0, 1, 50)[:, None] * v)
    assert math.isclose(float(length(line)), np.linalg.norm(v), rel_tol=1e-9)
    # An orthogonal matrix times a factor, and an activation that is the identity there.
    q, _ = np.linalg.qr(rng.standard_normal((4, 4)))
    small = torch.tensor(1e-3 * factor * q)[None]
    found = layer_lengths([small, small, small], line / 10, "hard-tanh")[0]
    assert np.allclose(found, found[0] * (1e-3 * factor) ** np.arange(3), rtol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60), st.floats(0.01, 0.99))
def test_mean_chi_lies_between_its_bounds(width, share):
    # Jensen from above. From below: B >= 1 has at least the probability of one trial, and one term gives sqrt(2 / pi).
    value = mean_chi(width, share)
    assert share * math.sqrt(2 / math.pi) <= value + 1e-12 <= math.sqrt(width * share) + 1e-9
    assert mean_chi(width + 1, share) > value


@pytest.mark.parametrize("width, variance, line", [(3, 2.0, True), (10, 3.0, False)])
def test_the_law_for_relu_is_exact_in_the_mean(width, variance, line):
    weights = random_weights(range(800), variance, depth=3, width=width, inputs=4, dtype=torch.float64)
    curve = (
        torch.linspace(-1, 1, 150)[:, None] * torch.tensor([[1.0, 2.0, 0.0, 1.0]]) + 0.3
        if line
        else arc([1, 0, 0, 1], [0, 1, 1, 0], 150)
    )
    ratio = layer_lengths(weights, curve.double(), "relu")
    ratio = ratio[:, 1:] / ratio[:, :1]
    law = relu_growth(variance, width) ** np.arange(1, 4)
    assert (np.abs(ratio.mean(0) - law) < 4.5 * ratio.std(0, ddof=1) / math.sqrt(800)).all()
    # Far enough from the wide limit and from the theorem's base to tell them apart.
    assert (math.sqrt(variance / 2) ** 3 - law[2]) > 4.5 * ratio[:, 2].std() / math.sqrt(800)
    assert relu_growth(variance, width) < math.sqrt(variance / 2) < theorem_expression("relu", variance, width)


@pytest.mark.parametrize("name", START_SETTINGS)
def test_wide_layers_stretch_as_their_limit_says(name):
    setting = START_SETTINGS[name]
    weights = random_weights(range(4), setting.variance, depth=3, width=600, inputs=20, dtype=torch.float64)
    rng = np.random.default_rng(1)
    found = layer_lengths(weights, arc(*rng.standard_normal((2, 20)), 400, math.sqrt(600)), setting.activation)
    growth = (found[:, 1:] / found[:, :-1]).mean(0)
    assert np.allclose(growth, wide_growth(setting.activation, setting.variance, 3), rtol=0.04)


def test_limits_agree_where_the_activations_do():
    # Weights so small that tanh and hard tanh are the identity.
    assert np.allclose(wide_growth("tanh", 1e-4, 3), 1e-2, rtol=1e-3)
    assert np.allclose(wide_growth("hard-tanh", 1e-4, 3), 1e-2, rtol=1e-9)
    grid = np.linspace(-8, 8, 200_001)
    density = np.exp(-(grid**2) / 2) / math.sqrt(2 * math.pi)
    h = math.sqrt(5.0) * grid
    first = math.sqrt(5 * np.trapezoid(density * (np.abs(h) < 1), grid))
    q = np.trapezoid(density * np.clip(h, -1, 1) ** 2, grid)
    second = math.sqrt(5 * np.trapezoid(density * (math.sqrt(5 * q) * np.abs(grid) < 1), grid))
    assert np.allclose(wide_growth("hard-tanh", 5.0, 2), [first, second], rtol=1e-3)


def test_the_theorem_without_bias_is_its_corollary():
    for variance, k in ((16.0, 100), (2.0, 30)):
        sigma = math.sqrt(variance)
        assert math.isclose(theorem_expression("hard-tanh", variance, k), math.sqrt(sigma * k / (sigma + k)))
    assert theorem_expression("hard-tanh", 4.0, 50, 1.0) < theorem_expression("hard-tanh", 4.0, 50)


def test_images_of_points_and_of_batches_agree():
    weights, x = random_weights([0, 1], 2.0, **SHAPE), torch.randn(6, 5)
    z = hidden_layers(weights, x, "tanh")
    assert [tuple(v.shape) for v in z] == [(2, 6, 7)] * 3
    assert torch.allclose(z[2][1], hidden_layers([w[1:] for w in weights], x, "tanh")[2][0])


@pytest.mark.parametrize("rest, learned, free", [
    ("frozen", (3,), {"stages.1.blocks.0.conv_dw.weight"}),
    ("head", (), {"head.weight", "head.bias"}),
    ("trained", (1,), None),
])  # fmt: skip
def test_only_the_chosen_weights_of_a_block_network_change(rest, learned, free):
    rng = np.random.default_rng(0)
    data = rng.integers(0, 256, (32, 28, 28), np.uint8), rng.integers(0, 10, 32)
    network = key_network(1, learned=learned, rest=rest)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    accuracy = train_and_judge(network, data, data, epochs=1, seed=0, batch=16)
    changed = {k for k, v in network.state_dict().items() if not torch.equal(v, before[k])}
    assert changed == (free or changed) and 0 <= accuracy <= 1
    # Whatever else is trained, of the keys only those that may.
    assert changed.intersection(DEPTHWISE) == {DEPTHWISE[layer - 1] for layer in learned}


def test_block_networks_of_a_seed_differ_in_the_learned_layer_only():
    keys, thawed = key_network(2), key_network(2, learned=[2])
    differ = {
        k for (k, a), b in zip(keys.state_dict().items(), thawed.state_dict().values(), strict=True) if not torch.equal(a, b)
    }
    assert differ == {"stages.0.blocks.1.conv_dw.weight"}
    want = key_filters("B", 7)
    want = SCALE * want / np.sqrt((want**2).sum((1, 2), keepdims=True))
    for layer in find_depthwise(keys):
        assert np.allclose(layer.filters, want, atol=1e-6)
    assert [n for n, p in keys.named_parameters() if not p.requires_grad] == DEPTHWISE


def test_lines_with_intervals_and_laws():
    values = np.array([[1.0, 2.0], [3.0, 2.0]])
    fig = layer_lines(
        {"a": {"run": ([1, 2], values), "law": ([1, 2], [1.0, 4.0])}, "b": {"law": ([1, 2], [2.0, 1.0])}},
        xlabel="x",
        ylabel="y",
        log=True,
    )
    lines = fig.axes[0].get_lines()
    assert np.allclose(lines[0].get_ydata(), [2, 2]) and np.allclose(lines[1].get_ydata(), [1, 4])
    assert fig.axes[0].get_yscale() == "log" and len(fig.legends[0].get_texts()) == 2
    low, high = t_interval(values)
    assert low[1] == high[1] == 2 and low[0] < 1 and high[0] > 3
    assert np.array_equal(t_interval(values[:1])[0], values[0])
