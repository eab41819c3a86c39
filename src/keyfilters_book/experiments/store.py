"""The tables of the full set of runs: small CSV files in git, each row with where it comes from."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pandas as pd

from keyfilters.checks import choice
from keyfilters.output import written

FOLDER = Path(__file__).resolve().parents[1] / "data" / "fashion_mnist"
EIGHT_FILTERS = Path(__file__).resolve().parents[1] / "data" / "eight_filters"
"""Where the tables of the two campaigns lie: of learnable scales, and of the chapter on eight filters."""
GPU = "gpu"
"""Subfolder for what was run on another device than a CPU: beside each other the two give :func:`processor_deviations`."""

TABLES: dict[str, tuple[str, ...]] = {
    "search": ("variant", "setting", "seed", "rate", "scale"),
    "runs": ("variant", "setting", "seed"),
    "banks": ("bank", "filter"),
    "filters": ("setting", "seed", "layer", "channel"),
    "scales": ("variant", "setting", "seed", "layer", "channel"),
    "trajectories": ("variant", "setting", "seed", "epoch", "key"),
    "explained": ("variant", "setting", "seed", "epoch"),
    "baselines": ("method", "data", "images"),
}
"""Each table with the columns that identify a row: every trial of the search, every run, the extracted banks, the filters of
learned networks, the scales of channels at the end, and their means per key after each epoch, what the keys explain of
learned filters after each epoch, and linear classifiers on the pixels."""

PROVENANCE = ("seconds", "commit", "device", "torch", "compiled", "amp")
"""What says where a row comes from; ``seconds`` are those of one processor core, ``device`` names its kind."""


def stored_table(name: str, folder=None) -> pd.DataFrame:
    """A table of stored results; empty where nothing is stored.

    Raises
    ------
    ValueError
        For a name that is not in ``TABLES``.

    Examples
    --------
    >>> list(TABLES)
    ['search', 'runs', 'banks', 'filters', 'scales', 'trajectories', 'explained', 'baselines']
    """
    choice(name, TABLES, "table")
    path = Path(folder or FOLDER) / f"{name}.csv"
    if not path.exists():
        return pd.DataFrame(columns=list(TABLES[name]))
    # Python's own reader gives back every number to the last digit, in all versions of pandas.
    return pd.read_csv(path, engine="python")


def add(name: str, rows: list[dict], folder=None) -> pd.DataFrame:
    """Add rows to a table; a row with the same identity takes the place of the earlier one. Sorted, so that the order
    in which runs end leaves no trace."""
    old, new = stored_table(name, folder), pd.DataFrame(rows)
    identity = list(TABLES[name])
    whole = new if old.empty else pd.concat([old, new], ignore_index=True)
    whole = whole.drop_duplicates(identity, keep="last").sort_values(identity, kind="stable", ignore_index=True)
    folder = Path(folder or FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    with written(folder / f"{name}.csv", force=True) as temporary:
        whole.to_csv(temporary, index=False, lineterminator="\n")
    return whole


def folder_of(device: str | None, folder=None) -> Path:
    """Where the results of a device belong.

    Examples
    --------
    >>> folder_of("cuda").name, folder_of(None).name
    ('gpu', 'fashion_mnist')
    """
    folder = Path(folder or FOLDER)
    return folder if device in (None, "cpu") else folder / GPU


def processor_deviations(folder=None) -> pd.DataFrame:
    """Runs that were made on a CPU and on a GPU, beside each other; no rows where one of them was not made.

    Columns: variant, setting, seed, ``accuracy_cpu``, ``accuracy_gpu``, ``difference`` (GPU minus CPU),
    ``commit_cpu``, ``commit_gpu``, ``device_gpu``. Rates and scales are compared too: rows that differ in them are
    left out, since they are other experiments.
    """
    folder = Path(folder or FOLDER)
    identity = [*TABLES["runs"], "rate", "scale"]
    columns = [*identity, "accuracy", "commit", "device"]
    cpu, gpu = (stored_table("runs", place).reindex(columns=columns) for place in (folder, folder / GPU))
    both = cpu.merge(gpu, on=identity, suffixes=("_cpu", "_gpu"))
    both["difference"] = both["accuracy_gpu"].astype(float) - both["accuracy_cpu"].astype(float)
    names = ("accuracy_cpu", "accuracy_gpu", "difference", "commit_cpu", "commit_gpu", "device_gpu")
    return both[[*TABLES["runs"], *names]]


def best_trials(search: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """(rate, scale) with the highest mean accuracy on the validation images, for each variant.

    Examples
    --------
    >>> rows = [("a", 0.1, 1.0, 0.5), ("a", 0.2, 1.0, 0.7), ("b", 0.1, 2.0, 0.1)]
    >>> best_trials(pd.DataFrame(rows, columns=["variant", "rate", "scale", "accuracy"]))
    {'a': (0.2, 1.0), 'b': (0.1, 2.0)}
    """
    if search.empty:
        return {}
    means = search.groupby(["variant", "rate", "scale"], as_index=False)["accuracy"].mean()
    best = means.loc[means.groupby("variant")["accuracy"].idxmax()]
    return {r.variant: (float(r.rate), float(r.scale)) for r in best.itertuples()}


def provenance(commit: str, device: str, compiled: bool, amp: str) -> dict:
    """The columns that say where a row comes from (beside ``seconds``)."""
    return {"commit": commit, "device": device, "torch": metadata.version("torch"), "compiled": compiled, "amp": amp}


def banks_of(stored) -> dict:
    """The stored banks as arrays."""
    columns = [c for c in stored.columns if c[0] == "w" and c[1:].isdecimal()]
    size = int(len(columns) ** 0.5)
    return {name: rows[columns].to_numpy().reshape(-1, size, size) for name, rows in stored.groupby("bank")}
