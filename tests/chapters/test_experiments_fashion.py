"""The runs on Fashion-MNIST: variants, design, tables, the extracted banks, runs and their summary, on tiny made-up images."""

import contextlib
import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused
from scipy.stats import ttest_rel

from keyfilters import ideal_filter
from keyfilters.networks.surgery.depthwise import find_depthwise
from keyfilters.networks.zoo.small import SmallConvNeXt
from keyfilters_book.chapters import learning_scales_parts as parts
from keyfilters_book.experiments import baselines, runs, scale_sweep, store, summary
from keyfilters_book.experiments import silhouettes as silhouettes_
from keyfilters_book.experiments.basis import COUNT, extracted_banks
from keyfilters_book.experiments.design import DESIGNS, EIGHT
from keyfilters_book.experiments.filter_banks import (
    covariance_of,
    derivative_basis,
    filter_widths,
    matched_random,
    two_components,
    unit_norm,
)
from keyfilters_book.experiments.settings import ANIMALS, FASHION, SETTINGS, SPLIT_SIZES, Setting
from keyfilters_book.experiments.variants import (
    ALL_VARIANTS,
    BANK,
    BANK_SIZE,
    COEFFICIENTS,
    LEARNED,
    SCALES,
    VARIANTS,
    give_filters,
    variant,
    variant_bank,
)
from keyfilters_book.figures.training import bank_rows, scale_ends, seed_dots, trajectories
from keyfilters_book.significance import holm
from keyfilters_build.experiments import __main__ as command
from keyfilters_build.experiments import campaign

RNG = np.random.default_rng(3)
EXTRACTED = {name: RNG.standard_normal((8, 7, 7)) for name in ("pca", "lines", "given")}
TINY = Setting("tiny", "tiny", 64, 2)
SMALL = replace(EIGHT, dims=(8, 8), depths=(1, 1))


def network(dims=(8, 16)):
    torch.manual_seed(0)
    return SmallConvNeXt(dims=dims, depths=(1, 1))


# --- variants and design -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL_VARIANTS)
def test_every_variant_gives_filters_of_its_norm_and_trains_what_it_says(name):
    row, scale = variant(name), 0.3
    changed = give_filters(network(), name, scale, extracted=EXTRACTED)
    layers = find_depthwise(changed)
    norms = np.concatenate([np.linalg.norm(d.filters, axis=(1, 2)) for d in layers])
    trained = {part.rpartition(".")[2] for part, _ in changed.named_parameters() if ".conv_dw." in part}
    expected = {
        LEARNED: {"weight", "bias"}, BANK: {"bias"}, SCALES: {"bias", "raw_x", "raw_y", "raw_gamma"}, COEFFICIENTS: {"bias", "coefficients"},
    }  # fmt: skip
    assert trained == expected[row.kind]
    if row.kind == LEARNED and not row.source or row.kind == COEFFICIENTS:
        # A draw, or a filter with something added: its root mean square over the channels is the scale.
        assert np.sqrt((norms**2).mean()) == pytest.approx(scale, rel=0.3)
    else:
        np.testing.assert_allclose(norms, scale, rtol=1e-5)
    if row.kind == BANK:
        kinds = np.unique(np.concatenate([d.filters for d in layers]).round(5), axis=0)
        assert len(kinds) == {"impulse": 1, "covariance": 24}.get(name, BANK_SIZE)
    assert changed(torch.zeros(1, 1, 28, 28)).shape == (1, 10)


@pytest.mark.parametrize("source", [v.source for v in ALL_VARIANTS.values() if v.kind == BANK])
def test_banks_have_norm_one(source):
    filters = variant_bank(source, seed=2, extracted=EXTRACTED)
    np.testing.assert_allclose((filters**2).sum((1, 2)), 1)


def test_filters_at_the_start_are_those_of_their_source():
    for name, frozen in (("learned-keys", "ideal-B"), ("learned-covariance", "covariance"), ("ideal-B-offset", "ideal-B")):
        one, other = (
            np.concatenate([d.filters for d in find_depthwise(give_filters(network(), n, 1.0, 3))]) for n in (name, frozen)
        )
        np.testing.assert_allclose(one, other, atol=1e-6)
    fixed, learned = (
        np.concatenate([d.filters for d in find_depthwise(give_filters(network(), f"two-components{n}", 1.0))])
        for n in ("", "-learned")
    )
    np.testing.assert_allclose(unit_norm(learned), fixed, atol=1e-6)


@given(st.integers(0, 2000))
@settings(max_examples=10, deadline=None)
def test_random_filters_have_the_widths_and_means_of_the_keys(seed):
    keys = variant_bank("B")
    drawn = matched_random(keys, seed)
    np.testing.assert_allclose(filter_widths(drawn), filter_widths(keys), atol=1e-6)
    # A narrow blob leaves noise no room: its mean is met to 60 % at worst, over all these seeds.
    np.testing.assert_allclose(drawn[:6].sum((1, 2)), keys[:6].sum((1, 2)), atol=1e-9)
    np.testing.assert_allclose(drawn[6:].sum((1, 2)), keys[6:].sum((1, 2)), rtol=0.61)
    assert np.abs((drawn * keys).sum((1, 2)))[:6].max() < 0.999
    refused(lambda: matched_random(variant_bank("impulse"), seed), "no random filter of width")


