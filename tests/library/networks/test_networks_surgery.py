"""Replacing the depthwise filters of networks, and folding them back."""

import argparse
import copy
import json
from functools import cache

import numpy as np
import pytest
from each import each
from refusals import message as said
from refusals import refused

from keyfilters import learned_filters

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")

from timm.models import byobnet, convmixer, edgenext, efficientnet, fastvit, inception_next, mobilenetv3, repvit  # noqa: E402
from torch import nn  # noqa: E402

from keyfilters.networks.commands import replace as command  # noqa: E402
from keyfilters.networks.layers.base import weight_of  # noqa: E402
from keyfilters.networks.layers.scale_space import ScaleSpaceWeight  # noqa: E402
from keyfilters.networks.surgery.branches import merged  # noqa: E402
from keyfilters.networks.surgery.depthwise import find_depthwise, key_filters  # noqa: E402
from keyfilters.networks.surgery.matching import match  # noqa: E402
from keyfilters.networks.surgery.replacing import MODES, fold, replace  # noqa: E402

FOUR = {"depths": (1, 1, 1, 1), "num_classes": 5}
FAMILIES = {
    "convnextv2": lambda: timm.create_model("convnextv2_atto", dims=(8, 12, 16, 24), **FOUR),
    "convnext": lambda: timm.create_model("convnext_atto", dims=(8, 12, 16, 24), **FOUR),
    "efficientnet_lite": lambda: efficientnet._gen_efficientnet_lite(
        "tf_efficientnet_lite0", channel_multiplier=0.1, depth_multiplier=0.3, pad_type="same", num_classes=5
    ),
    "mobilenetv3": lambda: mobilenetv3._gen_mobilenet_v3("mobilenetv3_small_050", channel_multiplier=0.1, num_classes=5),
    "mobileone": lambda: byobnet.ByobNet(
        byobnet.ByoModelCfg(
            blocks=byobnet._mobileone_bcfg(d=(1, 1, 1, 1), wf=(0.25, 0.125, 0.125, 0.0625), num_conv_branches=2),
            stem_type="one", stem_chs=16,
        ),
        num_classes=5,
    ),
    "fastvit": lambda: fastvit.FastVit(
        layers=(1, 1, 1, 1), embed_dims=(8, 16, 32, 64), mlp_ratios=(1, 1, 1, 1), token_mixers=("repmixer",) * 4, num_classes=5
    ),
    "convmixer": lambda: convmixer.ConvMixer(dim=12, depth=2, kernel_size=9, patch_size=4, num_classes=5),
    "repvit": lambda: repvit.RepVit(embed_dim=(8, 16, 16), depth=(1, 1, 1), num_classes=5),
    "edgenext": lambda: edgenext.EdgeNeXt(dims=(8, 16, 16, 24), heads=(4, 4, 4, 4), **FOUR),
    "inception_next": lambda: inception_next.MetaNeXt(dims=(16, 24, 32, 40), **FOUR),
}  # fmt: skip
IMAGES = torch.linspace(-1, 1, 2 * 3 * 32 * 32).sin().mul(1e3).sin().reshape(2, 3, 32, 32)


@cache
def network(family):
    """A small network whose depthwise filters matter for the output; not to be changed."""
    torch.manual_seed(0)
    model = FAMILIES[family]().eval()
    with torch.no_grad():
        for layer in find_depthwise(model):
            # Large enough beside the skips; a mean, so that offsets matter.
            nn.init.normal_(layer.module.weight, 0.1, 1.0 / layer.kernel_size[0])
        for parameter in model.parameters():
            if 0 < parameter.abs().max() < 1e-4:
                parameter.fill_(1.0)  # the scale of a residual branch, 1e-6 at the start
    # As it is deployed: surgery merges branches, which test_networks_kinds looks at.
    return merged(model)[0]


def output(model):
    with torch.no_grad():
        return model.eval()(IMAGES)


def difference(a, b):
    return float((a - b).norm() / b.norm())


