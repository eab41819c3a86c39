"""Depthwise convolutions of every kind are found and named; 1-D filters are matched with the keys' factors; branches are merged."""

import numpy as np
import pytest
from each import each
from refusals import refused

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")
from torch import nn  # noqa: E402

from keyfilters.filters import KEYS  # noqa: E402
from keyfilters.fitting.joint import key_parameters  # noqa: E402
from keyfilters.gaussian import discrete_gaussian  # noqa: E402
from keyfilters.models import factor, ideal_filter  # noqa: E402
from keyfilters.networks import (  # noqa: E402
    MODES,
    TrainConfig,
    extract,
    find_depthwise,
    fold,
    inspect_file,
    inspect_model,
    load_model,
    match,
    replace,
    weight_of,
)
from keyfilters.networks.layers.scale_space import ScaleSpaceWeight  # noqa: E402
from keyfilters.networks.surgery.branches import merged  # noqa: E402
from keyfilters.networks.surgery.depthwise import key_filters_at  # noqa: E402
from keyfilters.networks.surgery.scale_fits import fit_scales  # noqa: E402
from keyfilters.networks.training.loop import network_of  # noqa: E402
from keyfilters.networks.zoo.checkpoints import write_weights  # noqa: E402


class OwnConvolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(8, 1, 3, 3))


def quantised():
    network = nn.Sequential(
        torch.ao.quantization.QuantStub(), nn.Conv2d(8, 8, 3, groups=8), torch.ao.quantization.DeQuantStub()
    ).eval()
    network.qconfig = torch.ao.quantization.get_default_qconfig(torch.backends.quantized.engine)
    network = torch.ao.quantization.prepare(network)
    network(torch.randn(1, 8, 8, 8))
    return torch.ao.quantization.convert(network)


SMALL = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8)).eval()
KINDS = {
    "Conv3d": (lambda: nn.Conv3d(8, 8, 7, groups=8), "three dimensions", (7, 7, 7)),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(8, 8, 7, groups=8), "a transposed convolution", (7, 7)),
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(8, 8, 7, groups=8), "a transposed convolution", (1, 7)),
    "TorchScript": (lambda: torch.jit.trace(SMALL, torch.zeros(1, 8, 9, 9)), "a TorchScript module", (3, 3)),
    "torch.export": (
        lambda: torch.export.export(SMALL, (torch.zeros(1, 8, 9, 9),)).module(),
        "no convolution of torch",
        (3, 3),
    ),
    "scripted": (lambda: torch.jit.script(SMALL), "a TorchScript module", (3, 3)),
    "quantised": (quantised, "quantised", (3, 3)),
    "own class": (OwnConvolution, "OwnConvolution has weights of the shape", (3, 3)),
    "weight norm": (
        lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(8, 8, 3, groups=8)),
        "computed by a parametrisation (WeightNorm)",
        (3, 3),
    ),
    "even 1-D": (lambda: nn.Conv1d(8, 8, 4, groups=8), "even size (1x4)", (1, 4)),
}


@pytest.mark.filterwarnings("ignore")
@each("kind", list(KINDS))
def test_what_is_there_is_said(kind):
    make, note, size = KINDS[kind]
    alone = inspect_model(make(), nulls="none")
    beside = inspect_model(nn.ModuleList([make(), nn.Conv2d(8, 8, 3, groups=8)]), nulls="none")
    for found, count in ((alone, 0), (beside, 1)):
        (left,) = found.not_matched
        assert note in left.note and left.kernel_size == size and left.channels == 8
        assert sum(layer.match.matched for layer in found.layers) == count
        assert note in str(found).replace("\n  ", " ") and found.document()["layers"]


@pytest.mark.filterwarnings("ignore")
def test_what_is_not_depthwise_is_not_listed():
    network = nn.Sequential(
        nn.Conv1d(8, 8, 7),
        nn.Conv3d(8, 8, 3, groups=2),
        nn.Conv2d(1, 8, 3),
        nn.Linear(3, 3),
        nn.BatchNorm2d(3),
        nn.Embedding(4, 1),
    )
    assert find_depthwise(network) == []
    refused(lambda: inspect_model(network, nulls="none"), "has no depthwise convolution")
    frozen = torch.jit.freeze(torch.jit.script(SMALL))
    refused(lambda: inspect_model(frozen, nulls="none"), "is TorchScript without its convolutions as modules")