def test_the_covariance_in_closed_form_is_one_and_is_symmetric_under_turns():
    for variance in (0.5, 2.5):
        c = covariance_of(variance, 5)
        assert np.abs(c - c.T).max() < 1e-12 and np.linalg.eigvalsh(c).min() > -1e-10
        turned = np.rot90(np.arange(25).reshape(5, 5)).ravel()
        np.testing.assert_allclose(c[np.ix_(turned, turned)], c, atol=1e-10)
        assert c.diagonal().argmax() == 12


def test_two_components_come_nearer_to_the_learned_filters_than_one():
    f, basis, coefficients = two_components()
    whole = unit_norm(f + (coefficients[:, :, None, None] * basis).sum(1))
    target = unit_norm(variant_bank("learned"))
    one = np.abs((unit_norm(f - f.mean((1, 2), keepdims=True)) * target).sum((1, 2)))
    two = np.abs((unit_norm(whole - whole.mean((1, 2), keepdims=True)) * target).sum((1, 2)))
    assert (two >= one - 1e-6).all() and (two[:4] > one[:4] + 0.01).all()


def test_the_derivative_basis_holds_derivatives():
    basis = derivative_basis()
    assert len(basis) == 10 and np.linalg.matrix_rank(basis.reshape(10, -1)) == 10
    # Odd along x or y, as the order says: the basis is (0,0), (0,1), (1,0), ...
    np.testing.assert_allclose(basis[0], basis[0][::-1, ::-1], atol=1e-12)
    for first_order in basis[1:3]:
        np.testing.assert_allclose(first_order, -first_order[::-1, ::-1], atol=1e-12)


def test_random_banks_belong_to_a_seed():
    assert np.array_equal(variant_bank("random", seed=1), variant_bank("random", seed=1))
    assert not np.allclose(variant_bank("random", seed=1), variant_bank("random", seed=2))


@each(
    ("call", "message"),
    [
        (lambda: variant("frozen"), "unknown variant 'frozen'"),
        (lambda: variant_bank("pca"), "pca: its filters come from trained networks"),
        (lambda: variant_bank("given"), "given: hand them in as extracted="),
        (lambda: variant_bank("Z"), "'Z'"),
        (lambda: extracted_banks(np.ones((7, 3, 3))), "7 are not zero; expected at least 8"),
        (lambda: store.stored_table("networks"), "networks"),
        (lambda: scale_sweep.common_filters(-1.0), "sigma"),
        (lambda: holm([0.2, 1.2]), "expected a row of numbers between 0 and 1"),
    ],
)
def test_bad_input_is_one_line(call, message):
    refused(call, message)


def test_the_designs_hold_together():
    for design in DESIGNS.values():
        assert set(design.variants) <= set(ALL_VARIANTS) and set(design.main) <= set(design.variants)
        # What is searched or extracted with one seed is judged with others.
        assert not {*design.seeds, *design.more_seeds} & {*design.search_seeds, *design.basis_seeds}
        for setting in design.settings.values():
            assert setting.images <= SPLIT_SIZES[setting.data][0] and setting.data in design.searches
        for setting in design.settings.values():
            own = design.own_searches.get(setting.name, {})
            places = {name: design.searched(name, setting) for name in design.variants}
            assert all(len(set(g)) == len(g) for _, g in places.values())
            assert all({r for r, _ in g} == set(own.get(v, design.rates)) for v, (_, g) in places.items())
            # Equal numbers of trials, but for those that are searched once more; that is done with the images of the setting.
            assert len({len(g) for v, (_, g) in places.items() if v not in own}) == 1
            assert all(places[v][0] == replace(setting, name=f"search {setting.name}") for v in own)
    assert set(summary.RIVALS) | {summary.KEY_VARIANT} <= set(EIGHT.main)
    assert {len(EIGHT.seeds_of(v)) for v in EIGHT.main} == {10} and len(EIGHT.seeds_of("wide")) == 5


# --- tables --------------------------------------------------------------------------------------------------


def rows_of(count, seed=0):
    rng = np.random.default_rng(seed)
    names = list(itertools.islice(itertools.product(VARIANTS, ("small-short", "small-long"), range(3)), count))
    return [{"variant": v, "setting": s, "seed": k, "accuracy": float(rng.random())} for v, s, k in names]


@given(st.permutations(range(12)), st.integers(1, 12))
@settings(max_examples=15)
def test_a_table_does_not_remember_the_order_of_its_rows(tmp_path_factory, order, cut):
    rows, folder = rows_of(12), tmp_path_factory.mktemp("store")
    for name, sequence, at in (("a", range(12), 12), ("b", order, cut)):
        chosen = [rows[i] for i in sequence]
        for part in (chosen[:at], chosen[at:]):
            if part:
                store.add("runs", part, folder / name)
    assert (folder / "a" / "runs.csv").read_bytes() == (folder / "b" / "runs.csv").read_bytes()


