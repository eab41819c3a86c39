"""The functions behind the chapter on replacing the filters of a network, and the figures it draws with."""

import copy

import numpy as np
import pytest
import timm
import torch
from refusals import refused
from torch import nn

from keyfilters import ideal_filter
from keyfilters.networks import find_depthwise, load_model, match
from keyfilters.networks.zoo.checkpoints import write_weights
from keyfilters.networks.zoo.loading import LoadedModel
from keyfilters_book.experiments import layer_traits, mending, reachable, replacement, replacement_images
from keyfilters_book.experiments.convnext_modules import module_layers, stage_table
from keyfilters_book.figures.networks import interval_dots, layer_curves
from keyfilters_book.paper import architecture

CLASSES = 6


pytestmark = pytest.mark.usefixtures("one_thread")


def small_network(seed=0):
    torch.manual_seed(seed)
    block = [
        m
        for k in range(3)
        for m in (nn.Conv2d(8, 8, 5 - 2 * (k % 2), padding=2 - k % 2, groups=8), nn.BatchNorm2d(8), nn.ReLU())
    ]
    return nn.Sequential(
        nn.Conv2d(3, 8, 1),
        *block,
        nn.Conv2d(8, 8, 1),
        nn.BatchNorm2d(8),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, CLASSES),
    ).eval()


def small_judge(seed=0):
    torch.manual_seed(1)
    images = replacement_images.JudgingImages(
        torch.randn(10, 3, 12, 12), np.arange(10) % CLASSES, torch.randn(6, 3, 12, 12), np.array(list("abcabc")),
        torch.randn(32, 3, 12, 12), ("d",),
    )  # fmt: skip
    return replacement.Judge(small_network(seed), images)


def test_the_packaged_weights_are_loaded_rightly_and_need_their_padding():
    loaded = load_model("efficientnet_lite0", pretrained=True)
    judge = replacement.Judge(loaded.model, replacement_images.images_for(loaded, 1, 1))
    assert judge.own.correct.sum() == 18 and judge.own.agrees.all()
    other = judge(reachable.with_symmetric_padding(loaded.model))
    assert other.correct.sum() < 18 and (other.kl > 0).all()


def test_judging_and_mending_photographs_differ():
    mending, judging = replacement_images.split_photographs()
    assert mending and judging and not set(mending) & set(judging)
    one, two = (replacement_images.pieces(mending, 9, seed=3) for _ in range(2))
    assert len(one) == 9 and all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert len({len(piece) for piece in one}) > 1


def test_the_unmodified_network_agrees_with_itself():
    judge = small_judge()
    row = judge.own.row(draws=50)
    assert row["agree"] == 10 and row["kl"] == row["crop_kl"] == 0 and row["crop_agree"] == 1
    assert row["right_low"] <= row["right"] <= row["right_high"]
    assert judge.against(judge.own).p == 1


def test_an_outcome_counts_what_it_is_given():
    judge = small_judge()
    turned = small_network()
    with torch.no_grad():
        turned[-1].weight.neg_()
        turned[-1].bias.neg_()
    outcome = judge(turned)
    with torch.no_grad():
        expected = torch.log_softmax(judge.reference(judge.images.labelled).double(), 1)
        found = torch.log_softmax(turned(judge.images.labelled).double(), 1)
    assert np.allclose(outcome.kl, (expected.exp() * (expected - found)).sum(1), atol=1e-6)
    assert np.array_equal(outcome.agrees, (expected.argmax(1) == found.argmax(1)).numpy())
    assert np.array_equal(outcome.correct, found.argmax(1).numpy() == judge.images.labels)
    test = judge.against(outcome)
    assert test.only_a - test.only_b == judge.own.correct.sum() - outcome.correct.sum()


