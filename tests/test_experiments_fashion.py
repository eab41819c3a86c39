"""The runs on Fashion-MNIST: variants, design, tables, the extracted banks, runs and their summary, on tiny made-up images."""

import contextlib
import itertools
from dataclasses import replace
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from keyfilters import ideal_filter
from keyfilters.figures.training import bank_rows, interval_dots, scale_ends, trajectories
from keyfilters.networks.surgery.depthwise import find_depthwise
from keyfilters.networks.experiments import __main__ as command
from keyfilters.networks.experiments import campaign, runs, scale_sweep, store, summary
from keyfilters.networks.experiments.basis import COUNT, extracted_banks
from keyfilters.networks.experiments.design import DESIGNS, FULL, SETTINGS, VALIDATION, Setting
from keyfilters.networks.experiments.variants import (
    ALL_VARIANTS,
    BANK,
    BANK_SIZE,
    LEARNED,
    SCALE_VARIANTS,
    SCALES,
    VARIANTS,
    bank,
    give_filters,
    variant,
)
from keyfilters.statistics import holm
from keyfilters.networks.zoo.small import SmallConvNeXt

RNG = np.random.default_rng(3)
EXTRACTED = {name: RNG.standard_normal((8, 7, 7)) for name in ("pca", "lines", "given")}
TINY = Setting("tiny", "tiny", 64, 2)
SMALL = replace(FULL, dims=(8, 8), depths=(1, 1))


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
    if row.kind == LEARNED:
        # A draw: its root mean square over the channels is the scale.
        assert np.sqrt((norms**2).mean()) == pytest.approx(scale, rel=0.15)
        assert trained == {"weight", "bias"}
    else:
        np.testing.assert_allclose(norms, scale, rtol=1e-5)
        assert trained == ({"bias", "raw_x", "raw_y", "raw_gamma"} if row.kind == SCALES else {"bias"})
        kinds = np.unique(np.concatenate([d.filters for d in layers]).round(5), axis=0)
        assert len(kinds) == (1 if name == "impulse" else BANK_SIZE)
    assert changed(torch.zeros(1, 1, 28, 28)).shape == (1, 10)


@pytest.mark.parametrize("source", [v.source for v in ALL_VARIANTS.values() if v.kind == BANK])
def test_banks_have_norm_one(source):
    filters = bank(source, seed=2, extracted=EXTRACTED)
    np.testing.assert_allclose((filters**2).sum((1, 2)), 1)


def test_random_banks_belong_to_a_seed():
    assert np.array_equal(bank("random", seed=1), bank("random", seed=1))
    assert not np.allclose(bank("random", seed=1), bank("random", seed=2))