def test_a_row_takes_the_place_of_the_one_with_its_identity(tmp_path):
    rows = rows_of(4)
    store.add("runs", rows, tmp_path)
    found = store.add("runs", [rows[2] | {"accuracy": 0.123456789012345}], tmp_path)
    assert len(found) == 4 and (found.accuracy == 0.123456789012345).sum() == 1
    # Written and read back to the last digit.
    pd.testing.assert_frame_equal(found, store.stored_table("runs", tmp_path))


def test_an_empty_store_has_the_columns_and_no_best_trial(tmp_path):
    for name, identity in store.TABLES.items():
        assert tuple(store.stored_table(name, tmp_path).columns) == identity
    assert store.best_trials(store.stored_table("search", tmp_path)) == {}


def test_the_best_trial_is_that_of_the_highest_mean():
    # The single best run is another than the best on average.
    rows = [
        ("v", "s", 0, 0.1, 1.0, 0.9),
        ("v", "s", 1, 0.1, 1.0, 0.1),
        ("v", "s", 0, 0.2, 1.0, 0.6),
        ("v", "s", 1, 0.2, 1.0, 0.6),
    ]
    table = pd.DataFrame(rows, columns=["variant", "setting", "seed", "rate", "scale", "accuracy"])
    assert store.best_trials(table) == {"v": (0.2, 1.0)}


# --- extracted banks -----------------------------------------------------------------------------------------


@given(st.integers(0, 1000), st.floats(0.0, 3.0))
@settings(max_examples=20, deadline=None)
def test_no_eight_axes_explain_more_than_the_components_and_no_line_more_than_the_axes(seed, decay):
    rng = np.random.default_rng(seed)
    filters = rng.standard_normal((60, 3, 5)) * np.exp(-decay * np.arange(15) / 5).reshape(3, 5)
    found = extracted_banks(filters, seed=seed)
    vectors = filters.reshape(60, -1)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    axes = found["pca"].reshape(COUNT, -1)
    np.testing.assert_allclose(axes @ axes.T, np.eye(COUNT), atol=1e-9)
    explained = ((vectors @ axes.T) ** 2).sum() / len(vectors)
    for basis in (rng.standard_normal((15, COUNT)), vectors[rng.permutation(60)[:COUNT]].T):
        other = np.linalg.qr(basis)[0]
        assert ((vectors @ other) ** 2).sum() / len(vectors) <= explained + 1e-12
    # One line for each filter, against the span of all eight axes.
    lines = found["lines"].reshape(COUNT, -1)
    best = ((vectors @ lines.T) ** 2).max(axis=1).mean()
    one = ((vectors @ axes.T) ** 2).max(axis=1).mean()
    assert best <= explained + 1e-12
    assert best >= 0.9 * one


def test_extraction_ignores_sign_and_size():
    filters = RNG.standard_normal((40, 3, 3))
    factors = RNG.choice([-3.0, 0.01, 1.0], size=(40, 1, 1))
    one, other = extracted_banks(filters), extracted_banks(filters * factors)
    np.testing.assert_allclose(one["pca"], other["pca"], atol=1e-10)
    overlap = np.abs(one["lines"].reshape(8, -1) @ other["lines"].reshape(8, -1).T).max(axis=1)
    np.testing.assert_allclose(overlap, 1, atol=1e-6)


# --- runs ----------------------------------------------------------------------------------------------------


