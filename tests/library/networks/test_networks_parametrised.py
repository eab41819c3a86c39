"""Keys as a parametrisation of a network's own convolutions: state, copies, hooks, classes, tools of torch."""

import copy
import gc
import io
import itertools
import warnings

import numpy as np
import pytest
import torch
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, parametrize, prune
from torch.utils.flop_counter import FlopCounterMode

from keyfilters import ideal_filter
from keyfilters.networks import MODES, ScaleSpaceConv2d, find_depthwise, fold, replace, scale_parameters, weight_of
from keyfilters.networks.layers.base import parametrise, write_out
from keyfilters.networks.layers.scale_space import ScaleSpaceWeight

IMAGES = torch.randn(2, 8, 16, 16, generator=torch.Generator().manual_seed(0))
LEARNABLE = [
    {},
    {"share": "key"},
    {"share": "layer"},
    {"kind": "sampled"},
    {"normalize": "l2"},
    {"edge": "exact"},
    {"learn_gamma": True, "learn_gain": True},
]
FORMS = [(mode, {}) for mode in MODES if mode != "learnable"] + [("learnable", options) for options in LEARNABLE]


def conv(seed=0, cls=nn.Conv2d, **more):
    torch.manual_seed(seed)
    return cls(8, 16, 5, padding=2, groups=8, **more)


def network(seed=0, **more):
    return nn.Sequential(conv(seed, **more), nn.ReLU(), nn.Conv2d(16, 4, 1))


def own(model):
    return model[0].weight.detach()[:, 0].numpy()


def expected(weight):
    """The weights that the stored numbers say, by the numpy models."""
    out = []
    for c, key in enumerate(weight.keys.round().long().tolist()):
        x, y, gamma = (float(v[c].detach()) for v in (weight.sigma_x, weight.sigma_y, weight.gamma))
        f = ideal_filter(key, x, y, gamma=gamma if key == 7 else None, size=weight.size, edge=weight.edge)
        out.append(float(weight.gain[c].detach()) * f + float(weight.offset[c].detach()))
    return np.array(out)


# What is computed follows from the state


@pytest.mark.parametrize(("mode", "options"), FORMS)
def test_a_state_loads_into_a_network_that_was_replaced_from_other_weights(mode, options):
    saved, fresh = (replace(network(seed), mode=mode, **options).model for seed in (0, 1))
    if options.get("share"):
        # As many sets of scales, of other keys.
        saved, fresh = (
            nn.Sequential(ScaleSpaceConv2d(8, keys=keys, learn_scales=True, **options))
            for keys in ([1, 2, 7, 7] * 2, [3, 5, 6, 6] * 2)
        )
    assert not torch.equal(saved(IMAGES), fresh(IMAGES))
    fresh.load_state_dict(saved.state_dict())
    assert torch.equal(saved(IMAGES), fresh(IMAGES))
    with torch.no_grad():
        assert torch.equal(saved(IMAGES), fresh(IMAGES))