def test_every_variant_runs_and_none_touches_the_reference():
    judge = small_judge()
    before = {name: value.clone() for name, value in judge.reference.state_dict().items()}
    frame, outcomes = replacement.sweep(judge, mender=mending.Mender(judge.reference, judge.images.calibration))
    assert list(frame.variant[::3]) == list(replacement.REPLACEMENTS) and len(outcomes) == len(frame) == 3 * len(
        replacement.REPLACEMENTS
    )
    assert (frame.kl > 0).all()
    assert all(torch.equal(before[name], value) for name, value in judge.reference.state_dict().items())
    own = frame[(frame.variant == "own scales") & (frame.state == "replaced")].kl.item()
    assert own != frame[(frame.variant == "B") & (frame.state == "replaced")].kl.item()


def test_layers_one_at_a_time_and_all_at_once():
    judge = small_judge()
    layers = replacement.layer_sweep(judge, ["B", "impulse"])
    assert layers.number.tolist() == [1, 1, 2, 2, 3, 3] and layers["size"].tolist() == [5, 5, 3, 3, 5, 5]
    together = replacement.cumulative_sweep(judge, (1, 3), "B")
    assert together["order"].tolist() == ["first", "first", "last", "last"]
    first, last = (together[together.order == order].set_index("count").kl for order in ("first", "last"))
    one = layers[layers.variant == "B"].set_index("number").kl
    whole = replacement.sweep(judge, ["B"])[0].kl.item()
    assert first[1] == one[1] and last[1] == one[3] and first[3] == last[3] == whole


def test_what_a_layer_is_like_beside_what_replacing_it_costs(monkeypatch):
    judge = small_judge()
    monkeypatch.setattr(
        layer_traits, "packaged_network", lambda name: LoadedModel(judge.reference, name, "", (), (), (3, 12, 12))
    )
    monkeypatch.setattr(layer_traits, "images_for", lambda *_: judge.images)
    found = layer_traits.traits_and_harms(["one", "two"])
    assert found.network.tolist() == ["one"] * 3 + ["two"] * 3
    assert found.kernel.tolist() == [5, 3, 5] * 2 and found.depth.tolist() == pytest.approx([1 / 3, 2 / 3, 1] * 2)
    matched = match(judge.reference).frame()
    assert np.allclose(found.unexplained[:3], 1 - matched.explained)
    kinds = found[["one_sided", "centred", "sharpening", "smoothing"]]
    assert np.allclose(kinds.sum(axis=1), 1) and np.allclose(found.smoothing[:3], matched.key_8 / 8)
    outcome = judge(replacement.replaced(judge.reference, "B", matched.layer[1]))
    assert found.divergence[1] == pytest.approx(np.r_[outcome.kl, outcome.crop_kl].mean(), abs=1e-7)
    assert found.disagreement[1] == pytest.approx(1 - np.r_[outcome.agrees, outcome.crop_agrees].mean())
    assert found.errors[1] == judge.own.correct.sum() - outcome.correct.sum()


def test_scale_and_offset_of_a_layer_are_those_of_its_filters():
    network = nn.Sequential(nn.Conv2d(6, 6, 7, groups=6, bias=False))
    with torch.no_grad():
        network[0].weight[:, 0] = torch.from_numpy(np.tile(ideal_filter(8, 1.3), (6, 1, 1)))
    (row,) = layer_traits.layer_traits(network).itertuples()
    assert row.scale == pytest.approx(1.3, abs=1e-3) and row.offset < 0.02 and row.smoothing == 1
    moved = torch.roll(network[0].weight.detach(), 1, dims=3)
    with torch.no_grad():
        network[0].weight.copy_(moved)
    assert layer_traits.layer_traits(network).offset.item() == pytest.approx(1, abs=0.05)


def test_a_residual_connection_is_seen():
    network = timm.create_model("efficientnet_lite0")
    skips = [layer_traits.has_skip(network, layer.name) for layer in find_depthwise(network)]
    assert skips == [block.has_skip for stage in network.blocks for block in stage] and 0 < sum(skips) < len(skips)