def made_up():
    """Images of ten kinds that can be told apart: a bright bar in one of ten rows."""
    rng = np.random.default_rng(11)

    def some(count):
        labels = np.arange(count) % 10
        images = rng.integers(0, 60, (count, 28, 28), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[4 + 2 * label : 6 + 2 * label] = 220
        return images, labels

    return {"train": some(128), "validation": some(40), "test": some(50)}


@pytest.fixture
def tiny(monkeypatch):
    pairs = made_up()
    monkeypatch.setattr(runs, "split_images", lambda data=None: pairs)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", ["learned", "scales-own-rate", "random", "derivatives"])
def test_two_runs_are_identical(tiny, name):
    one, two = (runs.run(SMALL, name, TINY, 0, 0.01, 0.5) for _ in range(2))
    strip = {"seconds"}
    assert {k: v for k, v in one.row.items() if k not in strip} == {k: v for k, v in two.row.items() if k not in strip}
    assert all(
        torch.equal(a, b) for a, b in zip(one.network.state_dict().values(), two.network.state_dict().values(), strict=True)
    )
    assert one.row["n"] == 50 and one.row["judged_on"] == "test" and 0 <= one.row["accuracy"] <= 1
    assert (one.explained is None) == (name != "learned")
    if name == "scales-own-rate":
        assert one.scales == two.scales
        epochs = [row["epoch"] for row in one.scales]
        assert sorted(set(epochs)) == [0, 1, 2] and len(one.scales) == 3 * 16
    else:
        assert one.scales is None


def test_seeds_and_judges_differ(tiny):
    one = runs.run(SMALL, "learned", TINY, 0, 0.01, 0.5)
    other = runs.run(SMALL, "learned", TINY, 1, 0.01, 0.5, judge="validation")
    assert one.row["train_loss"] != other.row["train_loss"]
    assert other.row["n"] == 40 and other.row["judged_on"] == "validation"


def test_variants_of_a_seed_share_all_weights_but_the_filters(tiny):
    nets = {}
    for name in ("learned", "ideal-B"):
        runs.seed_start(4)
        nets[name] = give_filters(SmallConvNeXt(dims=(8, 8), depths=(1, 1)), name, 1.0).state_dict()
    common = [k for k in nets["learned"] if ".conv_dw." not in k]
    assert len(common) > 20
    assert all(torch.equal(nets["learned"][k], nets["ideal-B"][k]) for k in common)


def test_a_run_learns(tiny, monkeypatch):
    rng = np.random.default_rng(5)

    def stripes(count):
        labels = np.arange(count) % 2
        rows = np.where(np.arange(28) % 4 < 2, 200, 0)[:, None] * np.ones(28)
        images = np.stack([rows if label else rows.T for label in labels]) + rng.integers(0, 55, (count, 28, 28))
        return images.astype(np.uint8), labels

    data = {"train": stripes(128), "test": stripes(50)}
    monkeypatch.setattr(runs, "split_images", lambda name: data)
    done = runs.run(SMALL, "ideal-B", replace(TINY, images=128, epochs=10), 0, 0.02, 1.0)
    assert done.row["accuracy"] > 0.9 and done.row["loss"] < done.history[0]["train_loss"] / 2


def test_prepared_images_are_normalised_as_in_training(tiny):
    x, y = runs.prepared("train", 64, TINY)
    assert x.shape == (64, 1, 28, 28) and y.tolist() == [i % 10 for i in range(64)]
    assert abs(float(x.mean())) < 1e-4 and float(x.std()) == pytest.approx(1, abs=1e-3)
    assert len(runs.prepared("test", 7, TINY)[0]) == 7


def test_what_the_keys_explain_is_kept_epoch_by_epoch(tiny):
    done = runs.run(SMALL, "learned-keys", TINY, 0, 0.02, 1.0)
    assert [row["epoch"] for row in done.explained] == [0, 1, 2]
    # At the start the filters are the keys.
    assert done.explained[0]["keys"] == pytest.approx(1, abs=1e-6) and done.explained[2]["keys"] < 1


def test_scales_move_more_with_a_rate_of_their_own(tiny, monkeypatch):
    def moved(name):
        frame = pd.DataFrame(runs.run(SMALL, name, TINY, 0, 0.005, 1.0).scales)
        first, last = (frame[frame.epoch == e][["sigma_x", "sigma_y"]].to_numpy() for e in (0, 2))
        return np.abs(last - first).mean()

    assert moved("scales-own-rate") > 3 * moved("scales")


def test_the_sweep_freezes_the_filters_of_one_scale(tiny):
    found = scale_sweep.sweep_scales(SMALL, [0.0, 1.0], [0, 1], 0.01, setting=replace(TINY, epochs=1))
    assert found[["sigma", "seed"]].to_numpy().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert found.accuracy.between(0, 1).all() and found.loss.nunique() == 4
    filters = scale_sweep.common_filters(0.9)
    np.testing.assert_allclose(filters[4], ideal_filter(5, 0.9))
    centre = scale_sweep.common_filters(0.0)
    assert np.count_nonzero(centre[7]) == 1 and all(np.count_nonzero(centre[k]) == 2 for k in range(6))


def test_filters_are_made_wide_along_one_axis_and_sharpened():
    filters = scale_sweep.common_filters(0.5, sigma_y=2.0, gamma=3.0)
    np.testing.assert_allclose(filters[3], ideal_filter(4, 0.5, 2.0))
    np.testing.assert_allclose(filters[6], ideal_filter(7, 0.5, 2.0, gamma=3.0))


def test_the_sweep_of_filters_is_that_of_scales(tiny):
    options = {"seeds": [0], "rate": 0.01, "setting": replace(TINY, epochs=1)}
    by_scale = scale_sweep.sweep_scales(SMALL, [1.0], **options)
    by_bank = scale_sweep.sweep_filters(SMALL, {"one": scale_sweep.common_filters(1.0)}, **options)
    assert by_bank.bank.tolist() == ["one"] and by_bank.loss.tolist() == by_scale.loss.tolist()


def test_what_a_wider_axis_changes_is_paired_by_seeds():
    effect = {(1, 1): 0.0, (4, 1): 5.0, (1, 4): 1.0, (4, 4): 7.0, 2.0: -3.0}
    rows = [(label, seed, 0.5 + (gain + seed) / 100) for label, gain in effect.items() for seed in (0, 1, 2)]
    table = parts.factor_table(pd.DataFrame(rows, columns=["bank", "seed", "accuracy"]), 1, 4, [2.0])
    assert table.points.tolist() == pytest.approx([5.5, 1.5, 4, -3]) and table.seeds.tolist() == [3] * 4
    assert np.allclose(table.low, table.points) and set(parts.factor_banks(1, 4, [2.0])) == set(effect)


# --- the campaign --------------------------------------------------------------------------------------------


class Inline:
    """A pool that runs at once, in this process."""

    def __init__(self):
        self.tasks = []

    def submit(self, function, task):
        from concurrent.futures import Future

        self.tasks.append(task)
        future = Future()
        future.set_result(pretended(task))
        return future


def pretended(task):
    rng = np.random.default_rng(
        abs(hash((task["variant"], task["setting"]["name"], task["seed"], task["rate"], task["scale"]))) % 2**32
    )
    row = {k: task[k] for k in ("variant", "seed", "rate", "scale")} | {
        "setting": task["setting"]["name"], "judged_on": task["judge"], "accuracy": float(rng.random()), "n": 10, "loss": 1.0,
        "train_loss": 1.0, "seconds": 0.1,
    }  # fmt: skip
    if task["judge"] == "baseline":
        return {
            "row": {
                "method": task["variant"],
                "data": task["setting"]["data"],
                "images": task["setting"]["images"],
                "accuracy": 0.8,
                "seconds": 0.1,
            }
        }
    learned = variant(task["variant"]).kind == LEARNED
    scales = None
    if variant(task["variant"]).kind == SCALES:
        scales = [
            {"epoch": e, "layer": "l", "channel": c, "key": c % 8 + 1, "sigma_x": 0.5 + e, "sigma_y": 0.6, "gamma": 0.1}
            for e in (0, 1) for c in range(16)
        ]  # fmt: skip
    return {
        "row": row,
        "scales": scales,
        "filters": rng.standard_normal((12, 7, 7)) if learned else None,
        "explained": [{"epoch": e, "keys": 0.1} for e in (0, 1)] if learned else None,
        "layers": ["a"] * 12,
    }


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "FOLDER", tmp_path / store.FOLDER.name)
    return tmp_path / EIGHT.name


