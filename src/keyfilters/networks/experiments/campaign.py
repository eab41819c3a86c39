"""The full set of runs: what is missing is run, and what was found goes into the tables."""

from __future__ import annotations

import warnings
from concurrent.futures import as_completed
from pathlib import Path

import numpy as np
import pandas as pd

from ...book.provenance import commit, device
from . import store
from .basis import extracted_banks
from .design import DESIGNS, SETTINGS, Setting

DESIGN = DESIGNS["full"]


def _one(task: dict) -> dict:
    """One run in a process of its own, single-threaded: what comes back is plain data."""
    import torch

    from .runs import run
    from .variants import depthwise_filters

    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=UserWarning)
    options = {k: task[k] for k in ("compiled", "device", "amp")}
    outcome = run(
        DESIGN, task["variant"], Setting(**task["setting"]), task["seed"], task["rate"], task["scale"],
        extracted=task["extracted"], judge=task["judge"], **options,
    )  # fmt: skip
    filters = depthwise_filters(outcome.network) if task["variant"] == "learned" else None
    layers = [name for name, m in outcome.network.named_modules() if name.endswith("conv_dw") for _ in range(m.out_channels)]
    return {"row": outcome.row, "scales": outcome.scales, "filters": filters, "layers": layers}


def _filter_rows(result: dict) -> list[dict]:
    rows, counted = [], {}
    for layer, h in zip(result["layers"], result["filters"], strict=True):
        channel = counted[layer] = counted.get(layer, -1) + 1
        values = {f"w{i}{j}": float(f"{v:.6g}") for (i, j), v in _entries(h)}
        rows.append({"setting": result["row"]["setting"], "seed": result["row"]["seed"], "layer": layer, "channel": channel} | values)
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
    """The runs under way: what is missing, what was found, and the processes that run it."""

    def __init__(self, options, pool):
        self.options, self.pool = options, pool
        root = Path(__file__).resolve().parents[4]
        where = device() if options.device in (None, "cpu") else options.device
        self.origin = store.provenance(commit(root), where, options.compiled, options.amp)
        self.extracted = None
        self.folder = store.folder_of(options.device)

    def table(self, name: str) -> pd.DataFrame:
        return store.table(name, self.folder)

    def add(self, name: str, rows: list[dict]) -> pd.DataFrame:
        return store.add(name, rows, self.folder)

    def task(self, variant, setting, seed, rate, scale, judge) -> dict:
        return {
            "variant": variant, "setting": vars(setting), "seed": seed, "rate": rate, "scale": scale, "judge": judge,
            "extracted": self.extracted, "compiled": self.options.compiled, "device": self.options.device, "amp": self.options.amp,
        }  # fmt: skip

    def results(self, tasks):
        futures = [self.pool.submit(_one, task) for task in tasks]
        for done, future in enumerate(as_completed(futures), start=1):
            result = future.result()
            row = result["row"]
            print(
                f"{done}/{len(futures)} {row['variant']} {row['setting']} seed {row['seed']} rate {row['rate']:g} scale "
                f"{row['scale']:g}: {row['accuracy']:.4f} on {row['judged_on']}, {row['seconds']:.0f} s", flush=True,
            )  # fmt: skip
            yield result

    def search(self, variants) -> dict:
        """Every rate and scale of the grid, for each variant, judged on the validation images."""
        known = {tuple(r) for r in self.table("search")[list(store.TABLES["search"])].itertuples(index=False)}
        setting = DESIGN.search_setting
        tasks = [
            self.task(v, setting, seed, rate, scale, "validation")
            for v in variants for rate, scale in DESIGN.grid(v) for seed in DESIGN.search_seeds
            if (v, setting.name, seed, rate, scale) not in known
        ]  # fmt: skip
        for result in self.results(tasks):
            self.add("search", [result["row"] | self.origin])
        return store.best_trials(self.table("search"))

    def banks(self, best) -> None:
        """The extracted banks: from learned networks whose seeds occur in no run."""
        stored = self.table("banks")
        if stored.empty:
            rate, scale = best["learned"]
            tasks = [self.task("learned", DESIGN.basis_setting, s, rate, scale, "validation") for s in DESIGN.basis_seeds]
            results = sorted(self.results(tasks), key=lambda r: r["row"]["seed"])
            found = extracted_banks(np.concatenate([r["filters"] for r in results]))
            rows = [
                {"bank": name, "filter": i, **{f"w{a}{b}": float(f"{v:.6g}") for (a, b), v in _entries(h)}} | self.origin
                for name, bank in found.items() for i, h in enumerate(bank)
            ]  # fmt: skip
            stored = self.add("banks", rows)
        self.extracted = banks_of(stored)

    def runs(self, variants, settings, best) -> None:
        known = {tuple(r) for r in self.table("runs")[list(store.TABLES["runs"])].itertuples(index=False)}
        tasks = [
            self.task(v, SETTINGS[s], seed, *best[v], "test")
            for s in settings for seed in DESIGN.seeds for v in variants if (v, s, seed) not in known
        ]  # fmt: skip
        for result in self.results(tasks):
            self.add("runs", [result["row"] | self.origin])
            if result["filters"] is not None and result["row"]["seed"] == DESIGN.seeds[0]:
                self.add("filters", _filter_rows(result))
            if result["scales"]:
                ends, paths = _scale_rows(result)
                self.add("scales", ends)
                self.add("trajectories", paths)


def banks_of(stored) -> dict:
    """The stored banks as arrays."""
    columns = [c for c in stored.columns if c[0] == "w" and c[1:].isdecimal()]
    size = int(len(columns) ** 0.5)
    return {name: rows[columns].to_numpy().reshape(-1, size, size) for name, rows in stored.groupby("bank")}
