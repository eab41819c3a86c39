"""Layers of idealised filters: the kernels, their gradients, and everything torch does with a layer."""

import copy
import inspect

import numpy as np
import pytest
import torch
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import message as said
from refusals import refused
from torch import nn

from keyfilters import discrete_gaussian, fit, gaussian_kernel, ideal_filter, learned_filters
from keyfilters.fitting.joint import key_parameters
from keyfilters.networks.layers.base import DYNAMIC, ConvGeometry
from keyfilters.networks.layers.filter_bank import FilterBankConv2d
from keyfilters.networks.layers.kernels import KERNEL_KINDS, half_gaussian, ideal_kernels
from keyfilters.networks.layers.scale_space import NORMS, SHARES, ScaleSpaceConv2d

sigmas = st.floats(0.0, 3.0)
DOUBLE = {"dtype": torch.float64}


def tensor(value):
    return torch.tensor(value, dtype=torch.float64)


@settings(max_examples=40, deadline=None)
@given(sigmas, sigmas, st.floats(0, 5), st.sampled_from([3, 5, 7, 9]), st.sampled_from(["crop", "exact"]))
def test_all_keys_equal_the_numpy_models(sigma_x, sigma_y, gamma, size, edge):
    kernels = ideal_kernels(range(1, 9), tensor(sigma_x), tensor(sigma_y), tensor(gamma), size, edge).numpy()
    for key, kernel in enumerate(kernels, start=1):
        expected = ideal_filter(key, sigma_x, sigma_y, gamma=gamma if key == 7 else None, size=size, edge=edge)
        np.testing.assert_allclose(kernel, expected, rtol=0, atol=2e-15 * (1 + gamma))


@settings(max_examples=40, deadline=None)
@given(st.lists(sigmas, min_size=1, max_size=5), st.integers(0, 6))
def test_half_kernels_equal_the_numpy_ones(values, radius):
    half = half_gaussian(tensor(values) ** 2, radius).numpy()
    np.testing.assert_allclose(half, discrete_gaussian(values, radius)[:, radius:], rtol=0, atol=1e-15)


def test_the_sampled_kernel_is_that_of_numpy():
    half = half_gaussian(tensor([0.25, 1.0]), 3, "sampled").numpy()
    np.testing.assert_allclose(half, gaussian_kernel([0.5, 1.0], 3, "sampled")[:, 3:], rtol=1e-14)


