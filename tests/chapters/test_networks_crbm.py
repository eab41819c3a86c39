"""The convolutional Boltzmann machine against brute-force enumeration of all its states."""

from itertools import product

import numpy as np
import pytest
import torch
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import message as said

from keyfilters_book.background.crbm import ConvolutionalRBM, contrastive_loss, inside, mean_image_error, train_crbm


def machine(maps=2, size=2, block=2, visible="binary", seed=0, **options):
    """A machine in double precision with weights, and biases, that matter."""
    model = ConvolutionalRBM(maps, size, block, visible=visible, spread=0.8, seed=seed, **options).double()
    generator = torch.Generator().manual_seed(seed + 100)
    with torch.no_grad():
        model.hidden_bias += torch.randn(maps, generator=generator, dtype=torch.float64)
        model.visible_bias += torch.randn(len(model.visible_bias), generator=generator, dtype=torch.float64)
    return model


def images(count, side, seed=0, channels=1):
    return torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def hidden_states(maps, side, block):
    """All states (S, maps, side, side) with at most one unit of a block on, block by block."""
    corners = [(k, i, j) for k in range(maps) for i in range(0, side, block) for j in range(0, side, block)]
    choices = [None, *product(range(block), range(block))]
    states = []
    for chosen in product(choices, repeat=len(corners)):
        h = torch.zeros(maps, side, side, dtype=torch.float64)
        for k, i, j in [(k, i + on[0], j + on[1]) for (k, i, j), on in zip(corners, chosen, strict=True) if on]:
            h[k, i, j] = 1.0
        states.append(h)
    return torch.stack(states)


@pytest.mark.parametrize(
    "maps, size, block, side, visible, options",
    [(2, 2, 2, 3, "binary", {}), (2, 2, 2, 3, "gaussian", {"sigma": 0.7}), (1, 2, 2, 5, "gaussian", {}), (3, 3, 1, 4, "binary", {}),
     (1, 2, 2, 3, "gaussian", {"channels": 2})],
)  # fmt: skip
def test_free_energy_and_conditionals_equal_the_sums_over_all_hidden_states(maps, size, block, side, visible, options):
    model = machine(maps, size, block, visible, **options)
    v = images(1, side, channels=options.get("channels", 1))
    states = hidden_states(maps, side - size + 1, block)
    energies = model.energy(v.expand(len(states), -1, -1, -1), states)
    assert torch.allclose(model.free_energy(v)[0], -torch.logsumexp(-energies, 0), rtol=1e-12)
    weights = torch.softmax(-energies, 0)
    on, off = model.hidden(v)
    assert torch.allclose(on[0], torch.einsum("s,skij->kij", weights, states), atol=1e-12)
    empty = 1 - torch.nn.functional.avg_pool2d(states, block) * block**2
    assert torch.allclose(off[0], torch.einsum("s,skij->kij", weights, empty), atol=1e-12)


@given(seed=st.integers(0, 1000), block=st.integers(1, 3), scale=st.floats(0, 30))
@settings(max_examples=25, deadline=None)
def test_the_states_of_a_block_sum_to_one_whatever_the_inputs(seed, block, scale):
    model = machine(2, 3, block, "gaussian", seed)
    v = scale * images(2, 2 + 2 * block, seed)
    on, off = model.hidden(v)
    total = torch.nn.functional.avg_pool2d(on, block) * block**2 + off
    assert torch.allclose(total, torch.ones_like(total), atol=1e-12)
    assert on.min() >= 0 and off.min() >= 0


def test_draws_have_at_most_one_unit_of_a_block_on_and_the_right_frequencies():
    model, v = machine(visible="gaussian"), images(1, 5)
    drawn = model.sample_hidden(v.expand(20000, -1, -1, -1), torch.Generator().manual_seed(1))
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    assert (torch.nn.functional.avg_pool2d(drawn, 2) * 4).max() <= 1
    p = model.hidden(v)[0][0]
    # Five standard errors.
    assert ((drawn.mean(0) - p).abs() <= 5 * (p * (1 - p) / 20000).sqrt() + 1e-9).all()


def test_the_gradient_of_the_exact_likelihood_is_the_difference_of_free_energies():
    """Autograd of the likelihood, by enumeration of all images and hidden states, against the gradient of F."""
    model = machine(1, 2, 2, "binary")
    everything = torch.tensor(list(product([0.0, 1.0], repeat=9)), dtype=torch.float64).reshape(-1, 1, 3, 3)
    states = hidden_states(1, 2, 2)
    pairs = torch.stack([model.energy(everything, h.expand(len(everything), -1, -1, -1)) for h in states])
    data = everything[[37, 200, 411]]
    log_z = torch.logsumexp(-pairs.flatten(), 0)
    place = [37, 200, 411]
    likelihood = (torch.logsumexp(-pairs, 0)[place] - log_z).mean()
    exact = torch.autograd.grad(likelihood, list(model.parameters()))
    p = torch.softmax(-model.free_energy(everything), 0).detach()
    assert torch.allclose(torch.logsumexp(-model.free_energy(everything), 0), log_z, rtol=1e-12)
    loss = (p * model.free_energy(everything)).sum() - model.free_energy(data).mean()
    for a, b in zip(exact, torch.autograd.grad(loss, list(model.parameters())), strict=True):
        assert torch.allclose(a, b, atol=1e-10)


