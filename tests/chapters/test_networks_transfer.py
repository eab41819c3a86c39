"""Transfer: bodies, features of stages, subsets of labels, the linear classifier behind them."""

import numpy as np
import pytest
import timm
import torch
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import message as said

from keyfilters_book.background import transfer


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return timm.create_model("efficientnet_lite0", num_classes=5).eval()


@pytest.fixture(scope="module")
def images():
    return transfer.inputs(np.random.default_rng(0).integers(0, 256, (8, 28, 28), np.uint8), 64)


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_the_norms_see_the_classes_mixed(monkeypatch):
    """Images come class by class; batches of 64 of one class would give norms too small a spread."""
    seen = []
    monkeypatch.setattr(transfer, "recalibrate", lambda model, images: seen.append(images))
    images = torch.arange(256.0).reshape(-1, 1, 1, 1)
    for _ in range(2):
        transfer.body(torch.nn.BatchNorm2d(1), "adapted", images, seed=3)
    classes = (seen[0].ravel() // 128).reshape(4, 64).mean(1)
    assert ((classes > 0.25) & (classes < 0.75)).all()
    assert torch.equal(seen[0], seen[1]) and torch.equal(seen[0].sort(0).values, images)


@pytest.mark.parametrize("kind", transfer.BODIES)
def test_a_body_is_a_changed_copy(network, images, kind):
    before = weights(network)
    new = transfer.body(network, kind, images)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    same = transfer.stage_features(new, images)["stage 5"]
    changed = not np.allclose(same, transfer.stage_features(network, images)["stage 5"], atol=1e-5)
    assert changed is (kind != "trained")
    assert not new.training


def test_pointwise_weights_stay_where_only_the_filters_are_replaced(network, images):
    for kind in ("keys", "noise"):
        new = dict(transfer.body(network, kind, images).named_parameters())
        for name, value in network.named_parameters():
            if "conv_pw" in name or name.startswith("conv_stem"):
                assert torch.equal(new[name], value)


def test_fresh_weights_come_from_the_seed_alone(network, images):
    state = torch.random.get_rng_state()
    one, two, other = (transfer.body(network, "fresh", images, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(one.conv_stem.weight, two.conv_stem.weight)
    assert not torch.equal(one.conv_stem.weight, other.conv_stem.weight)


def test_features_are_averages_over_cells(network, images):
    found = transfer.stage_features(network, images, grid=2, batch_size=3)
    with torch.inference_mode():
        stages = network.forward_intermediates(images, intermediates_only=True)
    assert list(found) == [f"stage {i}" for i in range(1, len(stages) + 1)]
    first = stages[0].numpy()
    cells = first.reshape(8, first.shape[1], 2, first.shape[2] // 2, 2, first.shape[3] // 2).mean((3, 5))
    np.testing.assert_allclose(found["stage 1"], cells.reshape(8, -1), atol=1e-5)


@settings(deadline=None, max_examples=25)
@given(classes=st.integers(2, 5), seed=st.integers(0, 99), data=st.data())
def test_subsets_are_balanced_and_nested(classes, seed, data):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(classes), 6))
    few = data.draw(st.integers(1, 5))
    small, large = (set(transfer.labelled_subset(labels, n, seed).tolist()) for n in (few, few + 1))
    assert small < large
    assert (np.bincount(labels[list(small)]) == few).all()


def test_the_classifier_does_not_depend_on_units_of_the_features():
    rng = np.random.default_rng(3)
    labels = np.arange(90) % 3
    features = np.eye(3)[labels] + rng.standard_normal((90, 3))
    units, origin = np.array([1e-3, 1.0, 1e4]), np.array([5.0, 0.0, -2.0])
    plain = transfer.linear_probe(features[:60], labels[:60], features[60:])
    scaled = features * units + origin
    assert (plain == transfer.linear_probe(scaled[:60], labels[:60], scaled[60:])).all()
    assert (plain == labels[60:]).mean() > 0.5
    # A feature that is constant on the labelled images is left out, not divided by zero.
    constant = np.column_stack([features, np.r_[np.zeros(60), np.ones(30)]])
    assert (plain == transfer.linear_probe(constant[:60], labels[:60], constant[60:])).all()


@each("call, words", [
    (lambda n, x: transfer.body(n, "frozen", x), "unknown kind 'frozen'"),
    (lambda n, x: transfer.stage_features(torch.nn.Linear(2, 2), x), "Linear has no stages"),
    (lambda n, x: transfer.inputs(np.zeros((2, 4, 4)), 8), "images has dtype float64"),
    (lambda n, x: transfer.labelled_subset([0, 0, 1], 2), "class 1 has 1 images"),
    (lambda n, x: transfer.linear_probe([[1.0], [2.0]], [1, 1], [[1.0]]), "labels has one class"),
    (lambda n, x: transfer.linear_probe([[1.0], [np.nan]], [1, 0], [[1.0]]), "features is nan"),
])  # fmt: skip
def test_wrong_input_is_one_line(network, images, call, words):
    assert words in said(lambda: call(network, images))