def whole_campaign(names, settings_, design=EIGHT):
    pool = Inline()
    options = SimpleNamespace(compiled=False, device="cpu", amp="no")
    with contextlib.redirect_stdout(None):
        campaign.Campaign(options, pool, design).whole(names, settings_)
    return pool.tasks


def test_a_campaign_goes_on_where_it_stopped(folder):
    names = ("learned", "ideal-B", "pca-8", "scales-own-rate")
    first = whole_campaign(names, ("small", "animals"))
    trials = len(EIGHT.rates) * len(names) * 2
    made = 2 * sum(len(EIGHT.seeds_of(v)) for v in names)
    assert len(first) == trials + len(EIGHT.basis_seeds) + made + 4
    # Nothing of the search or for the banks sees the test images.
    assert [t["judge"] for t in first].count("test") == made and [t["judge"] for t in first].count("baseline") == 4
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(before) == {f"{name}.csv" for name in store.TABLES}
    assert whole_campaign(names, ("small", "animals")) == []
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    # What is lost is made again, and nothing else.
    kept = store.stored_table("runs", folder)
    kept[~((kept.variant == "ideal-B") & (kept.seed == 3) & (kept.setting == "animals"))].to_csv(
        folder / "runs.csv", index=False
    )
    (again,) = whole_campaign(names, ("small", "animals"))
    assert (again["variant"], again["seed"], again["setting"]["name"]) == ("ideal-B", 3, "animals")
    # Each data set has its own search.
    search = store.stored_table("search", folder)
    assert (again["rate"], again["scale"]) == store.best_trials(search[search.setting == f"search {ANIMALS}"])["ideal-B"]


def test_what_a_campaign_stores(folder):
    whole_campaign(("learned", "scales-own-rate", "pca-8"), ("small",))
    rows = store.stored_table("runs", folder)
    assert set(store.PROVENANCE) <= set(rows.columns) and not rows.isna().any().any()
    banks = store.banks_of(store.stored_table("banks", folder))
    assert {name: f.shape for name, f in banks.items()} == {"pca": (8, 7, 7), "lines": (8, 7, 7)}
    filters = store.stored_table("filters", folder)
    assert set(filters.seed) == set(EIGHT.filter_seeds) and len(filters) == 12 * len(EIGHT.filter_seeds)
    assert summary.filters_of(filters[filters.seed == 0])["a"].shape == (12, 7, 7)
    ends, paths = store.stored_table("scales", folder), store.stored_table("trajectories", folder)
    assert (ends.sigma_x == 1.5).all() and len(ends) == 16 * len(EIGHT.seeds)
    assert len(paths) == 2 * 8 * len(EIGHT.seeds)
    assert len(store.stored_table("explained", folder)) == 2 * len(EIGHT.seeds_of("learned"))