AXES = {"x": ((1, 7), 1), "y": ((7, 1), 0)}


@each("axis", list(AXES))
def test_strips_are_factors_of_the_keys(axis):
    size, across = AXES[axis]
    bank = key_filters_at("B", size)
    assert bank.shape == (8, *size)
    for row, strip in zip(KEYS, bank, strict=True):
        if row.derivative_axis == across:
            assert not strip.any()
        elif row.number != 7:
            # The factor of the catalogue's row, from the formula, along the axis.
            sigma_x, sigma_y, _ = (
                key_parameters("B")[row.number - 1] if len(key_parameters("B")) == 8 else key_parameters("B").T[row.number - 1]
            )
            own = (
                factor(row.x, discrete_gaussian(sigma_x, 4))
                if axis == "x"
                else factor(row.y, discrete_gaussian(sigma_y, 4))[::-1]
            )
            flat = strip.ravel()
            assert abs(flat @ own) / np.linalg.norm(flat) / np.linalg.norm(own) == pytest.approx(1.0, abs=1e-12)


def test_one_dimensional_filters_are_matched():
    keys = {"x": [2, 4, 5, 7, 8], "y": [1, 3, 6, 7, 8]}
    networks = {
        "x": nn.Conv2d(10, 10, (1, 7), stride=(1, 2), groups=10),
        "y": nn.Conv2d(10, 10, (7, 1), groups=10),
        "1-D": nn.Conv1d(10, 10, 7, stride=2, padding=3, groups=10),
    }
    for kind, layer in networks.items():
        axis = "y" if kind == "y" else "x"
        bank = key_filters_at("B", AXES[axis][0])
        chosen = [k for k in keys[axis] for _ in (0, 1)]
        gains = np.array([2.0, -0.5] * 5)
        filters = np.stack([g * bank[k - 1] + 0.25 for k, g in zip(chosen, gains, strict=True)])
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(filters).reshape(layer.weight.shape))
        found = match(nn.Sequential(layer)).layers[0]
        assert found.key.tolist() == chosen and found.note == "" and found.kernel_size == AXES[axis][0]
        np.testing.assert_allclose(found.gain, gains, rtol=1e-5)
        np.testing.assert_allclose(found.explained, 1.0, atol=1e-6)
        report = inspect_model(nn.Sequential(layer), draws=3)
        assert report.frame()[["size", "stride"]].values.tolist() == [
            ["7x1" if kind == "y" else "1x7", "1x1" if kind == "y" else "1x2"]
        ]
        assert report.frame().explained[0] == pytest.approx(1.0, abs=1e-6) and 0 < report.frame().null_random[0] < 1
        # A stand-alone layer takes no such place: left as it is, and named.
        done = replace(nn.Sequential(layer, nn.Conv2d(10, 10, 3, groups=10)), standalone=True)
        assert (
            done.report.replaced.tolist() == [0, 10]
            and "no stand-alone layer" in done.report.note[0]
            and done.report.layer[0] == "0"
        )


STRIPS = {
    "row": (lambda c: nn.Conv2d(c, 2 * c, (1, 7), stride=(1, 2), padding=(0, 3), groups=c), (1, 4, 9, 16)),
    "column": (lambda c: nn.Conv2d(c, 2 * c, (7, 1), padding=(3, 0), dilation=(2, 1), groups=c), (1, 4, 16, 9)),
    "1-D": (lambda c: nn.Conv1d(c, 2 * c, 5, padding="same", groups=c), (1, 4, 20)),
}