def test_a_network_of_timm_is_cut_into_its_blocks():
    network = timm.create_model("efficientnet_lite0", num_classes=7).eval()
    parts, images = replacement.layers_in_order(network), torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert len(parts) > 16
    with torch.no_grad():
        assert torch.equal(nn.Sequential(*parts)(images), network(images))


def test_the_correction_takes_over_what_the_replacement_changed_and_no_more():
    judge = small_judge()
    mender = mending.Mender(judge.reference, judge.images.calibration)
    untouched = mender.corrected(copy.deepcopy(judge.reference))
    statistics = [
        (name, value) for name, value in judge.reference.state_dict().items() if name.split(".")[-1].startswith("running")
    ]
    assert statistics and all(torch.equal(value, untouched.state_dict()[name]) for name, value in statistics)
    # A change of gain and offset in front of a norm is undone.
    other = copy.deepcopy(judge.reference)
    gain, shift = torch.linspace(0.5, 3.0, 8), torch.linspace(-2.0, 1.0, 8)
    with torch.no_grad():
        other[1].weight.mul_(gain[:, None, None, None])
        other[1].bias.mul_(gain).add_(shift)
    changed = judge(other).kl.max()
    assert judge(mender.corrected(other)).kl.max() < 1e-6 * changed
    assert torch.allclose(other[2].running_mean, gain * judge.reference[2].running_mean + shift, atol=1e-5)


