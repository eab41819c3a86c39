"""Depthwise-separable layers: what they reach, how near they come, what they cost; and their pictures."""

import numpy as np
import pytest
import timm
import torch
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import message as said

from keyfilters_book.background.costs import MOBILENET_PUBLISHED, NETWORKS, layer_cost, network_layers
from keyfilters_book.background.factorisation import depthwise_separable, dimension, project_on_bank, span_share
from keyfilters_book.background.lenet import LeNet5
from keyfilters_book.figures import lenet_pictures as pictures
from keyfilters_book.paper.architecture import network_table as convnext_table

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 4), st.sampled_from([1, 2, 3]), st.integers(0, 10_000))


def drawn(shape):
    outputs, inputs, side, seed = shape
    return np.random.default_rng(seed).standard_normal((outputs, inputs, side, side))


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.integers(1, 9))
def test_the_error_is_what_is_left_and_no_other_factors_are_nearer(shape, multiplier):
    w = drawn(shape)
    outputs, inputs, side, seed = shape
    m = min(multiplier, outputs, side**2)
    found = depthwise_separable(w, m)
    left = np.linalg.norm(w - found.weight) / np.linalg.norm(w)
    assert np.isclose(left, found.error, atol=1e-12)
    rng = np.random.default_rng(seed + 1)
    for scale in (1e-3, 0.1):
        d = found.depthwise + scale * rng.standard_normal(found.depthwise.shape)
        p = found.pointwise + scale * rng.standard_normal(found.pointwise.shape)
        other = np.einsum("oir,iruv->oiuv", p, d)
        assert np.linalg.norm(w - other) >= np.linalg.norm(w - found.weight) - 1e-9
    assert depthwise_separable(w, min(outputs, side**2)).error < 1e-12 and depthwise_separable(0 * w).error == 0


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.integers(1, 3))
def test_what_is_separable_is_found_again(shape, multiplier):
    outputs, inputs, side, seed = shape
    m = min(multiplier, outputs, side**2)
    rng = np.random.default_rng(seed)
    d, p = rng.standard_normal((inputs, m, side, side)), rng.standard_normal((outputs, inputs, m))
    found = depthwise_separable(np.einsum("oir,iruv->oiuv", p, d), m)
    assert found.error < 1e-7
    assert np.allclose(found.weight, np.einsum("oir,iruv->oiuv", p, d), atol=1e-10)


def test_two_layers_compute_what_the_product_computes():
    w, x = drawn((5, 3, 3, 0)), torch.randn(2, 3, 9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = depthwise_separable(w, 2)
    depthwise = torch.tensor(found.depthwise).reshape(6, 1, 3, 3)
    pointwise = torch.tensor(found.pointwise).reshape(5, 6, 1, 1)
    two = torch.nn.functional.conv2d(torch.nn.functional.conv2d(x, depthwise, groups=3), pointwise)
    assert torch.allclose(two, torch.nn.functional.conv2d(x, torch.tensor(found.weight)), atol=1e-12)


@pytest.mark.parametrize("inputs, outputs, side, multiplier", [(2, 3, 2, 1), (1, 4, 2, 2), (3, 2, 2, 2), (2, 5, 3, 4)])
def test_the_dimension_is_the_rank_of_the_derivative(inputs, outputs, side, multiplier):
    rng = np.random.default_rng(0)
    d, p = rng.standard_normal((inputs, multiplier, side**2)), rng.standard_normal((outputs, inputs, multiplier))
    # The product is linear in each of its two factors.
    along = [np.einsum("oir,iru->oiu", p, step.reshape(d.shape)).ravel() for step in np.eye(d.size)]
    along += [np.einsum("oir,iru->oiu", step.reshape(p.shape), d).ravel() for step in np.eye(p.size)]
    assert np.linalg.matrix_rank(np.array(along)) == dimension(inputs, outputs, side, multiplier)


def test_c3_keeps_its_gaps_at_any_rank():
    w = LeNet5().c3.weight.detach().double().numpy()
    absent = ~w.any(axis=(2, 3))
    found = [depthwise_separable(w, m) for m in range(1, 11)]
    errors = [one.error for one in found]
    assert max(np.abs(one.weight[absent]).max() for one in found) < 1e-14
    # Ten maps read each map of S2: ten filters per map are enough, nine are not.
    assert errors[9] < 1e-12 < 1e-3 < errors[8] and (np.diff(errors) < 0).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 6), st.integers(0, 999))
def test_projection_splits_the_energy(count, size, seed):
    rng = np.random.default_rng(seed)
    kernels, bank = rng.standard_normal((4, 3, 3)), rng.standard_normal((count, 3, 3))
    near = project_on_bank(kernels, bank)
    assert np.allclose(project_on_bank(near, bank), near, atol=1e-9)
    share = span_share(kernels, bank)
    assert np.isclose(share, 1 - ((kernels - near) ** 2).sum() / (kernels**2).sum(), atol=1e-9)
    assert np.isclose(span_share(bank[:1], bank), 1) and share <= 1 + 1e-12
    # A filter that is there already adds nothing.
    assert np.isclose(span_share(kernels, np.concatenate([bank, size * bank[:1]])), share)


