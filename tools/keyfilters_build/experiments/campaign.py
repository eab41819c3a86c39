"""A set of runs: what is missing is run, and what was found goes into the tables."""

from __future__ import annotations

import warnings
from concurrent.futures import as_completed
from pathlib import Path

import numpy as np
import pandas as pd

from keyfilters_book.experiments import store
from keyfilters_book.experiments.basis import extracted_banks
from keyfilters_book.experiments.design import DESIGNS, Design, Setting
from keyfilters_book.experiments.summary import learned_variant
from keyfilters_book.experiments.variants import LEARNED, variant

from ..processor import kind_text, processor
from ..provenance import commit, device

EXTRACTED = ("pca-8", "k-lines-8")
"""Variants whose bank comes from learned networks."""


def _one(task: dict) -> dict:
    """One run in a process of its own, single-threaded: what comes back is plain data."""
    import torch

    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=UserWarning)
    if task["judge"] == "baseline":
        from keyfilters_book.experiments.baselines import linear_baseline

        return {"row": linear_baseline(task["variant"], Setting(**task["setting"]))}
    from keyfilters_book.experiments.runs import run
    from keyfilters_book.experiments.variants import depthwise_filters

    # What one process compiled for an earlier run must not change what it compiles for this one.
    torch._dynamo.reset()
    options = {k: task[k] for k in ("compiled", "device", "amp")}
    outcome = run(
        DESIGNS[task["design"]], task["variant"], Setting(**task["setting"]), task["seed"], task["rate"], task["scale"],
        extracted=task["extracted"], judge=task["judge"], **options,
    )  # fmt: skip
    filters = depthwise_filters(outcome.network) if variant(task["variant"]).kind == LEARNED else None
    layers = [name for name, m in outcome.network.named_modules() if name.endswith("conv_dw") for _ in range(m.out_channels)]
    return {"row": outcome.row, "scales": outcome.scales, "explained": outcome.explained, "filters": filters, "layers": layers}


def _filter_rows(result: dict) -> list[dict]:
    rows, counted = [], {}
    for layer, h in zip(result["layers"], result["filters"], strict=True):
        channel = counted[layer] = counted.get(layer, -1) + 1
        values = {f"w{i}{j}": float(f"{v:.6g}") for (i, j), v in _entries(h)}
        rows.append(
            {"setting": result["row"]["setting"], "seed": result["row"]["seed"], "layer": layer, "channel": channel} | values
        )
    return rows


def _entries(h):
    return [((i, j), h[i, j]) for i in range(h.shape[0]) for j in range(h.shape[1])]


def _scale_rows(result: dict) -> tuple[list[dict], list[dict]]:
    identity = {k: result["row"][k] for k in ("variant", "setting", "seed")}
    frame = pd.DataFrame(result["scales"])
    last = frame[frame.epoch == frame.epoch.max()].drop(columns="epoch").round(5)
    means = frame.groupby(["epoch", "key"], as_index=False)[["sigma_x", "sigma_y", "gamma"]].mean().round(5)
    return [identity | r for r in last.to_dict("records")], [identity | r for r in means.to_dict("records")]