def weights(model):
    return {name: v.clone() for name, v in model.state_dict().items()}


def equal(a, b):
    return list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a)


# Every mode on every family


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", FAMILIES)
def test_replaced_folded_and_reported(family, mode):
    model = network(family)
    before, layers = weights(model), find_depthwise(model)
    done = replace(model, "B", mode, seed=3)
    assert equal(weights(model), before)

    report = done.report
    assert report.layer.tolist() == [d.name for d in layers]
    assert report.channels.tolist() == [d.channels for d in layers]
    assert (report.replaced + report.dead == report.channels).tolist() == [d.matchable for d in layers]
    assert (report.note == "").tolist() == [d.matchable for d in layers]
    assert (report.change > 0).tolist() == [d.matchable for d in layers]
    for d in find_depthwise(done.model):
        assert isinstance(d.module, nn.Conv2d) and (weight_of(d.module) is not None) == d.matchable

    replaced = output(done.model)
    assert torch.isfinite(replaced).all()
    assert difference(replaced, output(model)) > 1e-4
    folded = fold(done.model)
    assert difference(output(folded), replaced) < 1e-6
    assert [type(m) for m in folded.modules()] == [type(m) for m in model.modules()]
    assert any(weight_of(m) is not None for m in done.model.modules())
    # What is written to a file loads into the original architecture.
    fresh = copy.deepcopy(model)
    assert list(folded.state_dict()) == list(before)
    fresh.load_state_dict(folded.state_dict(), strict=True)
    assert difference(output(fresh), replaced) < 1e-6


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_replaced_changes_nothing(family):
    model = network(family)
    expected = output(model)
    done = replace(model, layers=())
    assert torch.equal(output(done.model), expected) and torch.equal(output(fold(done.model)), expected)
    assert (
        (done.report.replaced == 0).all() and (done.report.note != "").all() and len(done.report) == len(find_depthwise(model))
    )
    assert done.matches.layers == []


@pytest.mark.parametrize("family", FAMILIES)
def test_filters_replaced_by_themselves_change_nothing(family):
    model = network(family)
    # Filters of one's own are squares.
    layer = next(d for d in reversed(find_depthwise(model)) if d.matchable and d.kernel_size[0] == d.kernel_size[1])
    same = replace(model, layer.filters, "affine", layers=layer.name)
    assert same.report.replaced.sum() == layer.channels and same.report.explained.max() > 1 - 1e-12
    assert difference(output(same.model), output(model)) < 1e-5
    other = replace(model, np.flip(layer.filters, axis=(0, 1)), "unit", layers=layer.name)
    assert difference(output(other.model), output(model)) > 1e-4


# What each mode writes


def conv(filters, **more):
    filters = np.asarray(filters)
    layer = nn.Conv2d(len(filters), len(filters), filters.shape[-1], groups=len(filters), **more)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(filters[:, None]))
    return layer


def written(model):
    return model.weight.detach().double().numpy()[:, 0]


@pytest.fixture
def sample():
    return np.random.default_rng(0).normal(0.2, 1.0, (24, 5, 5))


def test_unit_is_the_ideal_filter_with_the_sign_of_the_gain():
    keys, signs = key_filters("D1"), np.array([1, -1, 1, -1, -1, 1, -1, 1])
    done = replace(conv(3.0 * signs[:, None, None] * keys + 0.4), "D1", "unit")
    np.testing.assert_allclose(written(done.model), signs[:, None, None] * keys, atol=1e-6)


@pytest.mark.parametrize(
    ("mode", "filters"), [("affine", "C2"), ("learnable", "C2"), ("master", "learned"), ("impulse", "impulse")]
)
def test_affine_modes_write_what_the_match_found(sample, mode, filters):
    done = replace(conv(sample), "C2", mode)
    found = match(sample.astype(np.float32), filters).layers[0]
    expected = found.gain[:, None, None] * key_filters(filters, 5)[found.key - 1] + found.offset[:, None, None]
    np.testing.assert_allclose(written(done.model), expected, atol=1e-6)
    np.testing.assert_allclose(done.report.explained[0], found.pooled())
    left = np.linalg.norm(sample - expected) / np.linalg.norm(sample)
    np.testing.assert_allclose(done.report.change[0], left, rtol=1e-5)