@each(
    ("call", "message"),
    [
        (lambda: variant("frozen"), "unknown variant 'frozen'"),
        (lambda: bank("pca"), "pca: its filters come from trained networks"),
        (lambda: bank("given"), "given: hand them in as extracted="),
        (lambda: bank("Z"), "'Z'"),
        (lambda: extracted_banks(np.ones((7, 3, 3))), "7 are not zero; expected at least 8"),
        (lambda: store.table("networks"), "networks"),
        (lambda: scale_sweep.common_filters(-1.0), "sigma"),
        (lambda: holm([0.2, 1.2]), "expected a row of numbers between 0 and 1"),
    ],
)
def test_bad_input_is_one_line(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


def test_the_designs_hold_together():
    for design in DESIGNS.values():
        assert set(design.variants) <= set(VARIANTS) | set(SCALE_VARIANTS)
        assert set(design.settings) <= set(SETTINGS)
        # What is searched or extracted with one seed is judged with others.
        assert not set(design.seeds) & {*design.search_seeds, *design.basis_seeds}
        assert max(SETTINGS[s].images for s in design.settings) <= 60000 - VALIDATION
        for name in design.variants:
            grid = design.grid(name)
            assert len(set(grid)) == len(grid) and {rate for rate, _ in grid} == set(design.rates)
            assert {scale for _, scale in grid} == (set(design.scales[-1:]) if variant(name).kind == BANK else set(design.scales))
    assert len(FULL.seeds) >= 5 and len(DESIGNS["quick"].seeds) >= 2
    assert set(DESIGNS["quick"].seeds) <= set(FULL.seeds)


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
    pd.testing.assert_frame_equal(found, store.table("runs", tmp_path))


def test_an_empty_store_has_the_columns_and_no_best_trial(tmp_path):
    for name, identity in store.TABLES.items():
        assert tuple(store.table(name, tmp_path).columns) == identity
    assert store.best_trials(store.table("search", tmp_path)) == {}


def test_the_best_trial_is_that_of_the_highest_mean():
    # The single best run is another than the best on average.
    rows = [("v", "s", 0, 0.1, 1.0, 0.9), ("v", "s", 1, 0.1, 1.0, 0.1), ("v", "s", 0, 0.2, 1.0, 0.6), ("v", "s", 1, 0.2, 1.0, 0.6)]
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
    monkeypatch.setattr(runs, "split_images", lambda data=made_up(): data)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", ["learned", "scales", "random"])
def test_two_runs_are_identical(tiny, name):
    one, two = (runs.run(SMALL, name, TINY, 0, 0.01, 0.5) for _ in range(2))
    strip = {"seconds"}
    assert {k: v for k, v in one.row.items() if k not in strip} == {k: v for k, v in two.row.items() if k not in strip}
    assert all(torch.equal(a, b) for a, b in zip(one.network.state_dict().values(), two.network.state_dict().values(), strict=True))
    assert one.row["n"] == 50 and one.row["judged_on"] == "test" and 0 <= one.row["accuracy"] <= 1
    if name == "scales":
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
    monkeypatch.setattr(runs, "split_images", lambda: data)
    done = runs.run(SMALL, "ideal-B", replace(TINY, images=128, epochs=10), 0, 0.02, 1.0)
    assert done.row["accuracy"] > 0.9 and done.row["loss"] < done.history[0]["train_loss"] / 2


def test_prepared_images_are_normalised_as_in_training(tiny):
    x, y = runs.prepared("train", 64, TINY)
    assert x.shape == (64, 1, 28, 28) and y.tolist() == [i % 10 for i in range(64)]
    assert abs(float(x.mean())) < 1e-4 and float(x.std()) == pytest.approx(1, abs=1e-3)
    assert len(runs.prepared("test", 7, TINY)[0]) == 7


def test_learned_networks_for_the_banks_are_judged_without_the_test_images(tiny):
    design = replace(SMALL, basis_setting=replace(TINY, epochs=1), basis_seeds=(7, 8))
    outcomes = runs.learned_networks(design, 0.01, 0.14)
    assert [o.row["seed"] for o in outcomes] == [7, 8] and {o.row["judged_on"] for o in outcomes} == {"validation"}
    assert runs.learned_filters_of(outcomes).shape == (2 * 16, 7, 7)


def test_the_sweep_freezes_the_filters_of_one_scale(tiny):
    found = scale_sweep.sweep(SMALL, [0.0, 1.0], [0, 1], 0.01, setting=replace(TINY, epochs=1))
    assert found[["sigma", "seed"]].to_numpy().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert found.accuracy.between(0, 1).all() and found.loss.nunique() == 4
    filters = scale_sweep.common_filters(0.9)
    np.testing.assert_allclose(filters[4], ideal_filter(5, 0.9))
    centre = scale_sweep.common_filters(0.0)
    assert np.count_nonzero(centre[7]) == 1 and all(np.count_nonzero(centre[k]) == 2 for k in range(6))


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
    rng = np.random.default_rng(abs(hash((task["variant"], task["setting"]["name"], task["seed"], task["rate"], task["scale"]))) % 2**32)
    row = {k: task[k] for k in ("variant", "seed", "rate", "scale")} | {
        "setting": task["setting"]["name"], "judged_on": task["judge"], "accuracy": float(rng.random()), "n": 10, "loss": 1.0,
        "train_loss": 1.0, "seconds": 0.1,
    }  # fmt: skip
    learned = task["variant"] == "learned"
    scales = None
    if variant(task["variant"]).kind == SCALES:
        scales = [
            {"epoch": e, "layer": "l", "channel": c, "key": c % 8 + 1, "sigma_x": 0.5 + e, "sigma_y": 0.6, "gamma": 0.1}
            for e in (0, 1) for c in range(16)
        ]  # fmt: skip
    return {"row": row, "scales": scales, "filters": rng.standard_normal((12, 7, 7)) if learned else None, "layers": ["a"] * 12}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "FOLDER", tmp_path / "tables")
    return tmp_path / "tables"


def whole_campaign(names, settings_):
    pool = Inline()
    options = SimpleNamespace(compiled=False, device="cpu", amp="no")
    with contextlib.redirect_stdout(None):
        made = campaign.Campaign(options, pool)
        made.banks(made.search(["learned"]))
        made.runs(names, settings_, made.search(names))
    return pool.tasks