def test_the_gradient_of_the_free_energy_holds_the_expected_hidden_units():
    model, v = machine(2, 2, 2, "gaussian", sigma=0.6), images(3, 5)
    on = model.hidden(v)[0].detach()
    weight, bias, _ = torch.autograd.grad(model.free_energy(v).sum(), list(model.parameters()))
    windows = v.unfold(2, 2, 1).unfold(3, 2, 1)[:, 0]
    assert torch.allclose(weight[:, 0], -torch.einsum("nkij,nijrs->krs", on, windows) / 0.36, atol=1e-10)
    assert torch.allclose(bias, -on.sum(dim=(0, 2, 3)), atol=1e-10)


def test_contrastive_divergence_stands_still_in_the_mean_where_the_model_is_the_data():
    """With no coupling the reconstruction has the data's distribution, so the mean gradient is 0."""
    model = ConvolutionalRBM(2, 3, 2, visible="binary").double()
    with torch.no_grad():
        model.weight.zero_()
    generator = torch.Generator().manual_seed(0)
    v = torch.bernoulli(torch.full((4000, 1, 6, 6), 0.5, dtype=torch.float64), generator=generator)
    gradient = torch.autograd.grad(contrastive_loss(model, v, generator, clamp=False), model.weight)[0]
    # Each entry is a difference of means of 16 sums of hidden probability times 0 or 1: its error is below this.
    assert gradient.abs().max() < 5 * 16 * 0.2 * 0.5 * np.sqrt(2 / 4000)


def test_the_border_is_held_when_asked():
    model, v = machine(2, 3, 2, "gaussian"), images(2, 8)
    seen = []
    energy = model.free_energy
    model.free_energy = lambda x: (seen.append(x), energy(x))[1]
    contrastive_loss(model, v, torch.Generator().manual_seed(0))
    back = seen[-1]
    place = inside(model)
    same = back == v
    assert not same[place].any()
    same[place] = True
    assert same.all() and v[place].shape[-1] == 4


def bars(count=80, side=12, seed=0):
    """Images of a few vertical bars: plus beside minus."""
    rng = np.random.default_rng(seed)
    out = 0.1 * rng.standard_normal((count, 1, side, side))
    for image in out:
        for column in rng.choice(side - 1, 2, replace=False):
            image[0, :, column] += 1.5
            image[0, :, column + 1] -= 1.5
    return out


def test_training_learns_bars_and_keeps_to_the_sparsity():
    model = ConvolutionalRBM(4, 5, 2, sigma=0.5, bias=-3.0)
    before = mean_image_error(model, torch.as_tensor(bars(20, seed=1), dtype=torch.float32), torch.Generator().manual_seed(0))
    history = train_crbm(model, bars(), bars(20, seed=1), steps=200, rate=0.02, target=0.05, sparsity=5.0, records=[0, 100])
    assert history.steps == [0, 100, 200] and history.held_out[0] == pytest.approx(before, rel=0.05)
    assert history.held_out[-1] < 0.7 * history.held_out[0]
    last = history.filters[-1]
    # Bars are constant along columns: most of the weights' energy lies in the column means.
    along = 5 * (last.mean(axis=1) ** 2).sum() / (last**2).sum()
    first = history.filters[0]
    assert along > 0.6 > 5 * (first.mean(axis=1) ** 2).sum() / (first**2).sum()


def test_training_is_deterministic():
    one, same, other = (
        train_crbm(ConvolutionalRBM(2, 3, 2, seed=3), bars(10), bars(4), steps=5, seed=seed).filters[-1] for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same) and not np.array_equal(one, other)


@each("call, message", [
    (lambda: ConvolutionalRBM(2, 3, visible="real"), "unknown visible 'real': expected one of gaussian, binary"),
    (lambda: ConvolutionalRBM(0, 3), "maps is 0: expected an integer of at least 1"),
    (lambda: ConvolutionalRBM(2, 3, sigma=0.0), "sigma is 0.0: expected a number > 0"),
    (lambda: ConvolutionalRBM(2, 3, visible="binary", sigma=2.0), "and 1 for binary visible units"),
    (lambda: ConvolutionalRBM(2, 3).hidden(torch.zeros(1, 1, 7, 7)), "have 5 x 5 units: expected whole blocks of 2"),
    (lambda: train_crbm(ConvolutionalRBM(2, 3), bars(4), bars(2), steps=0), "steps is 0: expected an integer of at least 1"),
    (lambda: train_crbm(ConvolutionalRBM(2, 3), 1e20 * bars(4), bars(2), steps=9, rate=1e20), "expected a smaller rate"),
])  # fmt: skip
def test_bad_input_is_named_in_one_line(call, message):
    assert message in said(call)