@pytest.mark.parametrize("size", [3, 5, 7, 9])
def test_own_scales_leave_less_than_the_affine_match(size):
    layer = conv(np.random.default_rng(size).normal(size=(24, size, size)))
    affine, own = (replace(layer, "B", mode) for mode in ("affine", "own"))
    errors = [((written(done.model) - written(layer)) ** 2).sum(axis=(1, 2)) for done in (affine, own)]
    assert (errors[1] <= errors[0] * (1 + 1e-6)).all() and errors[1].sum() < errors[0].sum()


def test_own_scales_restore_filters_of_other_scales():
    layer = conv(key_filters("C1") * -2.0 + 0.3)
    assert replace(layer, "B", "own").report.change[0] < 1e-3 < replace(layer, "B", "affine").report.change[0]


def test_random_and_gaussian_controls_keep_what_they_promise(sample):
    layer = conv(sample)
    for mode in ("random", "gaussian"):
        first, again, other = (written(replace(layer, "B", mode, seed=s).model) for s in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert not np.allclose(first, other)
        np.testing.assert_allclose(first.mean(axis=(1, 2)), sample.mean(axis=(1, 2)), atol=1e-6)
        cosine = (first * other).sum(axis=(1, 2)) / np.sqrt((first**2).sum(axis=(1, 2)) * (other**2).sum(axis=(1, 2)))
        assert np.abs(cosine).max() < 0.95
    random = written(replace(layer, "B", "random").model)
    np.testing.assert_allclose(np.linalg.norm(random, axis=(1, 2)), np.linalg.norm(sample, axis=(1, 2)), rtol=1e-5)


def test_gaussian_control_stays_within_the_span_of_the_layer():
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(2, 7, 7))
    layer = conv(np.tensordot(rng.normal(size=(30, 2)), basis - basis.mean(axis=(1, 2), keepdims=True), 1) + 0.1)
    drawn = written(replace(layer, "B", "gaussian").model).reshape(30, 49)
    singular = np.linalg.svd(drawn - drawn.mean(axis=1, keepdims=True), compute_uv=False)
    assert singular[1] > 0.1 * singular[0] and singular[2] < 1e-4 * singular[0]


def test_signs_of_eigenvectors_give_another_sample_of_the_same_gaussian(sample, monkeypatch):
    """They are LAPACK's choice: the draws follow them, what they are drawn from does not."""
    layer, (first, other) = conv(np.concatenate([sample] * 40)), (np.linalg.eigh, lambda m: (lambda v, a: (v, -a))(*eigh(m)))
    eigh, drawn = first, []
    for solver in (first, other):
        monkeypatch.setattr(np.linalg, "eigh", solver)
        found = written(replace(layer, "B", "gaussian").model).reshape(-1, sample[0].size)
        drawn.append(found - found.mean(axis=1, keepdims=True))
    assert not np.allclose(*drawn)
    moments = [d.T @ d / len(d) for d in drawn]
    bare = sample.reshape(len(sample), -1) - sample.mean(axis=(1, 2))[:, None]
    right = bare.T @ bare / len(bare)
    assert all(np.linalg.norm(m - right) < 0.3 * np.linalg.norm(right) for m in moments)


def test_random_numbers_of_a_layer_do_not_depend_on_the_selection(sample):
    model = nn.Sequential(conv(sample), conv(sample))
    both, second = (replace(model, "B", "random", layers=names).model for names in (None, "1"))
    np.testing.assert_array_equal(written(both[1]), written(second[1]))
    assert not np.allclose(written(both[0]), written(both[1]))