@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 11), st.integers(1, 30), st.integers(1, 4))
def test_the_ratio_of_costs(inputs, outputs, side, size, multiplier):
    full = layer_cost(inputs, outputs, side, size)
    separable = layer_cost(inputs, outputs, side, size, "separable", multiplier)
    for count in ("weights", "multiply_adds"):
        assert np.isclose(separable[count] / full[count], multiplier * (1 / outputs + 1 / side**2))
    spatial = layer_cost(inputs, outputs, side, size, "depthwise", multiplier)
    mixing = layer_cost(inputs * multiplier, outputs, 1, size)
    assert spatial["weights"] + mixing["weights"] == separable["weights"]


def convolutions(network):
    """Weights of all convolutions and linear layers, in the order of the network."""
    kinds = (torch.nn.Conv2d, torch.nn.Linear)
    return [m.weight.numel() for m in network.modules() if isinstance(m, kinds)]


def test_mobilenet_is_that_of_the_library_and_of_its_authors():
    table = network_layers("MobileNet")
    with torch.device("meta"):
        network = timm.create_model("mobilenetv1_100")
    assert table.weights.tolist() == convolutions(network)
    published = (round(table.weights.sum() / 1e6, 1), round(table.multiply_adds.sum() / 1e6))
    assert published == MOBILENET_PUBLISHED


def test_lenet_and_convnext_have_the_weights_of_their_networks():
    lenet = network_layers("LeNet-5").set_index("name").weights
    network = LeNet5()
    held = {"C1": network.c1.weight, "S2": network.s2.gain, "C3": network.c3.kernels, "S4": network.s4.gain}
    held |= {"C5": network.c5.weight, "F6": network.f6.weight, "output": network.output.codes}
    assert lenet.to_dict() == {name: weight.numel() for name, weight in held.items()}
    convnext = network_layers("ConvNeXt V2 Tiny")
    assert convnext.multiply_adds.sum() == convnext_table("tiny").multiply_adds.sum()
    with torch.device("meta"):
        assert sorted(convnext.weights) == sorted(convolutions(timm.create_model("convnextv2_tiny")))
    assert convnext[convnext.kind == "depthwise"].kernels.sum() == 6_624


@pytest.mark.parametrize("name", NETWORKS)
def test_multiply_adds_are_weights_times_positions(name):
    table = network_layers(name)
    assert (table.multiply_adds == table.weights * table["size"] ** 2).all()
    spatial = table.kernels > 0
    assert (table.weights[spatial] == table.kernels[spatial] * table.side[spatial] ** 2).all()


@each("call, message", [
    (lambda: depthwise_separable(np.ones((2, 3, 3))), "weight has shape (2, 3, 3): expected (outputs, inputs, k, k)"),
    (lambda: depthwise_separable(np.ones((2, 1, 3, 3)), 3), "multiplier is 3: expected an integer from 1 to 2"),
    (lambda: depthwise_separable(np.full((2, 1, 3, 3), np.nan)), "weight is nan: expected a finite number"),
    (lambda: dimension(2, 2, 3, 0), "multiplier is 0: expected an integer from 1 to 2"),
    (lambda: span_share(np.zeros((1, 3, 3)), np.ones((1, 3, 3))), "kernels are all zero: expected at least one that is not"),
    (lambda: span_share(np.ones((1, 3, 3)), np.ones((1, 5, 5))),
     "kernels and bank have shapes (1, 3, 3) and (1, 5, 5): expected (N, k, k) and (K, k, k)"),
    (lambda: layer_cost(1, 1, 3, 4, "grouped"), "unknown kind 'grouped': expected one of full, separable, depthwise"),
    (lambda: layer_cost(0, 1, 3, 4), "inputs is 0: expected an integer of at least 1"),
    (lambda: network_layers("AlexNet"), "unknown network 'AlexNet': expected one of LeNet-5, MobileNet, ConvNeXt V2 Tiny"),
])  # fmt: skip
def test_mistakes_are_named(call, message):
    assert said(call) == message


def test_pictures_show_what_they_are_given():
    rng = np.random.default_rng(0)
    codes = np.where(rng.random((3, 84)) < 0.5, -1.0, 1.0)
    fig = pictures.code_panels(codes, ["a", "b", "c"])
    shown = [np.asarray(ax.images[0].get_array()) for ax in fig.axes if ax.images]
    assert np.array_equal(np.stack(shown).reshape(3, 84), codes)

    before, after = rng.standard_normal((2, 4, 5, 5))
    fig = pictures.kernels_before_after({"seed 0": (before, after)})
    limits = [ax.images[0].get_clim()[1] for ax in fig.axes]
    assert np.allclose(limits[:4], limits[4:]) and np.allclose(limits[:4], np.abs([before, after]).max(axis=(0, 2, 3)))

    w = rng.standard_normal((4, 3, 5, 5))
    w[1, 2] = 0
    sheet = pictures.connection_maps({"x": w}).axes[0].images[0].get_array()
    assert sheet.shape == (18, 24) and np.array_equal(sheet[:5, 6:11], w[1, 0]) and sheet.mask[12:17, 6:11].all()

    images, deep = rng.random((3, 8, 8)), rng.standard_normal((3, 6, 6))
    fig = pictures.gradient_panels(images, {"first": before[:3], "deep": deep})
    assert {ax.images[0].get_clim()[1] for ax in fig.axes[6:]} == {np.abs(deep).max()}

    curve = rng.random((2, 3))
    fig = pictures.rank_panels([1, 2, 3], {"error": {"a": curve}, "accuracy": {"a": 2 * curve}}, xlabel="m")
    lines = [ax.lines[0].get_ydata() for ax in fig.axes]
    assert np.allclose(lines[0], curve.mean(0)) and np.allclose(lines[1], 2 * lines[0])