PAIRS = st.tuples(
    st.sampled_from(range(len(FORMS))),
    st.sampled_from(range(len(FORMS))),
    st.integers(0, 10**6),
    st.sampled_from([0.1, 1.0, 12.0]),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(pair=PAIRS)
def test_what_a_network_computes_follows_from_its_state_to_the_bit(pair):
    one, other, seed, wide = pair
    (mode, options), (mode_2, options_2) = FORMS[one], FORMS[other]
    saved = replace(network(seed), mode=mode, **options).model
    fresh = replace(network(seed + 1), mode=mode_2, **options_2).model
    weight = weight_of(saved[0])
    if isinstance(weight, ScaleSpaceWeight):
        # As if trained: scales that were not there when the network was made.
        with torch.no_grad():
            for raw in weight._raw:
                raw.mul_(wide)
    try:
        fresh.load_state_dict(saved.state_dict())
    except RuntimeError as error:
        text = str(error)
        assert "form: the scales were stored for" in text or "Missing key" in text or "size mismatch" in text
        return
    with torch.no_grad():
        assert torch.equal(saved(IMAGES), fresh(IMAGES))
        # Also back again, from a state with smaller scales, on the same objects.
        again = replace(network(seed + 2), mode=mode, **options).model
        before = again(IMAGES)
        fresh.load_state_dict(again.state_dict())
        assert torch.equal(before, fresh(IMAGES))


def test_a_mean_of_different_keys_is_refused():
    layer, other = ScaleSpaceConv2d(2, keys=[1, 8]), ScaleSpaceConv2d(2, keys=[2, 8])
    average = torch.optim.swa_utils.AveragedModel(layer, use_buffers=True)
    for each_of in (layer, other):
        average.update_parameters(each_of)
    refused(lambda: average(torch.zeros(1, 2, 9, 9)), "keys are no whole numbers: a mean over networks with different keys")


def test_scales_seen_in_inference_mode_can_be_trained_afterwards():
    layer = ScaleSpaceConv2d(4, learn_scales=True)
    with torch.no_grad():
        layer.raw_x.fill_(9.0)
    with torch.inference_mode():
        layer(torch.zeros(1, 4, 9, 9))
    layer(torch.ones(1, 4, 9, 9)).sum().backward()
    assert layer.raw_x.grad is not None


@each("change", [
    lambda w: w.gain.mul_(2), lambda w: w.gain.data.mul_(2), lambda w: w.raw_x.data.add_(0.3), lambda w: w.keys.fill_(7),
    lambda w: w.keys.copy_(w.keys.flip(0)), lambda w: setattr(w, "offset", torch.full((16,), 0.5)),
    lambda w: w.raw_x.data.fill_(30.0),  # beyond the scales that the first tables were made for
    lambda w: np.multiply(w.gain.numpy(), 3, out=w.gain.numpy()),
])  # fmt: skip
def test_every_change_of_the_state_changes_the_weights(change):
    model = replace(network()).model
    weight = weight_of(model[0])
    with torch.no_grad():
        before = model[0].weight.clone()
        change(weight)
        after = model[0].weight
        assert not torch.equal(before, after)
        np.testing.assert_allclose(after[:, 0].numpy(), expected(weight), atol=2e-6)
        bare = F.conv2d(IMAGES, after, model[0].bias, padding=2, groups=8)
        assert torch.equal(model[0](IMAGES), bare)


def test_what_is_done_to_a_computed_weight_does_not_stay():
    model = replace(network()).model
    before = model[0].weight.clone()
    with torch.no_grad():
        model[0].weight.mul_(2)
        model[0].weight.data.zero_()
        assert torch.equal(model[0].weight, before)
    with pytest.raises(ValueError, match="computed and cannot be set"):
        model[0].weight = before


def average(model, other):
    """A moving average as it is often written: over the whole state, integers included."""
    for a, b in zip(other.state_dict().values(), model.state_dict().values(), strict=True):
        a.copy_(0.9999 * a + (1 - 0.9999) * b)


def by_timm(model, other):
    from timm.utils import ModelEmaV3

    ema = ModelEmaV3(other, decay=0.9999)
    ema.update(model)
    other.load_state_dict(ema.module.state_dict())


@each("averaged", [average, by_timm])
@each("mode", ["affine", "learnable", "master"])
def test_moving_averages_keep_the_keys(averaged, mode):
    model = replace(network(), mode=mode).model
    ema = copy.deepcopy(model)
    with torch.no_grad():
        weight_of(ema[0]).gain.mul_(2)
        for _ in range(50):
            averaged(model, ema)
    theirs, ours = weight_of(ema[0]), weight_of(model[0])
    if mode != "master":
        assert torch.equal(theirs.keys.round(), ours.keys)
        with torch.no_grad():
            np.testing.assert_allclose(ema[0].weight[:, 0].numpy(), expected(theirs), atol=2e-6)
    assert not torch.allclose(ema[0].weight, model[0].weight)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_conversions_leave_nothing_behind(dtype):
    model = replace(network()).model
    there = copy.deepcopy(model).to(dtype)
    assert there[0].weight.dtype == dtype
    np.testing.assert_allclose(
        there[0].weight[:, 0].double().numpy(), expected(weight_of(there[0])), rtol=0, atol=2 * torch.finfo(dtype).eps
    )
    back = there.float()
    with torch.no_grad():
        np.testing.assert_allclose(back[0].weight[:, 0].numpy(), expected(weight_of(back[0])), atol=2e-6)


@pytest.mark.parametrize("assign", [False, True])
def test_a_state_fills_a_network_that_was_made_empty(assign):
    """As large networks are loaded: without memory first, then with memory that holds anything."""
    model = replace(network(), mode="learnable", share="key").model.eval()
    empty = copy.deepcopy(model).to("meta")
    if not assign:
        empty.to_empty(device="cpu")
        with torch.no_grad():
            for value in (*empty.parameters(), *empty.buffers()):
                value.fill_(3)
    empty.load_state_dict(model.state_dict(), assign=assign)
    assert torch.equal(empty(IMAGES), model(IMAGES))


def test_saved_and_loaded():
    model, other = (replace(network(seed), mode="own").model for seed in (0, 1))
    stream = io.BytesIO()
    torch.save(model.state_dict(), stream)
    stream.seek(0)
    other.load_state_dict(torch.load(stream, weights_only=True), assign=True)
    assert torch.equal(other(IMAGES), model(IMAGES))
    layer, stream = ScaleSpaceConv2d(8), io.BytesIO()
    torch.save(layer, stream)
    stream.seek(0)
    assert torch.equal(torch.load(stream, weights_only=False)(IMAGES), layer(IMAGES))


def broken(model):
    state = model.state_dict()
    state["parametrizations.weight.0.keys"][3] = 9
    return state


@each(("state", "message"), [
    (lambda: broken(replace(conv()).model), "keys holds other numbers than those of keys, 1 to 8"),
    (lambda: replace(conv(), mode="learnable", kind="sampled").model.state_dict(), "the scales were stored for share=channel, kind=sampled"),
    (lambda: replace(conv(), mode="learnable", normalize="l2").model.state_dict(), "normalize=l2, 5x5, these weights are made with share=channel, kind=discrete"),
    (lambda: replace(conv(), mode="master").model.state_dict(), "Missing key"),
    (lambda: replace(nn.Conv2d(8, 16, 7, groups=8)).model.state_dict(), "7x7, these weights are made with .* 5x5"),
    (lambda: conv().state_dict(), "Missing key"),
])  # fmt: skip
def test_a_state_of_another_kind_is_refused(state, message):
    model = replace(conv()).model
    before = model.weight
    with pytest.raises(RuntimeError, match=message):
        model.load_state_dict(state())
    # Of a state that lacks names torch takes what there is, and says so.
    assert torch.equal(model.weight, before) or message == "Missing key"


@pytest.mark.filterwarnings("ignore::FutureWarning")  # torch.jit.script, by which torch makes its rules for jvp
def test_fewer_digits_under_autocast_do_not_stay():
    model = replace(network(), mode="learnable").model.eval()
    with torch.no_grad():
        before = model(IMAGES)
        model[0].parametrizations.weight[0].raw_x.mul_(1.5)
        with torch.autocast("cpu", torch.bfloat16):
            model(IMAGES)
        after = model(IMAGES)
    assert not torch.equal(after, before)
    torch.testing.assert_close(after, fold(model)(IMAGES))


# torch.func itself scripts functions when it is used first.
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")
def test_gradients_are_never_taken_from_what_was_kept():
    model = replace(network(), mode="learnable").model
    with torch.no_grad():
        model(IMAGES)
    values = {name: p.detach() for name, p in model.named_parameters()}
    name = next(n for n in values if n.endswith("raw_x"))

    def loss(x):
        return torch.func.functional_call(model, values | {name: x}, (IMAGES,)).square().sum()

    slope = torch.func.grad(loss)(values[name])
    _, forward = torch.func.jvp(loss, (values[name],), (torch.ones(16),))
    torch.testing.assert_close(forward, slope.sum())
    many = torch.func.vmap(loss)(torch.stack([values[name], values[name] + 0.1]))
    torch.testing.assert_close(many[1], loss(values[name] + 0.1))
    assert slope.abs().sum() > 0 and many[0] != many[1]


# The convolution stays


class Named(nn.Conv2d):
    """Called anything, as nn.Conv2d otherwise."""


class Conv2dSame(nn.Conv2d):
    """Symmetric padding under a name that elsewhere means another."""

    def __init__(self, inputs, outputs, kernel, stride=1, groups=1, **more):
        super().__init__(inputs, outputs, kernel, 2, kernel // 2, 1, groups)


class StaticPadding(nn.Conv2d):
    def forward(self, x):
        return F.conv2d(F.pad(x, (0, 1, 1, 2)), self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class WithNorm(nn.Conv2d):
    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.norm = nn.BatchNorm2d(self.out_channels)

    def forward(self, x):
        return F.relu(self.norm(super().forward(x)))


class Reversed(nn.Conv2d):
    def _conv_forward(self, x, weight, bias):
        return super()._conv_forward(-x, weight, bias)


@pytest.mark.parametrize("cls", [Named, Conv2dSame, StaticPadding, WithNorm, Reversed])
def test_classes_that_use_their_weight_as_it_stands_are_taken(cls):
    model = network(cls=cls).eval()
    same = replace(model, method=own(model), mode="affine")
    assert same.report.note[0] == "" and same.report.replaced[0] == 16 and isinstance(same.model[0], cls)
    torch.testing.assert_close(same.model(IMAGES), model(IMAGES), rtol=1e-4, atol=1e-5)
    back = fold(replace(model).model)
    assert type(back[0]) is cls and list(back.state_dict()) == list(model.state_dict())


def test_timm_same_padding_is_known_by_its_class_and_not_by_its_name():
    same = pytest.importorskip("timm").layers.Conv2dSame(8, 8, 7, stride=2, groups=8)
    assert find_depthwise(same)[0].padding == "dynamic" and find_depthwise(conv(cls=Conv2dSame))[0].padding == (2, 2)
    assert replace(same, standalone=True).model.padding == "dynamic"


class Standardised(nn.Conv2d):
    def _conv_forward(self, x, weight, bias):
        return super()._conv_forward(x, weight / weight.norm(), bias)


class Clipped(nn.Conv2d):
    def forward(self, x):
        return F.conv2d(x, self.weight.clamp(-1, 1), self.bias, padding=self.padding, groups=self.groups)


class Unfolded(nn.Conv2d):
    def forward(self, x):
        columns = F.unfold(x, self.kernel_size, padding=self.padding).unflatten(1, (8, 25))
        rows = self.weight.reshape(8, 2, 25)
        return torch.einsum("ncul,cmu->ncml", columns, rows).reshape(len(x), 16, *x.shape[2:]) + self.bias[:, None, None]


class Difference(nn.Conv2d):
    def forward(self, x):
        return super().forward(x) - F.conv2d(x, self.weight.sum((2, 3), keepdim=True), groups=8)


class InTraining(nn.Conv2d):
    def forward(self, x):
        weight = self.weight - self.weight.mean() if self.training else self.weight
        return F.conv2d(x, weight, self.bias, padding=self.padding, groups=self.groups)


class ByItsNorm(nn.Conv2d):
    def forward(self, x):
        return super().forward(x) / self.weight.norm()


class Needs(nn.Conv2d):
    def forward(self, x, mask):
        return super().forward(x * mask)


def patched():
    layer = conv()
    layer.forward = lambda x: F.conv2d(x, 2 * layer.weight, layer.bias, padding=2, groups=8)
    return layer


def patched_inside():
    layer = conv()
    layer._conv_forward = lambda x, w, b: F.conv2d(x, w.abs(), b, padding=2, groups=8)
    return layer


def old_norm():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.utils.weight_norm(conv())


def pruned():
    layer = conv()
    prune.l1_unstructured(layer, "weight", 0.5)
    return layer


def hooked():
    layer = conv()

    def shrink(module, inputs):
        module.weight.data = module.weight.data.renorm(2, 0, 1.0)

    layer.register_forward_pre_hook(shrink)
    return layer


def hooked_by_all():
    layer = conv()
    layer.register_forward_hook(lambda module, inputs, output: output * next(module.parameters()).norm())
    return layer


def with_weight(make):
    layer = conv()
    layer.weight = nn.Parameter(make(layer.weight.detach()), requires_grad=False)
    return layer


class Tagged(torch.Tensor):
    """As a weight that is spread over devices: a tensor of a class of its own."""


def graded():
    layer = conv()
    layer.weight.register_hook(lambda g: g * 0)
    return layer


def in_training_of_quantisation():
    config = torch.ao.quantization.get_default_qat_qconfig("fbgemm")
    return torch.ao.nn.qat.Conv2d(8, 16, 5, padding=2, groups=8, qconfig=config)


@each(("make", "note"), [
    (lambda: conv(cls=Standardised), "Standardised does not use its weight as it stands"),
    (lambda: conv(cls=Clipped), "Clipped does not use its weight as it stands"),
    (lambda: conv(cls=Difference), "Difference does not use its weight as it stands"),
    (lambda: conv(cls=Unfolded), "Unfolded has a forward of its own, without a convolution"),
    (lambda: conv(cls=InTraining), "InTraining does not use its weight as it stands"),
    (lambda: conv(cls=ByItsNorm), "ByItsNorm does not use its weight as it stands"),
    (hooked_by_all, "a hook handles its weight"),
    (lambda: with_weight(lambda w: w.to(torch.float8_e4m3fn)), "its weight has the dtype float8_e4m3fn"),
    (lambda: with_weight(lambda w: w.as_subclass(Tagged)), "its weight is no plain tensor of torch (Tagged)"),
    (lambda: conv(cls=Needs), "Needs has a forward of its own, which could not be tried (TypeError)"),
    (patched, "its forward was replaced in this very layer"),
    (patched_inside, "its forward was replaced in this very layer"),
    (old_norm, "its weight is computed by weight norm; remove that first"),
    (lambda: parametrizations.weight_norm(conv()), "its weight is computed by a parametrisation (WeightNorm)"),
    (lambda: parametrizations.spectral_norm(conv()), "its weight is computed by a parametrisation (SpectralNorm)"),
    (lambda: nn.utils.spectral_norm(conv()), "its weight is computed by spectral norm; remove that first"),
    (pruned, "its weight is computed by pruning; remove that first"),
    (hooked, "a hook handles its weight"),
    (graded, "its weight has hooks of its own"),
    (in_training_of_quantisation, "Conv2d does not use its weight as it stands"),
    (lambda: torch.ao.nn.quantized.Conv2d(8, 16, 5, groups=8), "its weight is quantised"),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_what_does_not_use_its_weight_as_it_stands_is_named_and_left(make, note):
    model = nn.Sequential(make(), conv(1, padding_mode="circular"), nn.Conv2d(16, 16, 3, groups=16))[:1]
    names = list(model.state_dict())
    done = replace(model, inplace=True)
    assert done.report.note.tolist() == [note] and done.report.replaced[0] == 0
    assert list(done.model.state_dict()) == names and done.new_parameters == ()


def test_a_weight_that_stands_elsewhere_too_is_left():
    model = nn.Sequential(conv(), conv(1), conv(2))
    model[1].weight = model[0].weight
    model.register_parameter("third", model[2].weight)
    notes = replace(model).report.note.tolist()
    assert notes == ["", "weight shared", "its weight is also third, which is not replaced"]
    one = replace(model, layers="1")
    assert one.report.note.tolist() == ["not selected", "its weight is also 0.weight, which is not replaced", "not selected"]
    assert one.model[0].weight is one.model[1].weight and one.report.replaced.sum() == 0


def test_hooks_go_on():
    model, seen = network(), []
    model[0].register_forward_pre_hook(lambda m, x: (2 * x[0],))
    model[0].register_forward_hook(lambda m, x, y: seen.append(y.shape) or 3 * y)
    same = replace(model, method=own(model)).model
    torch.testing.assert_close(same(IMAGES), model(IMAGES), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(fold(same)(IMAGES), model(IMAGES), rtol=1e-4, atol=1e-5)
    assert len(seen) == 4


def test_every_geometry_convolves_as_before():
    """More than 800, by a parametrised and a folded convolution, against the plain one with the same weight."""
    x, count = torch.randn(1, 2, 13, 12, generator=torch.Generator().manual_seed(1)), 0
    axes = (
        (3, 5, 7),
        (1, 2, (2, 1)),
        (0, 2, "same", (1, 3)),
        (1, 2, (1, 2)),
        (1, 2),
        (True, False),
        ("zeros", "reflect", "circular"),
    )
    for size, stride, padding, dilation, multiplier, bias, mode in itertools.product(*axes):
        if padding == "same" and stride != 1:
            padding = 1
        more = {"stride": stride, "padding": padding, "dilation": dilation, "bias": bias, "padding_mode": mode}
        plain = nn.Conv2d(2, 2 * multiplier, size, groups=2, **more)
        own = copy.deepcopy(plain)
        parametrise(own, ScaleSpaceWeight.of(own, keys=([2, 7] * 2)[: 2 * multiplier], learn_scales=bias))
        with torch.no_grad():
            plain.weight.copy_(own.weight)
            try:
                expected = plain(x)
            except RuntimeError:  # the kernel is larger than the padded image
                continue
            assert torch.equal(own(x), expected), more
            write_out(own)
            assert torch.equal(own(x), expected) and type(own) is nn.Conv2d, more
        count += 1
    assert count > 800


# Copies, sharing, tools of torch


def test_folding_a_copy_leaves_the_original_and_the_other_way_round():
    first = replace(network()).model
    second = copy.deepcopy(first)
    before = first(IMAGES)
    folded = fold(second)
    assert torch.equal(first(IMAGES), before) and torch.equal(second(IMAGES), before) and torch.equal(folded(IMAGES), before)
    fold(first, inplace=True)
    assert torch.equal(second(IMAGES), before) and torch.equal(second[0].weight, first[0].weight)
    third = replace(second, mode="master").model
    assert torch.equal(second(IMAGES), before) and not torch.equal(third(IMAGES), before)


def test_torch_removes_the_parametrisation_itself():
    model = replace(network(), mode="learnable").model
    before = model(IMAGES)
    parametrize.remove_parametrizations(model[0], "weight")
    assert type(model[0]) is nn.Conv2d and isinstance(model[0].weight, nn.Parameter) and torch.equal(model(IMAGES), before)


def test_flags_of_training_stay():
    frozen = network().requires_grad_(False)
    assert not any(p.requires_grad for p in fold(replace(frozen).model).parameters())
    assert all(p.requires_grad for p in fold(replace(network()).model).parameters())
    learnable = replace(network(), mode="learnable").model
    assert fold(learnable)[0].weight.requires_grad
    assert not any(p.requires_grad for p in fold(learnable.requires_grad_(False)).parameters())
    assert not ScaleSpaceConv2d(8, learn_scales=True).requires_grad_(False).fold().weight.requires_grad


def test_operations_are_counted_as_before():
    model = network()

    def count(net):
        with FlopCounterMode(display=False) as counter:
            net(IMAGES)
        return {op: n for op, n in counter.get_flop_counts()["Global"].items() if "conv" in str(op)}

    assert count(replace(model).model) == count(model) and count(model)


@pytest.mark.parametrize("mode", ["affine", "learnable", "master"])
def test_export_and_trace(mode):
    model = replace(network(), mode=mode).model.eval()
    with torch.no_grad():
        expected = model(IMAGES)
    exported = torch.export.export(model, (IMAGES,), strict=False)
    torch.testing.assert_close(exported.module()(IMAGES), expected)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(IMAGES), expected)
    traced = torch.fx.symbolic_trace(model)
    torch.testing.assert_close(traced(IMAGES), expected)
    assert [n.target for n in traced.graph.nodes if n.op == "call_module"] == ["0", "1", "2"]
    # Nothing of the tracing is left.
    with torch.no_grad():
        assert torch.equal(model(IMAGES), expected)


@pytest.mark.parametrize("keys", [[1] * 8, [1, 2, 3, 4, 5, 6, 8, 8]])
def test_gamma_without_key_7_has_a_gradient_of_zero(keys):
    layer = ScaleSpaceConv2d(8, keys=keys, learn_scales=True, learn_gamma=True)
    layer(IMAGES).sum().backward()
    assert torch.equal(layer.raw_gamma.grad, torch.zeros(8)) and layer.raw_x.grad is not None


def test_distributed_training_of_gamma_without_key_7(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    try:
        model = replace(network(), mode="learnable", learn_gamma=True).model
        weight_of(model[0]).keys.fill_(1)
        wrapped = nn.parallel.DistributedDataParallel(model)
        for _ in range(3):
            wrapped(IMAGES).sum().backward()
    finally:
        torch.distributed.destroy_process_group()
    assert all(p.grad is not None for p in model.parameters())


# Optimisers


class Keeps(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = conv()

    def forward(self, x):
        self.last = self.conv(x)
        return self.last


def test_a_network_that_cannot_be_copied_is_told_to_be_changed_itself():
    model = Keeps()
    model(IMAGES)
    refused(lambda: replace(model), r"^Keeps cannot be copied \(.*\): pass inplace=True to change the network itself$")
    assert replace(model, inplace=True).model is model and weight_of(model.conv) is not None
    model(IMAGES)
    refused(lambda: fold(model), "pass inplace=True")
    assert weight_of(fold(model, inplace=True).conv) is None


def test_an_optimiser_that_was_there_before_is_told_of():
    gc.collect()
    model = network()
    optimiser = torch.optim.AdamW(model.parameters())
    with pytest.warns(
        UserWarning, match=r"1 weights that the network no longer has, such as 0\.weight; the new parameters are 0\.parametriz"
    ) as caught:
        done = replace(model, mode="learnable", inplace=True)
    assert caught[0].filename == __file__
    assert done.new_parameters == ("0.parametrizations.weight.0.raw_x", "0.parametrizations.weight.0.raw_y")
    assert "new parameters, for the optimiser: 0.parametrizations" in " ".join(str(done).split())
    with pytest.warns(UserWarning, match="there are no new parameters"):
        again = network()
        held = torch.optim.SGD(again.parameters(), 0.1)
        replace(again, inplace=True)
    del optimiser, held
    gc.collect()
    replace(network(), inplace=True)


def test_groups_for_an_optimiser():
    model = replace(network(), mode="learnable", learn_gain=True).model
    others, own = scale_parameters(model, lr=0.5)
    names = {id(p): name for name, p in model.named_parameters()}
    assert {names[id(p)].rpartition(".")[2] for p in own["params"]} == {"gain", "offset", "raw_x", "raw_y"}
    assert own["weight_decay"] == 0 and own["lr"] == 0.5 and set(others) == {"params"}
    assert sorted(map(id, [*others["params"], *own["params"]])) == sorted(names)
    optimiser = torch.optim.AdamW([others, own], lr=1e-3, weight_decay=0.05)
    before = weight_of(model[0]).raw_x.detach().clone()
    (0 * model(IMAGES)).sum().backward()
    optimiser.step()
    assert torch.equal(weight_of(model[0]).raw_x, before)
    assert len(scale_parameters(network())) == 1
    refused(lambda: scale_parameters(model, -1), "lr is -1: expected a learning rate > 0")


def test_a_stand_alone_layer_where_one_is_asked_for():
    model = network()
    done = replace(model, standalone=True)
    assert isinstance(done.model[0], ScaleSpaceConv2d)
    torch.testing.assert_close(done.model(IMAGES), replace(model).model(IMAGES))
    assert isinstance(weight_of(replace(done.model).model[0]), ScaleSpaceWeight)
    refused(
        lambda: replace(network(cls=WithNorm), standalone=True),
        "layer 0: WithNorm does more than nn.Conv2d: no layer can take its place",
    )