def test_a_campaign_goes_on_where_it_stopped(folder):
    names = ("learned", "ideal-B", "pca-8", "scales")
    first = whole_campaign(names, ("small-short",))
    grid = sum(len(FULL.grid(v)) for v in names) * len(FULL.search_seeds)
    assert len(first) == grid + len(FULL.basis_seeds) + len(names) * len(FULL.seeds)
    # Nothing of the search or for the banks sees the test images.
    assert [t["judge"] for t in first].count("test") == len(names) * len(FULL.seeds)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(before) == {f"{name}.csv" for name in store.TABLES}
    assert whole_campaign(names, ("small-short",)) == []
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    # What is lost is made again, and nothing else.
    kept = store.table("runs")
    kept[~((kept.variant == "ideal-B") & (kept.seed == 3))].to_csv(folder / "runs.csv", index=False)
    again = whole_campaign(names, ("small-short",))
    assert [(t["variant"], t["seed"]) for t in again] == [("ideal-B", 3)]
    best = store.best_trials(store.table("search"))
    assert (again[0]["rate"], again[0]["scale"]) == best["ideal-B"]


def test_what_a_campaign_stores(folder):
    whole_campaign(("learned", "scales"), ("small-short",))
    rows = store.table("runs")
    assert set(store.PROVENANCE) <= set(rows.columns) and not rows.isna().any().any()
    banks = campaign.banks_of(store.table("banks"))
    assert {name: f.shape for name, f in banks.items()} == {"pca": (8, 7, 7), "lines": (8, 7, 7)}
    filters = store.table("filters")
    assert set(filters.seed) == {FULL.seeds[0]} and len(filters) == 12
    assert summary.filters_of(filters)["a"].shape == (12, 7, 7)
    ends, paths = store.table("scales"), store.table("trajectories")
    assert (ends.sigma_x == 1.5).all() and len(ends) == 16 * len(FULL.seeds)
    assert len(paths) == 2 * 8 * len(FULL.seeds)


def test_a_gpu_is_left_to_what_accelerate_finds():
    config = [runs.config_of(FULL, SETTINGS["small-short"], 0, 1e-3, device=device) for device in ("cpu", "cuda", None)]
    assert [one.device for one in config] == ["cpu", None, None]