class Campaign:
    """The runs of a design under way: what is missing, what was found, and the processes that run it."""

    def __init__(self, options, pool, design: Design):
        self.options, self.pool, self.design = options, pool, design
        root = Path(__file__).resolve().parents[3]
        # Tables of earlier runs that nobody has committed yet are no change of what computes.
        tables = [f"src/keyfilters_book/data/{d}/*.csv" for d in DESIGNS]
        where = f"{device()}, {kind_text(processor()['kind'])}" if options.device in (None, "cpu") else options.device
        self.origin = store.provenance(commit(root, tables), where, options.compiled, options.amp)
        self.extracted = None
        self.folder = store.folder_of(options.device, store.FOLDER.with_name(design.name))

    def table(self, name: str) -> pd.DataFrame:
        return store.stored_table(name, self.folder)

    def add(self, name: str, rows: list[dict]) -> pd.DataFrame:
        return store.add(name, rows, self.folder)

    def known(self, name: str) -> set[tuple]:
        return {tuple(r) for r in self.table(name)[list(store.TABLES[name])].itertuples(index=False)}

    def task(self, variant, setting, seed, rate, scale, judge) -> dict:
        return {
            "design": self.design.name, "variant": variant, "setting": vars(setting), "seed": seed, "rate": rate, "scale": scale,
            "judge": judge, "extracted": self.extracted, "compiled": self.options.compiled, "device": self.options.device,
            "amp": self.options.amp,
        }  # fmt: skip

    def results(self, tasks):
        futures = [self.pool.submit(_one, task) for task in tasks]
        for done, future in enumerate(as_completed(futures), start=1):
            result = future.result()
            row = result["row"]
            words = " ".join(
                f"{k} {row[k]}"
                for k in ("variant", "method", "setting", "images", "seed", "rate", "scale", "penalty")
                if k in row
            )
            judged = row.get("judged_on", "test")
            print(f"{done}/{len(futures)} {words}: {row['accuracy']:.4f} on {judged}, {row['seconds']:.0f} s", flush=True)
            yield result

    def search(self, variants, setting: Setting) -> dict:
        """The best (rate, scale) of each variant for a setting: every trial of its search, judged on the validation images."""
        known = self.known("search")
        places = {v: self.design.searched(v, setting) for v in variants}
        tasks = [
            self.task(v, where, seed, rate, scale, "validation")
            for v, (where, grid) in places.items() for rate, scale in grid for seed in self.design.search_seeds
            if (v, where.name, seed, rate, scale) not in known
        ]  # fmt: skip
        for result in self.results(tasks):
            self.add("search", [result["row"] | self.origin])
        found = self.table("search")
        names = found.variant.map({v: where.name for v, (where, _) in places.items()})
        return store.best_trials(found[found.setting == names])

    def banks(self, best) -> None:
        """The extracted banks: from learned networks whose seeds occur in no run."""
        stored = self.table("banks")
        if stored.empty:
            rate, scale = best["learned"]
            tasks = [
                self.task("learned", self.design.basis_setting, s, rate, scale, "validation") for s in self.design.basis_seeds
            ]
            results = sorted(self.results(tasks), key=lambda r: r["row"]["seed"])
            found = extracted_banks(np.concatenate([r["filters"] for r in results]))
            rows = [
                {"bank": name, "filter": i, **{f"w{a}{b}": float(f"{v:.6g}") for (a, b), v in _entries(h)}} | self.origin
                for name, bank in found.items() for i, h in enumerate(bank)
            ]  # fmt: skip
            stored = self.add("banks", rows)
        self.extracted = store.banks_of(stored)

    def runs(self, variants, settings, best) -> None:
        """What is missing of some settings, seed by seed, so that pairs are complete early."""
        known = self.known("runs")
        seeds = (*self.design.seeds, *self.design.more_seeds)
        tasks = [
            self.task(v, self.design.settings[s], seed, *best[v], "test")
            for s in settings for seed in seeds for v in variants if seed in self.design.seeds_of(v) and (v, s, seed) not in known
        ]  # fmt: skip
        for result in self.results(tasks):
            self.keep(result)

    def keep(self, result: dict) -> None:
        """Put what a run left into the tables."""
        row = result["row"]
        self.add("runs", [row | self.origin])
        if (
            result["filters"] is not None
            and row["seed"] in self.design.filter_seeds
            and row["variant"] == self.learned(row["setting"])
        ):
            self.add("filters", _filter_rows(result))
        if result["explained"]:
            identity = {k: row[k] for k in ("variant", "setting", "seed")}
            self.add("explained", [identity | {"epoch": r["epoch"], "keys": round(r["keys"], 6)} for r in result["explained"]])
        if result["scales"]:
            ends, paths = _scale_rows(result)
            self.add("scales", ends)
            self.add("trajectories", paths)

    def learned(self, setting: str) -> str:
        """The learned variant whose filters are stored: the one that the search prefers."""
        if len(self.design.main) == 0:
            return "learned"
        return learned_variant(self.table("search"), self.design, self.design.settings[setting])

    def missing_filters(self, setting: str) -> None:
        """Filters that are to be stored, of runs that are: made again, and kept where they have the stored accuracy."""
        rows, have = self.table("runs"), self.table("filters")
        have = set(have[have.setting == setting].seed)
        name = self.learned(setting)
        rows = rows[(rows.variant == name) & (rows.setting == setting)]
        lacking = {r.seed: r for r in rows.itertuples() if r.seed in self.design.filter_seeds and r.seed not in have}
        tasks = [self.task(name, self.design.settings[setting], s, r.rate, r.scale, "test") for s, r in lacking.items()]
        for result in self.results(tasks):
            row = result["row"]
            if row["accuracy"] == lacking[row["seed"]].accuracy:
                self.add("filters", _filter_rows(result))
            else:
                print(f"{name} {setting} seed {row['seed']}: not the stored accuracy, so its filters are not kept", flush=True)

    def baselines(self, settings) -> None:
        """Linear classifiers on the pixels, one for each method and set of training images."""
        known, chosen = self.known("baselines"), {}
        for setting in (self.design.settings[s] for s in settings):
            chosen.setdefault((setting.data, setting.images), setting)
        tasks = [
            self.task(method, setting, 0, 0.0, 0.0, "baseline")
            for (data, images), setting in chosen.items() for method in ("ridge", "logistic") if (method, data, images) not in known
        ]  # fmt: skip
        for result in self.results(tasks):
            self.add("baselines", [result["row"] | self.origin])

    def whole(self, variants, settings) -> None:
        """Search, baselines and runs: first the variants whose comparisons were fixed beforehand, then the others."""
        first = [v for v in variants if v in self.design.main]
        for group in (first, [v for v in variants if v not in first]):
            for setting in settings:
                if set(group) & set(EXTRACTED):
                    self.banks(self.search(["learned"], self.design.basis_setting))
                self.runs(group, [setting], self.search(group, self.design.settings[setting]))
                if "learned" in group:
                    self.missing_filters(setting)
            if group == first and self.design.main:
                self.baselines(settings)

    def check(self, variants, seeds, setting: str) -> list[str]:
        """Make some stored runs again; what differs from the stored values, in words.

        Raises
        ------
        ValueError
            Where a run is not stored, or was made on another kind of processor or with other versions.
        """
        stored = self.table("runs").set_index(["variant", "setting", "seed"])
        tasks = []
        for name in variants:
            for seed in seeds:
                if (name, setting, seed) not in stored.index:
                    raise ValueError(f"{name}, {setting}, seed {seed}: no such run is stored")
                row = stored.loc[(name, setting, seed)]
                for column in ("device", "torch", "compiled", "amp"):
                    if row[column] != self.origin[column]:
                        raise ValueError(
                            f"{column} is {self.origin[column]} here, and the stored runs have {row[column]}: expected the same"
                        )
                tasks.append(self.task(name, self.design.settings[setting], seed, float(row.rate), float(row.scale), "test"))
        different = []
        for result in self.results(tasks):
            row = result["row"]
            there = stored.loc[(row["variant"], setting, row["seed"])]
            for column in ("accuracy", "loss", "train_loss"):
                if row[column] != there[column]:
                    different.append(
                        f"{row['variant']}, seed {row['seed']}: {column} {row[column]!r}, stored {float(there[column])!r}"
                    )
        return different