def test_tuning_starts_where_the_correction_ends():
    judge = small_judge()
    mender = mending.Mender(judge.reference, judge.images.calibration[:16])
    corrected = replacement.sweep(judge, ["B"], mender=mender)[0].set_index("state").kl["corrected"]
    runs = [("B", recipe) for recipe in replacement.MENDING_RATES]
    frame, outcomes = replacement.tuning_sweep(judge, runs, 40, mender, batch=32)
    assert list(outcomes) == runs
    assert (frame.kl_last < frame.kl_first).all() and (frame.kl != corrected).all()
    still, _ = replacement.tuning_sweep(judge, runs[:1], 1, mender, batch=1)
    assert abs(still.kl[0] - corrected) < abs(frame.kl[0] - corrected)
    norms = sum(p.numel() for m in judge.reference if isinstance(m, nn.BatchNorm2d) for p in m.parameters())
    assert frame.set_index("trained").numbers["norm"] == norms < frame.set_index("trained").numbers["pointwise+norm"]
    refused(lambda: replacement.tuning_sweep(judge, [("B", "all")], 1, mender), "unknown trained 'all'")
    refused(lambda: replacement.replaced(judge.reference, "E"), "unknown variant 'E'")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A ConvNeXt V2 of the smallest size with random weights, as a file."""
    torch.manual_seed(7)
    model = timm.create_model("convnextv2_atto", pretrained=False)
    for name, parameter in model.named_parameters():
        if name.endswith("grn.weight"):  # zero at the start of a training, which would leave the spatial mixing without effect
            nn.init.normal_(parameter)
    path = tmp_path_factory.mktemp("weights") / "atto.safetensors"
    write_weights(model.state_dict(), path)
    return path


def test_a_convnext_runs_from_a_file_of_weights(checkpoint):
    frame, ran = reachable.replacement_or_reason("convnextv2_atto", str(checkpoint), ["B", "impulse"], 1, 4)
    assert ran and len(frame) == 5  # no batch norms, so nothing is recalibrated
    assert frame.state.tolist() == ["unmodified", "replaced", "corrected", "replaced", "corrected"]
    own = frame.iloc[0]
    assert own.agree == 20 and own.kl == 0
    assert (frame.kl[1:] > 0).all() and frame.kl[1] != frame.kl[2]
    assert (
        frame.weights[0].startswith("weights from the file atto.safetensors (sha256 ")
        and str(checkpoint.parent) not in frame.weights[0]
    )
    refused(lambda: reachable.weights_or_reason("convnextv2_femto", str(checkpoint)), "does not fit convnextv2_femto")


def test_weights_out_of_reach_are_a_row_that_says_so(monkeypatch):
    def unreachable(name, **options):
        raise ValueError(
            f"{name}: its weights (timm/x) are not on this machine and mirror.example is out of reach: connect to the network"
        )

    monkeypatch.setattr(reachable, "load_model", unreachable)
    frame, ran = reachable.replacement_or_reason("convnextv2_tiny", "", ["B"], 1, 0)
    assert not ran and frame.state.tolist() == ["not run here"]
    assert frame.weights[0] == "not run here: its weights (timm/x) are not on this machine and the hub is out of reach"


@pytest.mark.parametrize("name", ["atto", "nano", "tiny"])
def test_the_modules_of_timm_are_the_table_of_layers(name):
    with torch.device("meta"):
        model = timm.create_model(f"convnextv2_{name}", pretrained=False)
    assert module_layers(model) == architecture.layers(name)
    table, variant = stage_table(model), architecture.network_size(name)
    assert tuple(table.blocks) == variant.depths and tuple(table.channels) == variant.dims
    assert table.filters.sum() == variant.depthwise_filters == sum(layer.channels for layer in find_depthwise(model))


def test_networks_of_another_kind_have_no_such_table():
    with torch.device("meta"):
        first_version = timm.create_model("convnext_atto", pretrained=False)
    refused(lambda: module_layers(first_version), "parameters that are not counted")
    refused(lambda: module_layers(nn.Sequential()), "has no stages")


TRIPLES = np.array([[1.0, 0.5, 2.0], [3.0, 3.0, 3.5]])


def test_interval_dots_draw_their_rows():
    fig = interval_dots({"p": {"a": TRIPLES, "b": TRIPLES + 1}, "q": {"b": TRIPLES}}, ["one", "two"], references={"p": 18.0})
    left, right = fig.axes
    dots = {line.get_label(): line for line in left.lines}
    assert dots["a"].get_xdata().tolist() == [1, 3] and dots["b"].get_xdata().tolist() == [2, 4]
    ends = [segment[:, 0].tolist() for segment in left.collections[0].get_segments()]
    assert ends == [[0.5, 2.0], [3.0, 3.5]]
    assert [text.get_text() for text in left.get_yticklabels()] == ["one", "two"]
    assert left.get_ylim()[0] > left.get_ylim()[1]  # the first row on top
    assert right.lines[0].get_color() == dots["b"].get_color() != dots["a"].get_color()


def test_layer_curves_draw_estimates_with_their_intervals():
    fig = layer_curves(
        [1, 2],
        {"p": {"a": TRIPLES}, "q": {"a": TRIPLES}},
        xlabel="layer",
        yscale={"q": "log"},
        ticks=["c1", "c2"],
        references={"p": (2.0, "whole")},
    )
    first, second = fig.axes
    assert first.lines[0].get_ydata().tolist() == [1, 3] and second.get_yscale() == "log"
    assert [segment[:, 1].tolist() for segment in first.collections[0].get_segments()] == [[0.5, 2.0], [3.0, 3.5]]
    # The names stand once, below the last panel.
    shown = [[text.get_text() for text in ax.get_xticklabels() if text.get_visible()] for ax in (first, second)]
    assert shown == [[], ["c1", "c2"]] and [ax.get_xlabel() for ax in (first, second)] == ["", "layer"]


@pytest.mark.parametrize(
    "draw",
    [lambda v: interval_dots({"p": {"a": v}}, ["one", "two"]), lambda v: layer_curves([1, 2], {"p": {"a": v}}, xlabel="x")],
)
def test_figures_refuse_what_is_no_interval(draw):
    refused(lambda: draw(TRIPLES[:1]), r"'a' of panel 'p' has shape \(1, 3\): expected \(2, 3\)")
    refused(lambda: draw(TRIPLES[:, ::-1]), "outside of its interval")