def test_scale_zero_is_the_exact_limit():
    assert torch.equal(half_gaussian(torch.zeros(2), 3), torch.eye(1, 4).expand(2, 4))
    kernels = ideal_kernels(range(1, 9), tensor(0.0), tensor(0.0), tensor(0.5))
    for key, kernel in enumerate(kernels, start=1):
        np.testing.assert_array_equal(kernel, ideal_filter(key, 0.0, gamma=0.5 if key == 7 else None))


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("kind", KERNEL_KINDS)
@pytest.mark.parametrize("normalize", NORMS)
def test_gradients_equal_finite_differences(share, kind, normalize):
    torch.manual_seed(1)
    layer = ScaleSpaceConv2d(
        9, 5, stride=2, dilation=2, learn_scales=True, learn_gamma=True, learn_gain=True, share=share, kind=kind,
        normalize=normalize, **DOUBLE,
    )  # fmt: skip
    x = torch.randn(1, 9, 7, 7, **DOUBLE)
    names, values = zip(*layer.named_parameters(), strict=True)
    assert {"raw_x", "raw_y", "raw_gamma", "gain", "offset", "bias"} == set(names)

    def output(*parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    assert torch.autograd.gradcheck(output, values)


def test_gradients_at_scale_zero_are_finite_and_vanish():
    layer = ScaleSpaceConv2d(8, sigma_x=0.0, sigma_y=0.6, learn_scales=True, **DOUBLE)
    layer(torch.randn(1, 8, 9, 9, **DOUBLE)).square().sum().backward()
    assert not layer.raw_x.grad.any() and layer.raw_y.grad.isfinite().all() and layer.raw_y.grad.any()


def test_scales_stay_positive_whatever_is_trained():
    layer = ScaleSpaceConv2d(8, learn_scales=True)
    with torch.no_grad():
        layer.raw_x.neg_()
        layer.raw_y.zero_()
    positive = ScaleSpaceConv2d(8, sigma_y=0.0)
    assert (layer.sigma_x > 0).all() and not layer.sigma_y.any()
    torch.testing.assert_close(layer.kernels(), positive.kernels())


def test_the_default_scales_are_those_of_the_fits():
    layer = ScaleSpaceConv2d(16, method="C1", **DOUBLE)
    for key in range(1, 9):
        expected = fit(key, "C1").model()
        for channel in (key - 1, key + 7):
            np.testing.assert_allclose(layer.weight[channel, 0].numpy(), expected, atol=1e-15)


@pytest.mark.parametrize("options", [
    {}, {"stride": 2}, {"dilation": 3}, {"padding": "valid"}, {"padding": 1, "out_channels": 16}, {"bias": False},
    {"padding_mode": "reflect"}, {"padding_mode": "circular", "stride": (2, 1)}, {"padding": DYNAMIC, "stride": 2},
    {"learn_scales": True}, {"share": "layer", "learn_scales": True}, {"kernel_size": 3}, {"kernel_size": 11},
])  # fmt: skip
def test_folded_output_is_the_same(options):
    torch.manual_seed(2)
    layer = ScaleSpaceConv2d(8, **options, gain=np.linspace(0.5, 2, options.get("out_channels", 8)), offset=0.01)
    if layer.bias is not None:
        nn.init.normal_(layer.bias)
    x = torch.randn(2, 8, 16, 15)
    plain = layer.fold()
    assert isinstance(plain, nn.Conv2d) and plain.weight.requires_grad
    torch.testing.assert_close(plain(x), layer(x), rtol=1e-6, atol=1e-6)
    with torch.no_grad():
        assert torch.equal(plain(x), layer(x))


def test_old_ways_of_giving_the_geometry_work_and_say_so():
    new = ScaleSpaceConv2d(8, 5, stride=2, padding=1, out_channels=16)
    with pytest.warns(DeprecationWarning, match="stride, padding of ScaleSpaceConv2d by position") as by_position:
        old = ScaleSpaceConv2d(8, 5, 2, 1, out_channels=16)
    assert by_position[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="give out_channels"):
        more = ScaleSpaceConv2d(8, 5, stride=2, padding=1, multiplier=2)
    with pytest.warns(DeprecationWarning, match="stride of FilterBankConv2d by position"):
        bank = FilterBankConv2d(learned_filters(), 8, 3)
    assert str(new) == str(old) == str(more) and torch.equal(new.weight, more.weight) and bank.stride == (3, 3)


@pytest.mark.parametrize("call", [
    lambda: ScaleSpaceConv2d(8, strides=2), lambda: ScaleSpaceConv2d(8, groups=8), lambda: FilterBankConv2d(learned_filters(), 8, pad=1),
])  # fmt: skip
def test_the_geometry_has_the_names_of_torch(call):
    assert set(ConvGeometry.__annotations__) < set(inspect.signature(nn.Conv2d).parameters)
    refused(call, "expected what its filters are, or of nn.Conv2d out_channels, stride", TypeError)


def test_a_layer_takes_the_place_of_a_convolution():
    conv = nn.Conv2d(6, 12, 5, stride=2, padding=1, groups=6, dtype=torch.float64)
    layer = ScaleSpaceConv2d.from_conv(conv, keys=[8] * 12, sigma_x=0.5, sigma_y=0.5)
    x = torch.randn(1, 6, 9, 9, **DOUBLE)
    assert layer.bias is conv.bias and layer.gain.dtype == torch.float64 and layer(x).shape == conv(x).shape
    bank = FilterBankConv2d.from_conv(conv, conv.weight[:, 0], index=range(12))
    torch.testing.assert_close(bank(x), conv(x))


@pytest.fixture(params=["frozen", "learnable", "shared", "bank"])
def layer(request):
    torch.manual_seed(3)
    if request.param == "bank":
        return FilterBankConv2d(learned_filters(), 16, gain=2.0)
    options = {"frozen": {}, "learnable": {"learn_scales": True}, "shared": {"learn_scales": True, "share": "key"}}
    return ScaleSpaceConv2d(16, **options[request.param])


X = torch.randn(2, 16, 12, 12, generator=torch.Generator().manual_seed(4))


def test_state_dict_and_deepcopy(layer):
    other = copy.deepcopy(layer)
    assert torch.equal(other(X), layer(X))
    with torch.no_grad():
        for value in other.state_dict().values():
            if value.is_floating_point():
                value.mul_(0.5)
    if isinstance(layer, ScaleSpaceConv2d):
        fresh = ScaleSpaceConv2d(16, sigma_x=0.1, sigma_y=0.1, gamma=0.1, learn_scales=layer.learns, share=layer.share)
    else:
        fresh = FilterBankConv2d(np.ones((8, 7, 7)), 16)
    assert not torch.equal(fresh(X), layer(X))
    fresh.load_state_dict(layer.state_dict())
    torch.testing.assert_close(fresh(X), layer(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype, tolerance", [(torch.float16, 4e-3), (torch.bfloat16, 3e-2)])
def test_half_precision(layer, dtype, tolerance):
    low = copy.deepcopy(layer).to(dtype)
    out = low(X.to(dtype))
    assert out.dtype == dtype
    torch.testing.assert_close(out.float(), layer(X), rtol=tolerance, atol=tolerance * 5)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(X).dtype == torch.bfloat16


def test_compiled_output_is_the_same(layer):
    # "aot_eager" traces forward and backward without the C++ compiler that inductor needs.
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(X), layer(X))
    if layer.learns:
        compiled(X).square().sum().backward()
        assert layer.raw_x.grad.isfinite().all()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_onnx_gives_the_same_output(layer, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "layer.onnx"
    torch.onnx.export(layer.eval(), (X,), path, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (out,) = session.run(None, {session.get_inputs()[0].name: X.numpy()})
    np.testing.assert_allclose(out, layer(X).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_only_the_named_quantities_are_trained():
    def names(**options):
        return {name for name, _ in ScaleSpaceConv2d(8, **options).named_parameters()}

    assert names() == {"bias"}
    assert names(learn_scales=True, bias=False) == {"raw_x", "raw_y"}
    assert names(learn_gamma=True, learn_gain=True) == {"bias", "raw_gamma", "gain", "offset"}


@pytest.mark.parametrize("share, count", [("channel", 20), ("key", 8), ("layer", 1)])
def test_shared_scales(share, count):
    layer = ScaleSpaceConv2d(20, learn_scales=True, share=share, method="D1")
    assert layer.raw_x.numel() == layer.raw_y.numel() == count
    assert layer.sigma_x.shape == (20,)
    if share == "key":
        np.testing.assert_allclose(layer.sigma_x[:8].detach(), key_parameters("D1")[0], rtol=1e-6)


@each("call, message", [
    (lambda: ScaleSpaceConv2d(0), "channels is 0: expected an integer of at least 1"),
    (lambda: ScaleSpaceConv2d(8, out_channels=12), "out_channels is 12: expected a multiple of the 8 channels"),
    (lambda: ScaleSpaceConv2d(8, 4), "kernel_size is 4: expected an odd integer of at least 3"),
    (lambda: ScaleSpaceConv2d(8, stride=0), "stride is 0 and dilation 1: expected integers of at least 1"),
    (lambda: ScaleSpaceConv2d(8, keys=[9] * 8), "unknown key 9: expected integers from 1 to 8"),
    (lambda: ScaleSpaceConv2d(8, keys=[1, 2]), "keys has 2 entries: expected 8, one per output channel"),
    (lambda: ScaleSpaceConv2d(9, sigma_x=[1, 2]), "sigma_x has shape (2,): expected one number, 8 (one per key) or 9, one per output channel"),
    (lambda: ScaleSpaceConv2d(8, sigma_x=-1), "sigma_x is -1: expected a finite number >= 0"),
    (lambda: ScaleSpaceConv2d(8, sigma_x=0, kind="sampled"), "sigma is 0: the sampled Gaussian needs a scale > 0 (kind='discrete' is exact at 0)"),
    (lambda: ScaleSpaceConv2d(8, method="E"), "unknown method 'E': expected one of A, B, C1, C2, D1, D2, A-joint, B-joint, C-joint, D-joint"),
    (lambda: ScaleSpaceConv2d(8, share="all"), "unknown share 'all': expected one of channel, key, layer"),
    (lambda: ScaleSpaceConv2d(8, gain=float("nan")), "gain is nan: expected a finite number"),
    (lambda: ScaleSpaceConv2d.from_conv(nn.Conv2d(4, 4, 3)), "expected a depthwise convolution, with groups equal to in_channels"),
    (lambda: ScaleSpaceConv2d.from_conv(nn.Conv2d(4, 4, 4, groups=4)), "kernel_size is 4x4: expected an odd square of at least 3x3"),
    (lambda: FilterBankConv2d(np.ones((2, 3, 5)), 4), "filters has shape (2, 3, 5): expected (K, n, n) with n odd"),
    (lambda: FilterBankConv2d(np.ones((2, 3, 3)), 4, index=[0, 1, 2, 3]), "index: expected 4 integers from 0 to 1, one per output channel"),
    (lambda: ideal_kernels([7], tensor(1.0), tensor(1.0)), "gamma is missing: key 7 needs it, for example gamma=0.5"),
])  # fmt: skip
def test_mistakes_are_named_in_one_line(call, message):
    assert message in said(call)