def test_learnable_scales_are_parameters_and_get_a_gradient(sample):
    model = replace(conv(sample, padding=2), "B", "learnable", share="key", learn_gain=True).model
    own = {f"parametrizations.weight.0.{name}" for name in ("gain", "offset", "raw_x", "raw_y")}
    assert {name for name, _ in model.named_parameters()} == {"bias", *own}
    model(torch.randn(1, 24, 9, 9)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    frozen = replace(conv(sample), "B", "affine").model
    assert [name for name, _ in frozen.named_parameters()] == ["bias"]


@pytest.mark.parametrize("mode", MODES)
def test_dead_channels_stay_and_are_counted(sample, mode):
    sample[3], sample[7] = 0.0, 0.125
    done = replace(conv(sample), "B", mode)
    assert done.report.dead[0] == 2 and done.report.replaced[0] == 22
    np.testing.assert_array_equal(written(done.model)[[3, 7]], sample[[3, 7]])
    everything = replace(conv(np.full((8, 5, 5), 0.5)), "B", mode)
    assert everything.report.dead[0] == 8 and everything.report.change[0] == 0
    np.testing.assert_array_equal(written(everything.model), 0.5)


# Geometry and wiring


@pytest.mark.parametrize("mode", ["affine", "master"])
@pytest.mark.parametrize(
    "geometry",
    [
        {}, {"stride": 2, "padding": 2}, {"stride": (2, 1), "padding": (0, 3)}, {"dilation": 2, "padding": "same"},
        {"padding": "valid"}, {"padding": 2, "padding_mode": "reflect"}, {"padding": (1, 2), "padding_mode": "circular"}, {"bias": False},
    ],
)  # fmt: skip
def test_geometry_stays(geometry, mode):
    torch.manual_seed(0)
    layer, x = nn.Conv2d(8, 24, 5, groups=8, **geometry), torch.randn(2, 8, 13, 11)
    model = replace(layer, "B", mode).model
    # The same weights in the old layer give the same output.
    with torch.no_grad():
        layer.weight.copy_(model.weight)
        torch.testing.assert_close(model(x), layer(x))
        torch.testing.assert_close(fold(model)(x), layer(x))


@pytest.mark.parametrize("side", [15, 16])
def test_dynamic_padding_of_tensorflow_stays(side):
    layer, x = timm.layers.Conv2dSame(8, 8, 5, stride=2, groups=8), torch.randn(1, 8, side, side)
    done = replace(layer)
    assert done.report.padding[0] == "dynamic"
    back = fold(done.model)
    assert type(back) is timm.layers.Conv2dSame
    with torch.no_grad():
        assert not torch.allclose(done.model(x), layer(x))
        layer.weight.copy_(done.model.weight)
        torch.testing.assert_close(done.model(x), layer(x))
        torch.testing.assert_close(back(x), layer(x))


def test_a_module_used_twice_is_replaced_once(sample):
    shared = conv(sample)
    model = nn.ModuleDict({"a": shared, "b": nn.Sequential(shared)})
    done = replace(model)
    assert isinstance(weight_of(done.model["a"]), ScaleSpaceWeight) and done.model["a"] is done.model["b"][0]
    assert len(done.report) == 1
    folded = fold(done.model)
    assert folded["a"] is folded["b"][0] and list(folded.state_dict()) == list(model.state_dict())


@pytest.mark.parametrize("mode", ["affine", "learnable", "random"])
def test_shared_weights_stay_shared(sample, mode):
    model = nn.Sequential(conv(sample, padding=2), conv(sample, padding=4, dilation=2))
    model[1].weight = model[0].weight
    done = replace(model, "B", mode)
    assert done.report.note.tolist() == ["", "weight shared"]
    np.testing.assert_array_equal(written(done.model[0]), written(done.model[1]))
    assert done.model[0].bias is not done.model[1].bias
    folded = fold(done.model)
    assert folded[0].weight is folded[1].weight and folded[0].bias is not folded[1].bias
    if mode == "learnable":
        with torch.no_grad():
            weight_of(done.model[0]).raw_x.add_(0.5)
        np.testing.assert_array_equal(written(done.model[0]), written(done.model[1]))


def test_what_was_replaced_can_be_replaced_again(sample):
    once = replace(conv(sample), "B", "own").model
    np.testing.assert_allclose(written(replace(once, "B", "own").model), written(once), atol=1e-4)
    assert type(fold(replace(once, "B", "master").model)) is nn.Conv2d


@pytest.mark.parametrize("inplace", [False, True])
def test_in_place_or_on_a_copy(inplace):
    model = copy.deepcopy(network("convnextv2"))
    before = weights(model)
    done = replace(model, inplace=inplace)
    assert (done.model is model) == inplace
    assert any(weight_of(m) is not None for m in model.modules()) == inplace
    shared = {id(p) for p in model.parameters()} & {id(p) for p in done.model.parameters()}
    assert bool(shared) == inplace
    if not inplace:
        assert equal(weights(model), before)
    back = fold(done.model, inplace=True)
    assert back is done.model and list(back.state_dict()) == list(before)


def test_selection_by_name_and_pattern():
    model = network("convnextv2")
    names = [d.name for d in find_depthwise(model)]
    for layers, expected in ((names[1], [names[1]]), (names[:2], names[:2]), ("stages.[23].*", names[2:]), (None, names)):
        report = replace(model, layers=layers).report
        assert report.layer[report.replaced > 0].tolist() == expected
        assert (report.note[report.replaced == 0] == "not selected").all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("mode", MODES)
def test_dtype_and_mode_of_training_stay(sample, dtype, mode):
    layer = conv(sample).to(dtype).train()
    done = replace(layer, "B", mode)
    assert done.model.weight.dtype == done.model.bias.dtype == dtype and done.model.training
    assert torch.equal(fold(done.model).weight, done.model.weight) and fold(done.model).training
    assert done.report.change[0] < 2


# Mistakes


def spoilt():
    model = copy.deepcopy(network("convnextv2"))
    with torch.no_grad():
        find_depthwise(model)[2].module.weight[1, 0, 3, 3] = float("nan")
    return model


@each(
    ("call", "message"),
    [
        (lambda: replace(nn.Linear(2, 2)), "Linear has no depthwise convolution"),
        (lambda: replace("convnextv2_tiny"), "model is a str: expected a torch.nn.Module"),
        (lambda: replace(network("convnext"), "E"), "unknown filters 'E'"),
        (lambda: replace(network("convnext"), "B", "best"), "unknown mode 'best': expected one of unit, affine"),
        (lambda: replace(network("convnext"), layers="stem"), "no depthwise layer is named 'stem'"),
        (lambda: replace(network("convnext"), layers=[3]), "layers holds 3"),
        (lambda: replace(network("convnext"), seed=-1), "seed is -1"),
        (
            lambda: replace(network("convnext"), learned_filters(), "own"),
            "method is an array: mode 'own' needs idealised filters",
        ),
        (lambda: replace(network("convnext"), "learned", "learnable"), "mode 'learnable' needs idealised filters"),
        (lambda: replace(network("convnext"), np.ones((8, 6, 6))), "method has shape (8, 6, 6)"),
        (lambda: replace(network("convnext"), "B", "affine", share="key"), "share: only mode 'learnable' takes options"),
        (
            lambda: replace(network("convnext"), mode="learnable", learn_scale=True),
            "unknown option 'learn_scale': mode 'learnable' takes learn_scales",
        ),
        (lambda: replace(network("convnext"), mode="learnable", keys=[1] * 8), "unknown option 'keys'"),
        (lambda: fold("model"), "model is a str: expected a torch.nn.Module"),
    ],
)
def test_mistakes_are_answered_in_one_line(call, message):
    assert message in said(call)


def test_nan_names_the_layer_and_leaves_the_model_as_it_was():
    model = spoilt()
    name = find_depthwise(model)[2].name
    refused(lambda: replace(model, inplace=True), f"layer {name}: its weights hold NaN or infinity")
    assert not any(weight_of(m) is not None for m in model.modules())
    # Layers that are not touched may hold anything.
    assert replace(model, layers=find_depthwise(model)[0].name).report.replaced.sum() == 8


# The command


def call(*arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(a) for a in arguments]))


