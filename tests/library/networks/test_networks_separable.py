"""Depthwise convolutions of separable filters along one and three axes."""

import copy

import numpy as np
import pytest
import torch
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused
from torch import nn

from keyfilters import axis_keys, separable_filter
from keyfilters.networks import ScaleSpaceConv1d, ScaleSpaceConv2d, ScaleSpaceConv3d, fold, scale_parameters

DOUBLE = {"dtype": torch.float64}
LAYERS = {1: ScaleSpaceConv1d, 3: ScaleSpaceConv3d}
PLAIN = {1: nn.Conv1d, 3: nn.Conv3d}
EVERY = each("axes", [1, 3])


def image(axes, channels=4, side=7):
    return torch.randn(2, channels, *range(side, side + axes), generator=torch.Generator().manual_seed(0), **DOUBLE)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([1, 3]), st.lists(st.floats(0.0, 5.0), min_size=3, max_size=3), st.sampled_from([3, 5, 7]))
def test_the_filters_are_those_of_numpy(axes, sigma, size):
    rows = axis_keys("xyz"[:axes])
    layer = LAYERS[axes](len(rows), size, sigma=sigma[:axes], **DOUBLE)
    assert layer.weight.shape == (len(rows), 1, *(size,) * axes)
    for found, operators in zip(layer.weight.detach()[:, 0].numpy(), rows.values(), strict=True):
        np.testing.assert_allclose(found, separable_filter(operators, sigma[:axes], size=size), rtol=0, atol=2e-15)


@EVERY
def test_gradients_equal_finite_differences(axes):
    layer = LAYERS[axes](2, 3, sigma=0.6, keys=["x+", "T"], stride=2, dilation=2, learn_scales=True, learn_gain=True, **DOUBLE)
    names, values = zip(*layer.named_parameters(), strict=True)
    assert set(names) == {"raw", "gain", "offset", "bias"}
    x = image(axes, 2, 5)

    def output(*parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    assert torch.autograd.gradcheck(output, values)


@pytest.mark.parametrize(
    "geometry",
    [{}, {"stride": 2, "padding": 1}, {"padding": "valid", "bias": False}, {"padding_mode": "circular", "dilation": 2}],
)
@EVERY
def test_it_computes_and_folds_to_what_torch_computes(axes, geometry):
    layer = LAYERS[axes](4, 3, sigma=0.7, gain=[1, -2, 3, 0.5], offset=0.1, out_channels=4, **geometry, **DOUBLE)
    given = {"padding": "same" if "stride" not in geometry else 1} | geometry
    plain = PLAIN[axes](4, 4, 3, groups=4, **given, **DOUBLE)
    plain.load_state_dict({"weight": layer.weight, "bias": layer.bias} if layer.bias is not None else {"weight": layer.weight})
    x = image(axes)
    folded = layer.fold()
    assert type(folded) is PLAIN[axes]
    torch.testing.assert_close(layer(x), plain(x), rtol=0, atol=1e-14)
    torch.testing.assert_close(folded(x), layer(x), rtol=0, atol=1e-14)
    network = nn.Sequential(layer, nn.ReLU())
    assert type(fold(network)[0]) is PLAIN[axes]


@EVERY
def test_axes_of_the_geometry_have_the_order_of_torch(axes):
    stride = tuple(range(1, axes + 1))
    layer, plain = LAYERS[axes](4, 3, sigma=0.7, stride=stride, **DOUBLE), PLAIN[axes](4, 4, 3, stride, 1, groups=4, **DOUBLE)
    assert layer(image(axes)).shape == plain(image(axes)).shape


def test_scales_are_trained_to_the_truth_and_may_grow_beyond_the_table():
    torch.manual_seed(0)
    truth = ScaleSpaceConv3d(10, 5, sigma=[0.5, 0.8, 1.1], bias=False, **DOUBLE)
    layer = ScaleSpaceConv3d(10, 5, sigma=0.7, learn_scales=True, bias=False, **DOUBLE)
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=200, tolerance_grad=1e-14, tolerance_change=1e-18)

    def loss():
        optimizer.zero_grad()
        value = (layer.weight - truth.weight).square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    torch.testing.assert_close(layer.sigma, truth.sigma, rtol=0, atol=1e-6)
    with torch.no_grad():
        layer.raw.fill_(9.0)
    expected = separable_filter(axis_keys("xyz")["T"], 9.0, size=5)
    np.testing.assert_allclose(layer.weight[-1, 0].detach(), expected, rtol=0, atol=1e-15)


def test_states_copies_and_groups_of_parameters():
    layer = ScaleSpaceConv3d(10, 3, sigma=0.7, learn_scales=True)
    other = ScaleSpaceConv3d(10, 3, sigma=0.4, learn_scales=True)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(copy.deepcopy(other).weight, layer.weight)
    with pytest.raises(RuntimeError, match="stored for filters of size 3, these have 5"):
        ScaleSpaceConv3d(10, 5, sigma=0.7, learn_scales=True).load_state_dict(layer.state_dict())
    with pytest.raises(RuntimeError, match="size mismatch"):
        ScaleSpaceConv1d(10, 3, sigma=0.7, learn_scales=True).load_state_dict(layer.state_dict())
    assert [len(group["params"]) for group in scale_parameters(layer)] == [1, 1]
    assert layer.half()(torch.zeros(1, 10, 3, 3, 3).half()).dtype == torch.float16


def test_along_one_axis_they_are_rows_of_the_filters_in_the_plane():
    flat = ScaleSpaceConv1d(3, 7, sigma=0.6, keys=["x-", "x+", "x"], **DOUBLE).weight
    plane = ScaleSpaceConv2d(3, 7, keys=[2, 4, 5], sigma_x=0.6, sigma_y=0.0, **DOUBLE).weight
    assert torch.equal(flat[:, 0], plane[:, 0, 3])


@each(
    ("call", "error", "message"),
    [
        (lambda: ScaleSpaceConv3d(10, 4, sigma=1.0), ValueError, "kernel_size is 4"),
        (
            lambda: ScaleSpaceConv3d(10, sigma=[1.0, 2.0]),
            ValueError,
            r"sigma has shape \(2,\): expected one number, 3 \(one per axis\)",
        ),
        (lambda: ScaleSpaceConv3d(10, sigma=-1.0), ValueError, "sigma is -1"),
        (
            lambda: ScaleSpaceConv1d(2, sigma=1.0, keys=["x", "y"]),
            ValueError,
            r"unknown key 'y': expected one of x\+, x-, x, T",
        ),
        (lambda: ScaleSpaceConv3d(2, sigma=1.0, keys=["x"]), ValueError, "keys has 1 entries: expected 2"),
        (lambda: ScaleSpaceConv3d(2, sigma=1.0, stride=(1, 2)), ValueError, "expected an integer >= 0 or 3 of them"),
        (lambda: ScaleSpaceConv3d(2, sigma=1.0, padding="dynamic"), ValueError, "padding is 'dynamic'"),
        (
            lambda: ScaleSpaceConv3d(2, sigma=1.0, gamma=1.0),
            TypeError,
            "takes no 'gamma': expected what its filters are, or of nn.Conv3d",
        ),
    ],
)
def test_bad_input_is_refused_in_one_line(call, error, message):
    refused(call, message, error)