def test_filters_that_are_missing_come_from_the_run_made_again(folder):
    whole_campaign(("learned", "ideal-B"), ("small",))
    whole = (folder / "filters.csv").read_bytes()
    rows = store.stored_table("filters", folder)
    rows[rows.seed == 0].to_csv(folder / "filters.csv", index=False)
    again = whole_campaign(("learned", "ideal-B"), ("small",))
    assert [(t["variant"], t["seed"]) for t in again] == [("learned", 1), ("learned", 2)]
    assert (folder / "filters.csv").read_bytes() == whole
    # Where the run does not come out as stored its filters are those of another network.
    rows[rows.seed != 1].to_csv(folder / "filters.csv", index=False)
    runs_ = store.stored_table("runs", folder)
    runs_.loc[(runs_.variant == "learned") & (runs_.seed == 1), "accuracy"] += 0.01
    runs_.to_csv(folder / "runs.csv", index=False)
    kept = (folder / "runs.csv").read_bytes()
    assert len(whole_campaign(("learned",), ("small",))) == 1
    assert set(store.stored_table("filters", folder).seed) == {0, 2} and (folder / "runs.csv").read_bytes() == kept


def test_stored_runs_made_again_are_compared_to_the_last_digit(folder):
    names, seeds = ("learned", "ideal-B"), (0, 1)
    whole_campaign(names, ("small",))
    options = SimpleNamespace(compiled=False, device="cpu", amp="no")

    def check():
        with contextlib.redirect_stdout(None):
            return campaign.Campaign(options, Inline(), EIGHT).check(names, seeds, "small")

    assert check() == []
    rows = store.stored_table("runs", folder)
    changed = (rows.variant == "ideal-B") & (rows.seed == 1)
    rows.loc[changed, "accuracy"] += 1e-15
    rows.to_csv(folder / "runs.csv", index=False)
    (words,) = check()
    assert words.startswith("ideal-B, seed 1: accuracy")
    rows.loc[changed, "device"] = "another"
    rows.to_csv(folder / "runs.csv", index=False)
    refused(check, "the stored runs have another: expected the same")


def test_a_gpu_is_left_to_what_accelerate_finds():
    config = [runs.config_of(EIGHT, SETTINGS["small"], 0, 1e-3, device=device) for device in ("cpu", "cuda", None)]
    assert [one.device for one in config] == ["cpu", None, None]