@each("kind", list(STRIPS))
@each("mode", list(MODES))
def test_one_dimensional_filters_are_replaced(kind, mode):
    make, shape = STRIPS[kind]
    torch.manual_seed(0)
    model, x = nn.Sequential(make(4)).eval().double(), torch.randn(shape).double()
    found = match(model).layers[0]
    done = replace(model, mode=mode)
    conv, weight = done.model[0], weight_of(done.model[0])
    assert type(conv).__mro__[1] is type(model[0]) and conv.weight.shape == model[0].weight.shape
    assert done.report.replaced.tolist() == [8] and done.report.note.tolist() == [""]
    size = found.kernel_size
    flat = conv.weight.detach().numpy().reshape(8, *size)
    if mode in ("affine", "learnable"):
        # Gain times the factor of the key that was matched, plus the offset.
        bank = key_filters_at("B", size)
        np.testing.assert_allclose(
            flat, found.gain[:, None, None] * bank[found.key - 1] + found.offset[:, None, None], atol=1e-12
        )
    elif mode == "own":
        before = model[0].weight.detach().numpy().reshape(8, *size)
        own = fit_scales(before, found.key, *key_parameters("B"))
        left = ((before - flat) ** 2).sum((1, 2))
        np.testing.assert_allclose(left, (1 - own.explained) * found.energy, atol=1e-10)
    plain = fold(done.model)
    assert type(plain[0]) is type(model[0]) and torch.equal(plain(x), done.model(x))
    assert plain.state_dict().keys() == model.state_dict().keys()
    fresh = replace(nn.Sequential(make(4)).eval().double(), mode=mode).model
    fresh.load_state_dict(done.model.state_dict())
    assert torch.equal(fresh(x), done.model(x))
    if mode == "learnable":
        names = [n for n, _ in weight.named_parameters()]
        # One scale, that along the filter.
        assert names == ["raw_y" if kind == "column" else "raw_x"]
        optimiser = torch.optim.SGD(done.model.parameters(), lr=0.1)
        before = weight.filters().detach().clone()
        done.model(x).square().mean().backward()
        optimiser.step()
        assert all(p.grad is not None for p in done.model.parameters()) and not torch.equal(before, weight.filters())


def test_keys_across_are_refused_by_name():
    conv = nn.Conv2d(2, 2, (1, 7), groups=2)
    refused(lambda: ScaleSpaceWeight.of(conv, [1, 8]), "key 1 is a difference across filters along x")
    refused(lambda: ScaleSpaceWeight.of(conv, [2, 8], sigma_y=0.5), "sigma_y is given: filters along x have no scale across")
    model = replace(conv).model
    state = model.state_dict()
    state["parametrizations.weight.0.keys"] = torch.tensor([3.0, 8.0])
    with pytest.raises(RuntimeError, match="key 3 is a difference across"):
        model.load_state_dict(state)


class Kernel(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(8, 1, 3, 3))

    def forward(self, x):
        return nn.functional.conv2d(x, self.kernel, groups=8)


def test_filters_under_another_name_are_named():
    network = nn.Sequential(Kernel(), nn.Linear(3, 3))
    found = inspect_model(network, nulls="none")
    assert [(m.name, m.kernel_size, m.channels) for m in found.not_matched] == [("0.kernel", (3, 3), 8)]
    assert "give it to keyfilters.networks.match itself" in found.not_matched[0].note and "\n" not in found.not_matched[0].note
    assert match(network[0].kernel).layers[0].channels == 8
    done = replace(nn.Sequential(network, nn.Conv2d(8, 8, 3, groups=8)))
    assert done.report.replaced.tolist() == [0, 8] and done.report.layer.tolist() == ["0.0.kernel", "1"]
    # What torch keeps of a parametrised weight is no layer of its own.
    normed = nn.utils.parametrizations.weight_norm(nn.Conv2d(8, 8, 3, groups=8))
    assert [d.name for d in find_depthwise(nn.Sequential(normed))] == ["0"]


def test_a_lazy_convolution_says_that_it_wants_a_batch():
    lazy = nn.Sequential(nn.LazyConv2d(8, 3, groups=8), nn.LazyConv2d(8, 1), nn.LazyLinear(4))
    found = inspect_model(lazy, nulls="none")
    assert [(m.name, m.channels) for m in found.not_matched] == [("0", 8)]
    assert "run a batch through the network first" in found.not_matched[0].note
    lazy(torch.zeros(1, 8, 9, 9))
    assert match(lazy).layers[0].note == ""