@pytest.fixture
def saved(tmp_path):
    zoo = pytest.importorskip("keyfilters.networks.zoo.loading")
    from keyfilters.networks.zoo.checkpoints import write_weights

    torch.manual_seed(0)
    model = zoo.load_model("small_convnext").model
    write_weights(model, tmp_path / "small.safetensors")
    return model, tmp_path / "small.safetensors", zoo


def test_command_writes_weights_of_the_original_architecture(saved, tmp_path, capsys):
    model, source, zoo = saved
    target = tmp_path / "out.safetensors"
    assert call("small_convnext", "--weights", source, "-o", target, "--mode", "own", "--method", "D1", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert [row["layer"] for row in answer["report"]] == [d.name for d in find_depthwise(model)]
    assert (answer["mode"], answer["method"]) == ("own", "D1")
    expected = fold(replace(model, "D1", "own").model).state_dict()
    assert equal(dict(zoo.load_model("small_convnext", weights=target).model.state_dict()), expected)


def test_command_prints_a_table_and_takes_patterns(saved, tmp_path, capsys):
    model, source, _ = saved
    first = find_depthwise(model)[0].name
    given = ("--layers", first, "--mode", "random", "--seed", 4)
    assert call("small_convnext", "--weights", source, "-o", tmp_path / "out.safetensors", *given) == 0
    out = capsys.readouterr().out
    assert "not selected" in out and "explained" in out and "channels replaced in 1 layers" in out
    from safetensors.torch import load_file

    expected = fold(replace(model, "B", "random", layers=first, seed=4).model).state_dict()
    assert all(torch.equal(v, expected[k]) for k, v in load_file(tmp_path / "out.safetensors").items())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("small_convnext", "--weights", "SOURCE", "-o", "SOURCE"), "exists already"),
        (("small_convnext", "--weights", "SOURCE", "-o", "gone/out.safetensors"), "the folder gone does not exist"),
        (("small_convnext", "--weights", "SOURCE", "-o", "out.pth"), "out.pth: expected a name that ends in .safetensors"),
        (("small_convnext", "--weights", "SOURCE", "-o", "OUT", "--mode", "x"), "unknown mode 'x'"),
        (("small_convnext", "--weights", "SOURCE", "-o", "OUT", "--method", "x"), "unknown filters 'x'"),
        (("small_convnext", "--weights", "SOURCE", "-o", "OUT", "--seed", "x"), "--seed is 'x'"),
        (("small_convnext", "--weights", "SOURCE", "-o", "OUT", "--layers", "x"), "no depthwise layer is named 'x'"),
        (("no_such_network", "-o", "OUT"), "unknown model 'no_such_network'"),
        (("resnet10t", "--weights", "SOURCE", "-o", "OUT"), "SOURCE"),
    ],
)
def test_command_answers_mistakes_in_one_line_and_writes_nothing(saved, tmp_path, arguments, message):
    _, source, _ = saved
    names = {"SOURCE": str(source), "OUT": str(tmp_path / "out.safetensors")}
    content = source.read_bytes()
    with pytest.raises(ValueError) as caught:
        call(*(names.get(a, a) for a in arguments))
    assert names.get(message, message) in str(caught.value) and "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == [source.name] and source.read_bytes() == content


def test_command_overwrites_with_force(saved):
    _, source, _ = saved
    before = source.read_bytes()
    assert call("small_convnext", "--weights", source, "-o", source, "--force") == 0
    assert source.read_bytes() != before