@pytest.mark.parametrize(
    "words",
    [
        ["--settings", "huge"],
        ["--variants", "none"],
        ["--campaign", "fashion_mnist", "--settings", "small"],
        ["--jobs", "0"],
        ["--device", "gpu"],
    ],
)
def test_the_command_refuses_in_one_line(words, capsys):
    assert command.main(words) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and not captured.out


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_trained(monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert command.main(["--device", "cuda", "--jobs", "4"]) == 2
    captured = capsys.readouterr()
    assert (
        captured.err == "keyfilters_build.experiments: device is 'cuda': this machine has none; use cpu\n" and not captured.out
    )


# --- summary -------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1), min_size=1, max_size=15))
def test_holm_lies_between_the_raw_p_and_bonferroni(p):
    corrected, raw = holm(p), np.array(p)
    assert (corrected >= raw).all() and (corrected <= np.minimum(1, len(p) * raw) + 1e-15).all()
    order = np.argsort(raw, kind="stable")
    assert (np.diff(corrected[order]) >= 0).all()
    # Step by step: as many rejections as the procedure in words makes.
    rejected = 0
    while rejected < len(p) and raw[order][rejected] * (len(p) - rejected) <= 0.05:
        rejected += 1
    assert (corrected <= 0.05).sum() == rejected


def table_of(values):
    return pd.DataFrame(
        [
            {"setting": s, "variant": v, "seed": k, "accuracy": a, "seconds": 36.0}
            for (s, v), seeds in values.items()
            for k, a in seeds.items()
        ]
    )


def test_differences_are_paired_by_seed():
    learned, other = [0.80, 0.82, 0.81, 0.85], [0.79, 0.80, 0.81, 0.82]
    rows = table_of(
        {
            ("a", "learned"): dict(enumerate(learned)),
            ("a", "x"): {k: other[k] for k in (3, 1, 0, 2)},
            ("a", "y"): {0: 0.5},  # one pair only: left out
            ("b", "x"): {0: 0.1, 1: 0.2},  # no reference
        }
    )
    found = summary.differences(rows)
    (row,) = found.itertuples()
    assert (row.setting, row.variant, row.n) == ("a", "x", 4)
    assert row.mean == pytest.approx(np.mean(learned) - np.mean(other))
    assert row.p_t == pytest.approx(ttest_rel(learned, other).pvalue) == row.p_holm
    assert row.low < row.mean < row.high and row.smallest_p == 2 / 2**4
    assert summary.differences(rows[rows.variant == "y"]).empty


def test_accuracies_and_coverage_say_what_is_missing():
    design = replace(
        EIGHT,
        settings={s: SETTINGS[s] for s in ("small", "long")},
        variants=("learned", "ideal-B", "wide"),
        main=("learned", "ideal-B"),
    )
    rows = table_of({("small", "learned"): dict.fromkeys(range(10), 0.7) | {1: 0.8}, ("small", "ideal-B"): {0: 0.6}})
    means = summary.accuracy_table(rows).set_index("variant")
    assert means.loc["learned", "mean"] == pytest.approx(0.71) and means.loc["learned", "n"] == 10
    assert np.isnan(means.loc["ideal-B", "sd"]) and means.loc["ideal-B", "mean"] == 0.6
    covered = summary.design_coverage(rows, design)
    assert covered.state.tolist() == ["in part", "not run"] and covered.seeds.tolist() == [1, 0]
    assert covered.of_main.tolist() == [20, 20] and covered.of_other.tolist() == [5, 5]
    assert covered.hours[0] == pytest.approx(0.11)
    for seeds, state in ((5, "interim"), (10, "main comparisons complete")):
        more = pd.concat([rows, table_of({("small", "ideal-B"): dict.fromkeys(range(1, seeds), 0.6)})])
        assert summary.design_coverage(more, design).state[0] == state
    whole = pd.concat([more, table_of({("small", "wide"): dict.fromkeys(range(5), 0.6)})])
    assert summary.design_coverage(whole, design).state[0] == "complete"


@given(st.floats(-0.05, 0.05), st.floats(0, 1), st.floats(0, 1))
def test_a_reading_needs_a_p_value_below_the_level(mean, p, p_equal):
    words = summary.reading(mean, p, p_equal)
    assert words.startswith(("ahead", "behind")) == (p < 0.05) and ("margin" in words) == (p_equal < 0.05)
    assert (words == "undecided") == (p >= 0.05 and p_equal >= 0.05)


@given(st.lists(st.floats(-0.03, 0.03), min_size=4, max_size=10), st.floats(0.002, 0.02))
def test_equivalence_is_the_larger_of_two_one_sided_tests(d, margin):
    from scipy.stats import ttest_1samp

    d = np.round(d, 4)
    if d.std() == 0:
        return
    p = summary.equivalence(0.8 + d, np.full(len(d), 0.8), margin)
    sides = [ttest_1samp(d, -margin, alternative="greater").pvalue, ttest_1samp(d, margin, alternative="less").pvalue]
    assert p == pytest.approx(max(sides), rel=1e-6)
    # Equal with 5 % error: the interval of 90 % lies within the margin.
    low, high = ttest_1samp(d, 0).confidence_interval(0.9)
    assert (p < 0.05) == (-margin < low and high < margin) or abs(p - 0.05) < 1e-6


def campaign_tables(seeds, lead=0.0):
    rng = np.random.default_rng(1)
    values = {
        (s, v): {k: 0.8 + (lead if v == "ideal-B" else 0) + 0.001 * rng.standard_normal() for k in range(seeds)}
        for s in ("small", "short") for v in EIGHT.main
    }  # fmt: skip
    names = [("learned", 0.81), ("learned-small", 0.82)]
    search = [
        {"variant": v, "setting": f"search {FASHION}", "seed": 100, "rate": r, "scale": 1.0, "accuracy": a - (r - 0.01) ** 2}
        for v, a in names for r in EIGHT.rates
    ]  # fmt: skip
    return table_of(values), pd.DataFrame(search)


def test_comparisons_are_one_family_over_the_page():
    runs_, search = campaign_tables(10, lead=0.05)
    found = summary.comparisons(runs_, search, EIGHT)
    assert list(found.rival) == list(summary.RIVALS) * 2 and set(found.n) == {10}
    # "Learned" is the one that did better on the validation images.
    assert set(found[found.rival == "learned"].variant) == {"learned-small"}
    assert set(found.reading) == {"ahead"} and set(found[found.setting == "short"].margin) == {0.005}
    wide = runs_[runs_.setting == "small"].pivot(index="seed", columns="variant", values="accuracy")
    raw = [ttest_rel(wide["ideal-B"], wide[v]).pvalue for v in found.variant[:6]]
    assert (found.p[:6] >= np.array(raw) * 5).any()
    equal = summary.comparisons(*campaign_tables(10), EIGHT)
    assert set(equal.reading) <= {
        "equal within the margin",
        "ahead, by less than the margin",
        "behind, by less than the margin",
    }


def test_a_setting_with_too_few_seeds_is_not_compared():
    runs_, search = campaign_tables(4)
    assert summary.comparisons(runs_, search, EIGHT).empty
    runs_, search = campaign_tables(5)
    found = summary.comparisons(runs_, search, EIGHT)
    # Shown, but nothing is decided before all seeds are there.
    assert len(found) == 12 and set(found.reading) == {"undecided until there are 10 seeds"}
    # One variant short of a seed: the seed does not count.
    cut = runs_[~((runs_.variant == "random") & (runs_.seed == 2) & (runs_.setting == "short"))]
    assert set(summary.comparisons(cut, search, EIGHT).setting) == {"small"}
    refused(lambda: summary.comparisons(runs_, search[:-1], EIGHT), "trials of learned-small")


def test_width_of_known_filters():
    impulse, square = np.zeros((1, 7, 7)), np.ones((1, 3, 3))
    impulse[0, 2, 5] = -2.0
    assert filter_widths(impulse)[0] == 0
    np.testing.assert_allclose(filter_widths(np.concatenate([square, 5 * square])), np.sqrt(4 / 3))


# --- the silhouettes, and linear classifiers -------------------------------------------------------------------


def test_a_pickle_is_read_without_being_run(tmp_path):
    import pickle

    class Bomb:
        def __reduce__(self):
            return (tmp_path.joinpath("burst").touch, ())

    content = pickle.dumps([np.arange(5, dtype=np.uint8), Bomb()])
    assert silhouettes_.bytes_of(content) == bytes(range(5)) and not (tmp_path / "burst").exists()
    for bad, message in ((b"not a pickle", "no pickle"), (pickle.dumps(3), "without a byte string")):
        refused(lambda bad=bad: silhouettes_.bytes_of(bad), message)


def test_silhouettes_come_from_a_wheel_with_the_right_hash(tmp_path, monkeypatch):
    import gzip
    import hashlib
    import pickle
    import zipfile

    arrays = {"images": np.arange(40, dtype=np.uint8).reshape(10, 2, 2), "labels": np.arange(10, dtype=np.int64)}
    wheel, files = tmp_path / "a.whl", {}
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, row in silhouettes_._FILES.items():
            archive.writestr(silhouettes_.PLACE + row.file, gzip.compress(pickle.dumps(arrays[name])))
            files[name] = replace(row, shape=arrays[name].shape, sha256=hashlib.sha256(arrays[name].tobytes()).hexdigest())
    refused(lambda: silhouettes_.silhouettes(wheel), "is not that of animal-shape-mnist")
    monkeypatch.setattr(silhouettes_, "_FILES", files)
    images, labels = silhouettes_.silhouettes(wheel)
    assert np.array_equal(images, arrays["images"]) and labels.tolist() == list(range(10))
    for place in (tmp_path, tmp_path / "none"):
        refused(lambda place=place: silhouettes_.silhouettes(place), "does not hold animal_data")


def test_linear_classifiers_tell_bars_apart(monkeypatch):
    pairs = made_up()
    monkeypatch.setattr(baselines, "split_images", lambda data: pairs)
    for method in ("ridge", "logistic"):
        row = baselines.linear_baseline(method, TINY)
        assert row["accuracy"] > 0.95 and row["penalty"] in baselines.CLASSIFIER_PENALTIES and row["n"] == 50
        assert (row["method"], row["data"], row["images"]) == (method, FASHION, 64)


# --- figures -------------------------------------------------------------------------------------------------


def test_dots_say_what_was_not_run():
    fig = seed_dots(
        {"one": {"a": ([1.0, 2.0], (1.5, 1.0, 2.0)), "far": ([9.0], None)}, "two": {}},
        ["a", "b", "far"], xlabel="x", zero=True, span={"one": (-1, 1)}, outliers=("far",),
    )  # fmt: skip
    texts = [[t.get_text() for t in ax.texts] for ax in fig.axes]
    assert texts == [["not run", "off the axis: 9.0"], ["not run"]]
    dots = fig.axes[0].lines[0]
    assert dots.get_xdata().tolist() == [1.0, 2.0] and set(dots.get_ydata()) == {2}
    refused(lambda: seed_dots({"one": {"c": ([1.0], None)}}, ["a", "b"], xlabel="x"), "has the row 'c': expected a, b")
    refused(lambda: seed_dots({}, ["a"], xlabel="x"), "panels is empty")


def test_trajectories_show_mean_and_range():
    fig = trajectories({"key 1": {"x": ([0, 1], [[1.0, 2.0], [3.0, 6.0]]), "y": ([0, 1], [1.0, 1.0])}}, ylabel="scale")
    line = fig.axes[0].lines[0]
    assert line.get_ydata().tolist() == [2.0, 4.0]
    band = fig.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (1.0, 6.0)
    for panels, message in (({"k": {}}, "no curve"), ({"k": {"x": ([0, 1], [1.0])}}, "expected \\(2,\\)")):
        refused(lambda panels=panels: trajectories(panels), message)


def test_ends_and_banks_are_drawn_where_they_are():
    fig = scale_ends({"key 1": [[0.5, 0.7], [1.0, 0.2]]}, {"key 1": {"start": (0.6, 2.0)}})
    points, mark = fig.axes[0].lines[:2]
    assert points.get_xydata().tolist() == [[0.5, 0.7], [1.0, 0.2]] and mark.get_xydata().tolist() == [[0.6, 2.0]]
    assert fig.axes[0].get_ylim()[1] > 2.0
    refused(lambda: scale_ends({"key 1": [1.0, 2.0]}, {}), "expected \\(m, 2\\)")
    fig = bank_rows({"eight": np.ones((8, 3, 3)), "one": np.ones((1, 3, 3))})
    drawn = [len(ax.images) for ax in fig.axes]
    assert drawn == [1] * 9 + [0] * 7