@each("axis", list(AXES))
def test_one_dimensional_filters_have_scales_of_their_own(axis):
    size, across = AXES[axis]
    truth = {
        row.number: (0.4 + 0.1 * row.number, 0.3 if row.number == 7 else 0.0) for row in KEYS if row.derivative_axis != across
    }
    filters = []
    for number, (sigma, gamma) in truth.items():
        # The row or column through the centre of the filter in the plane; any scale across but for key 7, which has one.
        scales = (sigma, sigma if number == 7 else 0.5)
        plane = ideal_filter(number, *(scales if axis == "x" else scales[::-1]), gamma=gamma or None)
        filters.append(-2.0 * (plane[3:4] if axis == "x" else plane[:, 3:4]) / np.abs(plane).max() + 0.25)
    filters, keys = np.array(filters), np.array(list(truth))
    assert filters.shape[1:] == size
    found = fit_scales(filters, keys, *key_parameters("B"))
    along, beside = (found.sigma_x, found.sigma_y) if axis == "x" else (found.sigma_y, found.sigma_x)
    np.testing.assert_allclose(along, [sigma for sigma, _ in truth.values()], atol=1e-5)
    np.testing.assert_allclose(found.gamma, [gamma for _, gamma in truth.values()], atol=1e-5)
    np.testing.assert_allclose(found.explained, 1.0, atol=1e-10)
    assert np.isnan(beside[keys != 7]).all() and beside[keys == 7] == along[keys == 7]
    # Gain and offset are those of least squares beside noise too, and never worse than the match.
    noisy = filters + np.random.default_rng(0).normal(0, 0.05, filters.shape)
    conv = nn.Conv2d(len(noisy), len(noisy), size, groups=len(noisy)).double()
    with torch.no_grad():
        conv.weight.copy_(torch.from_numpy(noisy[:, None]))
    matched = match(conv).layers[0]
    own = fit_scales(noisy, matched.key, *key_parameters("B"))
    assert (own.explained >= matched.explained - 1e-12).all() and (own.explained > matched.explained + 1e-6).any()
    refused(
        lambda: fit_scales(filters, np.where(keys == 8, 1 if axis == "x" else 2, keys), *key_parameters("B")),
        "is a difference across",
    )


def test_a_null_has_as_many_keys_as_there_are_factors():
    from keyfilters.networks.surgery.nulls import null_filters

    layer = find_depthwise(nn.Conv1d(64, 64, 9, groups=64))[0]
    channels, keys = null_filters("random", layer, np.random.default_rng(0))
    assert channels.shape == (64, 1, 9) and keys.shape == (5, 1, 9)


NAMES = ("mobileone_s0", "fastvit_t8", "repvit_m0_9")


@pytest.mark.filterwarnings("ignore")
@each("name", NAMES)
def test_branches_are_merged_with_their_batch_norms_before_they_are_looked_at(name, tmp_path, run):
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=5).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                for value in (module.weight, module.running_var):
                    value.uniform_(0.5, 1.5)
                for value in (module.bias, module.running_mean):
                    value.normal_(0, 0.1)
    before = {n: v.clone() for n, v in model.state_dict().items()}
    one, notes = merged(model)
    names = [d.name for d in find_depthwise(one)]
    assert "are merged with their batch norms" in notes[0] and merged(one)[1] == []
    assert len(names) < len(find_depthwise(model))
    report, found, keys, done = inspect_model(model, nulls="none"), match(model), extract(model, k=3, seed=1), replace(model)
    assert (
        [layer.match.name for layer in report.layers] == [m.name for m in found.layers] == done.report.layer.tolist() == names
    )
    assert report.notes == found.notes == keys.notes == done.notes == tuple(notes)
    assert all("merged with their batch norms" in " ".join(text.split()) for text in (report.text(), str(found)))
    right = match(one)
    assert all(np.array_equal(a.explained, b.explained) for a, b in zip(found.layers, right.layers, strict=True))
    assert np.array_equal(keys.keys, extract(one, k=3, seed=1).keys)
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        ours, theirs, wanted = one(image), model(image), replace(one).model(image)
        assert torch.allclose(ours, theirs, atol=1e-3 * float(theirs.abs().max()))
        assert torch.equal(done.model(image), wanted)
        assert all(torch.equal(v, model.state_dict()[n]) for n, v in before.items())
        # What the command writes is loaded again, in the merged form.
        own, target = (tmp_path / f"{name}{what}.safetensors" for what in ("-own", ""))
        write_weights(model.state_dict(), own)
        status, out, _ = run("replace", name, "--weights", own, "-o", target)
        assert status == 0 and "are merged with their batch norms" in out
        loaded = load_model(name, weights=target)
        assert loaded.num_classes == 5 and "with its branches merged for deployment" in loaded.notes[-1]
        assert torch.allclose(loaded.model(image), wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))
        optimiser = torch.optim.SGD(model.parameters())
        with pytest.warns(UserWarning, match="make the optimiser anew"):
            changed = replace(model, inplace=True)
        assert changed.model is model and torch.equal(model(image), wanted) and optimiser
        assert set(changed.new_parameters) < set(dict(model.named_parameters()))