@pytest.mark.parametrize("words", [["--settings", "huge"], ["--variants", "none"], ["--jobs", "0"], ["--device", "gpu"]])
def test_the_command_refuses_in_one_line(words, capsys):
    assert command.main(words) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and not captured.out


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_trained(monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert command.main(["--device", "cuda", "--jobs", "4"]) == 2
    captured = capsys.readouterr()
    assert captured.err == "keyfilters.networks.experiments: device is 'cuda': this machine has none; use cpu\n" and not captured.out


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
    design = replace(FULL, settings=("small-short", "small-long"), variants=("learned", "ideal-B"), seeds=(0, 1))
    rows = table_of({("small-short", "learned"): {0: 0.7, 1: 0.8}, ("small-short", "ideal-B"): {0: 0.6}})
    means = summary.accuracies(rows).set_index("variant")
    assert means.loc["learned", "mean"] == pytest.approx(0.75) and means.loc["learned", "n"] == 2
    assert np.isnan(means.loc["ideal-B", "sd"]) and means.loc["ideal-B", "mean"] == 0.6
    covered = summary.coverage(rows, design, SETTINGS)
    assert covered.state.tolist() == ["in part", "not run"] and covered.seeds.tolist() == ["1 to 2", "–"]
    assert covered.hours[0] == pytest.approx(0.03)
    more = pd.concat([rows, table_of({("small-short", "ideal-B"): {1: 0.6}})])
    assert summary.coverage(more, design, SETTINGS).state[0] == "complete"
    assert summary.coverage(store.table("runs", "/nonexistent"), design, SETTINGS).state.tolist() == ["not run"] * 2


@given(st.floats(-0.05, 0.05), st.floats(1e-4, 0.05), st.floats(0.001, 0.03))
def test_the_reading_never_says_more_than_the_interval(mean, half, margin):
    low, high = mean - half, mean + half
    words, mirrored = summary.reading(low, high, margin), summary.reading(-high, -low, margin)
    assert words.startswith("ahead") == (low > 0) and words.startswith("behind") == (high < 0)
    assert (("margin" in words) == (low > -margin and high < margin)) or low > 0 or high < 0
    taken_back = summary.reading(low, high, margin, p=0.2)
    assert (taken_back == words) == (low <= 0 <= high) and summary.reading(low, high, margin, p=0.01) == words
    assert mirrored == words.replace("ahead", "BEHIND").replace("behind", "ahead").replace("BEHIND", "behind")


def test_the_verdict_names_each_setting_once_and_none_that_was_not_run():
    rows = [
        ("small-short", "x", 0.031, 0.011, 0.051, 0.06),  # the correction takes it back
        ("small-long", "x", 0.031, 0.011, 0.051, 0.01),
        ("full-short", "x", 0.004, 0.001, 0.007, 0.01),
        ("small-short", "y", 0.031, 0.011, 0.051, 0.01),
        ("small-long", "y", 0.02, 0.011, 0.03, 0.01),
        ("full-short", "y", 0.0, -0.005, 0.005, 1.0),
        ("full-long", "y", -0.02, -0.03, -0.01, 0.01),
        ("small-short", "z", 0.0, -0.05, 0.05, 1.0),
        ("small-long", "z", 0.0, -0.05, 0.05, 1.0),
    ]
    found = pd.DataFrame(rows, columns=["setting", "variant", "mean", "low", "high", "p_holm"])

    def say(name):
        return summary.verdict(found, name, SETTINGS, 0.01)

    short, long, once, thrice = (s.label for s in SETTINGS.values())
    assert say("x") == f"ahead by 3.1 points ({long}); ahead, by less than the margin ({once}); undecided ({short})"
    assert say("y") == (
        f"ahead by 3.1 points ({short}) and 2.0 points ({long}); behind by 2.0 points ({thrice}); equal within the margin ({once})"
    )
    assert say("z") == "undecided in all 2 settings compared" and say("w") == "not compared"


def test_width_of_known_filters():
    impulse, square = np.zeros((1, 7, 7)), np.ones((1, 3, 3))
    impulse[0, 2, 5] = -2.0
    assert summary.width(impulse) == 0
    assert summary.width(square) == pytest.approx(np.sqrt(4 / 3))
    assert summary.width(np.concatenate([square, 5 * square])) == pytest.approx(np.sqrt(4 / 3))


# --- figures -------------------------------------------------------------------------------------------------


def test_dots_say_what_was_not_run():
    fig = interval_dots(
        {"one": {"a": ([1.0, 2.0], (1.5, 1.0, 2.0)), "far": ([9.0], None)}, "two": {}},
        ["a", "b", "far"], xlabel="x", zero=True, span=(-1, 1), outliers=("far",),
    )  # fmt: skip
    texts = [[t.get_text() for t in ax.texts] for ax in fig.axes]
    assert texts == [["not run", "off the axis: 9.0"], ["not run"]]
    dots = fig.axes[0].lines[0]
    assert dots.get_xdata().tolist() == [1.0, 2.0] and set(dots.get_ydata()) == {2}
    plt.close(fig)
    with pytest.raises(ValueError, match="has the row 'c': expected a, b"):
        interval_dots({"one": {"c": ([1.0], None)}}, ["a", "b"], xlabel="x")
    with pytest.raises(ValueError, match="panels is empty"):
        interval_dots({}, ["a"], xlabel="x")


def test_trajectories_show_mean_and_range():
    fig = trajectories({"key 1": {"x": ([0, 1], [[1.0, 2.0], [3.0, 6.0]]), "y": ([0, 1], [1.0, 1.0])}}, ylabel="scale")
    line = fig.axes[0].lines[0]
    assert line.get_ydata().tolist() == [2.0, 4.0]
    band = fig.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (1.0, 6.0)
    plt.close(fig)
    for panels, message in (({"k": {}}, "no curve"), ({"k": {"x": ([0, 1], [1.0])}}, "expected \\(2,\\)")):
        with pytest.raises(ValueError, match=message):
            trajectories(panels)
        plt.close("all")


def test_ends_and_banks_are_drawn_where_they_are():
    fig = scale_ends({"key 1": [[0.5, 0.7], [1.0, 0.2]]}, {"key 1": {"start": (0.6, 2.0)}})
    points, mark = fig.axes[0].lines[:2]
    assert points.get_xydata().tolist() == [[0.5, 0.7], [1.0, 0.2]] and mark.get_xydata().tolist() == [[0.6, 2.0]]
    assert fig.axes[0].get_ylim()[1] > 2.0
    plt.close(fig)
    with pytest.raises(ValueError, match="expected \\(m, 2\\)"):
        scale_ends({"key 1": [1.0, 2.0]}, {})
    plt.close("all")
    fig = bank_rows({"eight": np.ones((8, 3, 3)), "one": np.ones((1, 3, 3))})
    drawn = [len(ax.images) for ax in fig.axes]
    assert drawn == [1] * 9 + [0] * 7
    plt.close(fig)
