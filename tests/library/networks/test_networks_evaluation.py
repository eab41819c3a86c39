"""Evaluation, comparison and the mending of networks after their filters were replaced."""

import copy

import numpy as np
import pytest
import timm
import torch
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from keyfilters.networks.evaluation.finetuning import (
    TRAINABLE,
    distill,
    match_statistics,
    outputs_of,
    recalibrate,
    trainable_parameters,
)
from keyfilters.networks.evaluation.judging import compare, device_of, divergence, evaluate, evaluating
from keyfilters.networks.layers.scale_space import ScaleSpaceConv2d

CLASSES = 7


def pixels(logits):
    """Images whose pixels are the logits, for a network that only flattens."""
    logits = torch.as_tensor(logits, dtype=torch.float32)
    return logits.reshape(len(logits), 1, 1, -1)


def small(name, seed=0, classes=CLASSES):
    torch.manual_seed(seed)
    return timm.create_model(name, num_classes=classes).eval()


@pytest.fixture(scope="module")
def images():
    return torch.rand(10, 3, 48, 48, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture(scope="module")
def atto():
    return small("convnextv2_atto")


@pytest.fixture(scope="module")
def mobile():
    return small("mobilenetv3_small_050")


def depthwise(model):
    return {n: m for n, m in model.named_modules() if isinstance(m, nn.Conv2d) and m.groups == m.in_channels > 1}


def changed(model, factor=3.0, seed=5):
    """A copy whose depthwise filters are random ones."""
    model, draw = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in depthwise(model).values():
            module.weight.copy_(factor * torch.randn(module.weight.shape, generator=draw) * module.weight.std())
    return model


def rescaled(model):
    """A copy whose filters have gains, channel by channel."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        for module in depthwise(model).values():
            module.weight.mul_(torch.linspace(0.5, 4, len(module.weight))[:, None, None, None])
    return model


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


# --- accuracy


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 9), st.integers(1, 12), st.integers(0, 99), st.integers(1, 5))
def test_top_k_counts_the_larger_logits(classes, n, seed, batch_size):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(n, classes)).astype(np.float32), rng.integers(classes, size=n)
    found = evaluate(nn.Flatten(), (pixels(logits), torch.tensor(labels)), batch_size=batch_size)
    rank = (logits > logits[np.arange(n), labels][:, None]).sum(axis=1)
    np.testing.assert_array_equal(found.correct, rank == 0)
    np.testing.assert_array_equal(found.correct5, rank < 5)
    assert (found.top1, found.top5) == ((rank == 0).mean(), (rank < 5).mean())
    assert found.interval.low <= found.top1 <= found.interval.high
    assert bool(found.note) == (classes <= 5) and found.top_k == min(5, classes)
    table = found.per_class()
    assert table.n.sum() == n and np.average(table.top1, weights=table.n) == pytest.approx(found.top1)


def test_the_form_of_the_data_does_not_matter(mobile, images):
    labels = torch.arange(10) % CLASSES
    whole = evaluate(mobile, (images, labels), keep_logits=True)
    data = TensorDataset(images, labels)
    forms = [data, DataLoader(data, batch_size=4), [(images[:3], labels[:3]), (images[3:], labels[3:].tolist())]]
    for form in forms:
        found = evaluate(mobile, form)
        np.testing.assert_array_equal(found.predictions, whole.predictions)
        assert found.record() == whole.record()
    with torch.no_grad():
        np.testing.assert_allclose(whole.logits, mobile(images).numpy(), atol=1e-5)


@each("kind", ["int64", "uint8", "int16", "uint16", "uint64", ">i4", "list", "tuple"])
def test_labels_of_numpy_are_labels(kind):
    model, images, labels = nn.Flatten(), torch.eye(8).reshape(8, 1, 2, 4), np.array([0, 1, 2, 3, 4, 5, 6, 0])
    given = {"list": list, "tuple": tuple}.get(kind, lambda values: values.astype(kind))(labels)
    for data in ((images, given), [images, given], [(images[:5], given[:5]), (images[5:], given[5:])]):
        found = evaluate(model, data)
        assert found.top1 == 7 / 8 and found.labels.tolist() == labels.tolist() and found.labels.dtype == np.int64
        assert compare(model, model, data).top1 == 7 / 8


def test_equal_logits_are_counted_one_way():
    found = evaluate(nn.Flatten(), (pixels(np.zeros((3, 8))), torch.tensor([0, 4, 5])))
    assert found.correct.tolist() == [True, False, False] and found.correct5.tolist() == [True, True, False]


def test_modes_and_gradients_are_put_back(mobile, images):
    mobile.train()
    mobile.blocks[0].eval()
    modes, before = [m.training for m in mobile.modules()], state(mobile)
    evaluate(mobile, (images, torch.zeros(10, dtype=torch.long)))
    with pytest.raises(KeyError), evaluating(mobile):
        assert not mobile.training and not torch.is_grad_enabled()
        raise KeyError
    assert modes == [m.training for m in mobile.modules()] and torch.is_grad_enabled()
    assert same(before, state(mobile))
    mobile.eval()


def test_other_precisions_are_near(atto, images):
    exact = evaluate(atto, (images, torch.zeros(10, dtype=torch.long)), keep_logits=True)
    reduced = evaluate(atto, (images, torch.zeros(10, dtype=torch.long)), keep_logits=True, amp="bf16")
    assert 0 < np.abs(exact.logits - reduced.logits).max() < 0.1
    # Images follow the precision of the weights.
    double = evaluate(copy.deepcopy(atto).double(), (images, torch.zeros(10, dtype=torch.long)), keep_logits=True)
    assert np.abs(exact.logits - double.logits).max() < 1e-4


# --- comparison


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 9), st.integers(1, 6), st.integers(0, 99))
def test_the_divergence_is_its_sum(classes, n, seed):
    from scipy.special import rel_entr, softmax

    rng = np.random.default_rng(seed)
    q, p = rng.normal(size=(2, n, classes)) * 4
    expected = rel_entr(softmax(p, axis=1), softmax(q, axis=1)).sum(axis=1)
    np.testing.assert_allclose(divergence(torch.tensor(q), torch.tensor(p)).numpy(), expected, atol=1e-12)
    assert (expected >= 0).all()


def test_a_network_agrees_with_itself(atto, images):
    found = compare(atto, atto, images, batch_size=4)
    assert (found.agreement, found.kl, found.overlap5, found.n) == (1.0, 0.0, 1.0, 10)
    assert found.interval.high == 1.0 and found.mcnemar is None and "mcnemar_p" not in found.record()


def test_labels_add_accuracies_and_mcnemar():
    logits = torch.eye(8)[torch.tensor([0, 1, 2, 3, 4, 5])] * 5
    labels = torch.tensor([0, 1, 2, 3, 4, 7])
    model = nn.Sequential(nn.Flatten(), nn.Linear(8, 8, bias=False))
    model[1].weight.data = torch.diag(torch.tensor([1.0, 1.0, 1.0, -1.0, 1.0, 1.0, 1.0, 1.0]))
    found = compare(model, nn.Flatten(), (pixels(logits), labels))
    assert (found.top1, found.reference_top1) == (4 / 6, 5 / 6)
    assert (found.mcnemar.only_a, found.mcnemar.only_b, found.agreement) == (0, 1, 5 / 6)
    assert found.kl > 0 and found.record()["mcnemar_p"] == 1.0
    # Class 3 leaves the first five of its own image, where its sign is turned; all else stays.
    assert found.overlap5 == pytest.approx((5 + 4 / 5) / 6)


def test_the_divergence_has_a_direction(images):
    one, other = small("mobilenetv3_small_050"), small("mobilenetv3_small_050", seed=3)
    with torch.no_grad():
        for model in (one, other):
            model.classifier.weight.mul_(50)
    there, back = compare(one, other, images), compare(other, one, images)
    assert there.kl > 0 and there.kl != back.kl
    assert (there.agreement, there.overlap5) == (back.agreement, back.overlap5)


# --- mending


def stem():
    """A convolution, a batch norm and dropout."""
    torch.manual_seed(2)
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Dropout(0.9), nn.Flatten())


@pytest.mark.parametrize("size", [1, 3, 10])
def test_the_first_norm_gets_the_statistics_of_all_images(images, size):
    """Whatever the batches: mean and variance over all images and places, as numpy has them."""
    model = stem()
    assert recalibrate(model, images, batch_size=size) == 1
    out = model[0](images).detach().numpy().astype(np.float64)
    np.testing.assert_allclose(model[1].running_mean.numpy(), out.mean(axis=(0, 2, 3)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model[1].running_var.numpy(), out.var(axis=(0, 2, 3), ddof=1), rtol=1e-5)
    assert model.training and model[1].training


def test_recalibration_mends_rescaled_filters(mobile, images):
    """Batch norm undoes a gain in front of it once its statistics are those of the new outputs."""
    reference = copy.deepcopy(mobile)
    count = recalibrate(reference, images)
    assert count == sum(isinstance(m, nn.BatchNorm2d) for m in mobile.modules())
    model = rescaled(reference)
    before = compare(model, reference, images)
    recalibrate(model, images)
    after = compare(model, reference, images)
    assert after.kl < 1e-3 * before.kl and after.agreement == 1.0


def test_networks_without_running_statistics_and_without_steps_stay(atto, images):
    model = copy.deepcopy(atto)
    before = state(model)
    assert recalibrate(model, images) == 0 and len(distill(model, changed(atto), images, steps=0).kl) == 0
    assert same(before, state(model))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (torch.zeros(0, 3, 48, 48), "there are no images"),
        (torch.zeros(2, 1, 48, 48), "does not take images of 1x48x48"),
        ([torch.ones(2, 3, 48, 48), torch.zeros(1, 3, 1, 1)], "a batch of 1 image has no variance: take batches of at least 2"),
    ],
)
def test_a_failed_recalibration_leaves_the_network(mobile, data, message):
    before = state(mobile)
    refused(lambda: recalibrate(mobile, data), message)
    assert same(before, state(mobile))


@pytest.mark.parametrize("size", [4, 10])
def test_matched_statistics_are_the_reference_ones(atto, images, size):
    model = changed(atto)
    with torch.no_grad():
        next(iter(depthwise(model).values())).weight[0] = 0.0  # a channel without any spread
    report = match_statistics(model, atto, images, batch_size=size)
    assert report.layer.tolist() == list(depthwise(atto)) and report.bias.all()

    def outputs(network):
        kept = {}
        hooks = [m.register_forward_hook(lambda m, i, o, n=n: kept.update({n: o})) for n, m in depthwise(network).items()]
        with torch.no_grad():
            network(images)
        for hook in hooks:
            hook.remove()
        return kept

    ours, theirs = outputs(model), outputs(atto)
    for name in ours:
        axes = (0, 2, 3)
        torch.testing.assert_close(ours[name].mean(axes), theirs[name].mean(axes), rtol=1e-3, atol=1e-3)
        flat = ours[name].std(axes) < 1e-6
        torch.testing.assert_close(ours[name].std(axes)[~flat], theirs[name].std(axes)[~flat], rtol=1e-3, atol=1e-4)
        assert int(flat.sum()) == int(name == report.layer[0])
    again = match_statistics(model, atto, images)
    assert np.abs(again.gain_median - 1).max() < 1e-3


def test_matched_statistics_undo_gains_and_shifts(atto, images):
    """What was only scaled and shifted, channel by channel, becomes the reference again."""
    model = rescaled(atto)
    with torch.no_grad():
        for module in depthwise(model).values():
            module.bias.add_(torch.linspace(-1, 1, len(module.bias)))
    before = compare(model, atto, images)
    match_statistics(model, atto, images)
    after = compare(model, atto, images)
    assert after.kl < 1e-6 * before.kl and after.agreement == 1.0


def test_equal_layers_are_left_alone(atto, images):
    model = copy.deepcopy(atto)
    name, module = list(depthwise(model).items())[3]
    with torch.no_grad():
        module.weight.mul_(2)
    before = state(model)
    report = match_statistics(model, atto, images)
    assert report.layer.tolist() == [name] and report.gain_median[0] == pytest.approx(0.5, rel=1e-5)
    assert {k for k, v in state(model).items() if not torch.equal(v, before[k])} <= {f"{name}.weight", f"{name}.bias"}


def test_scale_space_layers_take_gain_and_shift(images):
    torch.manual_seed(4)
    conv = nn.Conv2d(3, 3, 7, padding=3, groups=3)
    layer = ScaleSpaceConv2d.from_conv(conv, keys=[1, 5, 8], gain=2.0, offset=0.1)
    model = nn.Sequential(copy.deepcopy(layer))
    kernels = model[0].kernels().clone()
    report = match_statistics(model, nn.Sequential(conv), images)
    torch.testing.assert_close(model(images).mean((0, 2, 3)), conv(images).mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model(images).std((0, 2, 3)), conv(images).std((0, 2, 3)), rtol=1e-4, atol=1e-5)
    ratio = model[0].kernels() / kernels
    torch.testing.assert_close(ratio, ratio[:, :, :1, :1].expand_as(ratio), rtol=1e-4, atol=1e-4)
    assert report.gain_low[0] < report.gain_high[0]


def test_a_layer_without_bias_keeps_its_mean(images):
    torch.manual_seed(4)
    conv = nn.Conv2d(3, 3, 5, groups=3, bias=False)
    model = nn.Sequential(copy.deepcopy(conv))
    with torch.no_grad():
        model[0].weight.mul_(torch.tensor([1.0, 2.0, 0.25])[:, None, None, None])
    report = match_statistics(model, nn.Sequential(conv), images)
    assert not report.bias[0] and list(model.state_dict()) == ["0.weight"]
    torch.testing.assert_close(model(images), conv(images))


def test_distillation_comes_nearer_and_is_repeatable(atto, images):
    atto, runs = copy.deepcopy(atto), []
    with torch.no_grad():
        atto.head.fc.weight.mul_(30)  # an untrained network hardly tells images apart
    for seed in (0, 0, 1):
        model = changed(atto)
        frozen = {n: m.weight.clone() for n, m in depthwise(model).items()}
        head = model.head.fc.weight.clone()
        found = distill(model, atto, images, steps=8, lr=2e-5, seed=seed, batch_size=4)
        assert all(torch.equal(frozen[n], m.weight) for n, m in depthwise(model).items()) and torch.equal(
            head, model.head.fc.weight
        )
        assert found.trained == sum(p.numel() for p in trainable_parameters(model)) > 0 and len(found.kl) == 8
        assert all(p.requires_grad and p.grad is None for p in model.parameters())
        runs.append((state(model), found, compare(model, atto, images).kl))
    assert same(runs[0][0], runs[1][0]) and not same(runs[0][0], runs[2][0])
    np.testing.assert_array_equal(runs[0][1].kl, runs[1][1].kl)
    assert runs[0][2] < 0.7 * compare(changed(atto), atto, images).kl


def test_distillation_keeps_the_running_statistics(mobile, images):
    model = changed(mobile)
    before = state(model)
    distill(model, mobile, images, steps=2, trainable="norm")
    moved = {k for k, v in state(model).items() if not torch.equal(v, before[k])}
    assert moved and not [k for k in moved if "running" in k or "conv" in k]


def test_known_outputs_and_pieces_of_a_batch_change_no_training(mobile, images):
    known = outputs_of(mobile, images.split(4))
    kls, moves = [], []
    for reference, at_once in ((mobile, None), (known, None), (mobile, 3)):
        model = changed(mobile)
        before = torch.cat([p.detach().flatten().clone() for p in model.parameters()])
        kls.append(distill(model, reference, images.split(4), steps=1, trainable="norm", at_once=at_once).kl[0])
        moves.append(torch.cat([p.detach().flatten() for p in model.parameters()]) - before)
    assert kls[0] == kls[1] and torch.equal(moves[0], moves[1]) and moves[0].any()
    # Adam's first step has the signs of the gradients, of which those near 0 are a matter of rounding.
    assert kls[2] == pytest.approx(kls[0], rel=1e-4) and torch.cosine_similarity(moves[0], moves[2], dim=0) > 0.99
    refused(lambda: distill(changed(mobile), known[1:], images.split(4)), "one tensor for each batch")


def test_what_is_trained():
    model = small("convnextv2_atto")
    names = {id(p): n for n, p in model.named_parameters()}
    chosen = {kind: {names[id(p)] for p in trainable_parameters(model, kind)} for kind in TRAINABLE}
    assert {n for n in chosen["depthwise"] if n.endswith("weight")} == {f"{n}.weight" for n in depthwise(model)}
    assert any("grn" in n for n in chosen["norm"]) and not chosen["norm"] & chosen["pointwise"]
    assert not any(n.startswith("head.fc") for kind in chosen.values() for n in kind)
    both = {names[id(p)] for p in trainable_parameters(model, "pointwise+norm")}
    assert both == chosen["pointwise"] | chosen["norm"]


# --- mistakes

FLAT = nn.Flatten()
ONE = pixels(np.eye(8))
LABELS = torch.arange(8)


@each(
    ("call", "message"),
    [
        (lambda: evaluate("resnet", ONE), "model is a str: expected a torch.nn.Module"),
        (lambda: evaluate(FLAT, ONE), "the images have no labels"),
        (lambda: evaluate(FLAT, (ONE, LABELS + 1)), "a label is 8, but the network knows 8 classes"),
        (lambda: evaluate(FLAT, (ONE, LABELS - 1)), "a label is -1"),
        *(
            (lambda labels=labels: evaluate(FLAT, (ONE[:2], labels)), "^the labels are .*: expected whole numbers from 0$")
            for labels in (
                LABELS[:2].double(),
                np.array([0.0, 1.5]),
                np.array([True, False]),
                np.array(["a", "b"]),
                [None, 1],
                np.array([0.0, np.nan]),
            )
        ),
        (lambda: evaluate(FLAT, (ONE[:0], LABELS[:0])), "there are no images"),
        (lambda: evaluate(FLAT, []), "there are no images"),
        (lambda: evaluate(FLAT, 3), "data is a int"),
        (lambda: evaluate(FLAT, [3]), "batch 0 is a int"),
        (lambda: evaluate(FLAT, [(ONE, LABELS[:3])]), r"batch 0 has labels of shape \(3,\): expected \(8,\)"),
        (lambda: evaluate(FLAT, (ONE * torch.nan, LABELS)), "returns NaN or infinity for 8 of 8 images"),
        (lambda: evaluate(FLAT, ((ONE * 255).byte(), LABELS)), "the images are uint8"),
        (lambda: evaluate(nn.Identity(), (ONE, LABELS)), r"the network returns shape \(8, 1, 1, 8\): expected logits"),
        (lambda: evaluate(nn.Conv2d(3, 4, 1), (ONE, LABELS)), "the network does not take images of 1x1x8: "),
        (lambda: evaluate(FLAT, (ONE, LABELS), amp="int8"), "unknown amp 'int8': expected None or one of bf16, fp16"),
        (lambda: evaluate(FLAT, (ONE, LABELS), device="gpu9"), r"device is 'gpu9': expected cpu, cuda \(cuda:1, ...\) or mps$"),
        (lambda: compare(FLAT, FLAT, ONE, torch.device("meta")), "device is 'meta': expected cpu, cuda"),
        (lambda: recalibrate(FLAT, ONE, device=[]), "device is \\[\\]: expected cpu, cuda"),
        (lambda: evaluate(nn.Linear(8, 8, device="meta"), (ONE, LABELS)), "weights are on the meta device"),
        (lambda: evaluate(FLAT, (ONE, LABELS), level=2), "level is 2"),
        (lambda: compare(FLAT, None, ONE), "reference is a NoneType"),
        (lambda: compare(FLAT, nn.Sequential(FLAT, nn.Linear(8, 3)), ONE), "the network has 8 classes and the reference 3"),
        (lambda: compare(FLAT, FLAT, ONE[:0]), "there are no images"),
        (lambda: distill(FLAT, FLAT, ONE), "the network has no such parameters"),
        (lambda: distill(FLAT, FLAT, ONE, trainable="scales"), "unknown trainable 'scales'"),
        (lambda: distill(FLAT, FLAT, ONE, steps=-1), "steps is -1"),
        (lambda: distill(FLAT, FLAT, ONE, lr=0), "lr is 0"),
        (lambda: distill(nn.Sequential(FLAT, nn.Linear(8, 8)), FLAT, ONE[:0]), "there are no images"),
        (
            lambda: match_statistics(nn.Sequential(nn.Conv2d(2, 2, 3, groups=2)), FLAT, torch.zeros(1, 2, 4, 4)),
            "has no layer 0",
        ),
        (
            lambda: match_statistics(nn.Conv2d(2, 2, 3, groups=2), nn.Conv2d(3, 3, 3, groups=3), torch.zeros(1, 2, 4, 4)),
            "has other channels in the reference",
        ),
    ],
)
def test_a_mistake_is_one_line(call, message):
    refused(call, message)


@pytest.mark.parametrize(
    ("device", "cards", "message"),
    [
        ("cuda", 0, "device is 'cuda': this machine has none; use cpu"),
        ("cuda:9", 0, "device is 'cuda:9': this machine has none; use cpu"),
        ("mps", 0, "device is 'mps': this machine has none; use cpu"),
        (torch.device("cuda", 9), 1, "device is 'cuda:9': this machine has cuda:0"),
        ("cuda:2", 2, "device is 'cuda:2': this machine has cuda:0, cuda:1"),
    ],
)
def test_a_device_that_is_not_there_is_one_line(monkeypatch, device, cards, message):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cards > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for call in (
        lambda: evaluate(FLAT, (ONE, LABELS), device),
        lambda: compare(FLAT, FLAT, ONE, device),
        lambda: recalibrate(FLAT, ONE, device),
        lambda: match_statistics(FLAT, FLAT, ONE, device),
        lambda: distill(FLAT, FLAT, ONE, device=device),
    ):
        with pytest.raises(ValueError) as raised:
            call()
        assert str(raised.value) == message


def test_a_device_that_is_there_is_taken(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(device_of(FLAT, name)) for name in ("cpu", "cuda", "cuda:1")] == ["cpu", "cuda", "cuda:1"]
    assert device_of(FLAT) == torch.device("cpu")