@pytest.mark.filterwarnings("ignore")
def test_files_and_training_say_what_has_branches(tmp_path):
    for name in (*NAMES, "mobilenetv3_small_050"):
        model = timm.create_model(name).eval()
        one, said = merged(model)
        assert (one is model) == (said == []) == (name not in NAMES)
        for form, state in (("open", model.state_dict()), ("merged", one.state_dict())):
            write_weights(state, tmp_path / f"{name}-{form}.safetensors")
            notes = inspect_file(tmp_path / f"{name}-{form}.safetensors", nulls="none").notes
            assert bool(notes) == (form == "open" and name in NAMES) and all(
                "branches that are merged for deployment" in n for n in notes
            ), (name, form)
    # Weights that fit neither form.
    state = dict(merged(timm.create_model(NAMES[0]).eval())[0].state_dict())
    del state["stages.0.0.reparam_conv.weight"]
    write_weights(state, tmp_path / "x.safetensors")
    refused(lambda: load_model(NAMES[0], weights=tmp_path / "x.safetensors"), f"does not fit {NAMES[0]}")
    # A network whose blocks can be fused, and that has no branches, stays; and training says what was merged.
    levit = timm.create_model("levit_conv_128s")
    assert merged(levit) == (levit, [])
    config = TrainConfig(model=NAMES[0], replace="learnable", num_classes=4)
    assert "are merged with their batch norms" in network_of(config, 4).notes[-1]


class Rep(nn.Module):
    def __init__(self):
        super().__init__()
        self.big, self.small = nn.Conv2d(4, 4, 5, padding=2, groups=4), nn.Conv2d(4, 4, 3, padding=1, groups=4)

    def forward(self, x):
        return self.big(x) + self.small(x)


class Deployable(Rep):
    def switch_to_deploy(self):
        self.big.weight.data += nn.functional.pad(self.small.weight.data, (1, 1, 1, 1))
        self.big.bias.data += self.small.bias.data
        self.small = nn.Identity()
        self.forward = self.big.forward


class OtherLibrary(Rep):
    def rep(self):
        """As PP-OCR's networks call it."""


class Broken(Rep):
    def switch_to_deploy(self):
        raise RuntimeError("no")


class Promised(Rep):
    def switch_to_deploy(self):
        """Merges nothing."""


def test_branches_of_other_libraries():
    torch.manual_seed(0)
    found = inspect_model(nn.Sequential(Deployable()), nulls="none")
    assert [layer.match.name for layer in found.layers] == ["0.big"] and "merged" in found.notes[0]
    for kind, said in (
        (OtherLibrary, "merge them first"),
        (Broken, "could not be merged (no)"),
        (Promised, "(0 is as it was): each is looked at on its own"),
    ):
        found = inspect_model(nn.Sequential(kind()), nulls="none")
        assert len(found.layers) == 2 and said in found.notes[0]
        assert said in match(nn.Sequential(kind())).notes[0] and said in replace(nn.Sequential(kind())).notes[0]
    assert inspect_model(Deployable(), nulls="none").notes
    assert "(the network itself is as it was)" in match(Promised()).notes[0]
