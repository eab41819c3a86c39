"""How well numbers agree: counts of matching digits, and sizes over many powers of ten."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from .style import COLOURS, MARKERS, ink, styled


@styled
def digit_counts(groups, *, width: float = 7.4, row_height: float = 0.52, largest: int = 17) -> mpl.figure.Figure:
    """Return how many numbers of each group agree to how many digits.

    Parameters
    ----------
    groups : dict of str to dict of str to array_like
        Group to verdict to matching digits, one value per number. Values are rounded down; the area of
        a disc grows with the count, which stands in it.
    width, row_height : float
        Inches.
    largest : int
        Right end of the axis.

    Raises
    ------
    ValueError
        If there are more verdicts than colours, or a group is empty.
    """
    verdicts = list(dict.fromkeys(v for group in groups.values() for v in group))
    if len(verdicts) > len(COLOURS) - 1:
        raise ValueError(f"{len(verdicts)} verdicts: expected at most {len(COLOURS) - 1}, one colour each")
    fig, ax = plt.subplots(figsize=(width, row_height * len(groups) + 1.5))
    for y, (label, group) in enumerate(groups.items()):
        if not any(len(v) for v in group.values()):
            raise ValueError(f"group {label!r} is empty: expected at least one number")
        cells: dict[int, list] = {}
        for verdict, digits in group.items():
            found, count = np.unique(np.floor(np.asarray(digits, dtype=float)).astype(int), return_counts=True)
            for d, c in zip(found, count, strict=True):
                cells.setdefault(int(d), []).append((verdicts.index(verdict), int(c)))
        for d, discs in cells.items():
            for k, (i, c) in enumerate(discs):
                # Verdicts that share a number of digits stand side by side.
                x = d + 0.46 * (k - (len(discs) - 1) / 2)
                ax.scatter(x, y, s=150 + 14 * c, color=COLOURS[1 + i], marker=MARKERS[i], zorder=3)
                ax.text(x, y, str(c), ha="center", va="center", fontsize=11, color=ink(mpl.colors.to_rgba(COLOURS[1 + i])), zorder=4)
    ax.set(
        yticks=range(len(groups)), yticklabels=list(groups), ylim=(len(groups) - 0.4, -0.6), xlim=(-0.8, largest + 0.8),
        xticks=range(0, largest + 1, 2), xlabel="matching significant digits",
    )  # fmt: skip
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    handles = [Line2D([], [], linestyle="none", marker=MARKERS[i], markersize=10, color=COLOURS[1 + i], label=v) for i, v in enumerate(verdicts)]
    fig.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return fig


@styled
def log_dots(
    groups, *, xlabel: str, floor: float = 1e-16, references=None, width: float = 7.4, row_height: float = 0.62
) -> mpl.figure.Figure:  # fmt: skip
    """Return labelled values per group on a logarithmic axis.

    Parameters
    ----------
    groups : dict of str to dict of str to float
        Group (a row) to point label to value. Values below ``floor`` are drawn on it.
    xlabel : str
    floor : float
        Left end of the axis.
    references : dict of str to float, optional
        Vertical lines with a legend entry.
    width, row_height : float
        Inches.

    Raises
    ------
    ValueError
        If a value is negative by more than ``floor``, or not finite.
    """
    fig, ax = plt.subplots(figsize=(width, row_height * len(groups) + 1.2))
    highest = floor
    for y, (label, group) in enumerate(groups.items()):
        values = np.array(list(group.values()), dtype=float)
        if not np.isfinite(values).all() or (values < -floor).any():
            raise ValueError(f"group {label!r} holds {values.min():g}: expected finite values >= 0")
        x = np.maximum(values, floor)
        highest = max(highest, x.max())
        ax.scatter(x, np.full(len(x), y), s=36, color=COLOURS[1 + y % 6], zorder=3)
        _spread_labels(ax, np.log10(x), y, list(group))
    for i, (label, value) in enumerate((references or {}).items()):
        ax.axvline(value, color="0.4", linewidth=1.4, linestyle=("--", ":", "-.")[i % 3], label=label)
    ax.set(
        xscale="log", xlim=(floor / 4, highest * 8), xlabel=xlabel, yticks=range(len(groups)), yticklabels=list(groups),
        ylim=(len(groups) - 0.3, -0.7),
    )  # fmt: skip
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    if references:
        fig.legend(loc="outside lower center", ncols=2, frameon=False)
    return fig


def _spread_labels(ax, positions, y, labels, gap: float = 0.3) -> None:
    """Labels above their points; points closer than ``gap`` decades share one label."""
    together: list[tuple[list[float], list[str]]] = []
    for i in np.argsort(positions, kind="stable"):
        if together and positions[i] - together[-1][0][-1] < gap:
            together[-1][0].append(positions[i])
            together[-1][1].append(labels[i])
        else:
            together.append(([positions[i]], [labels[i]]))
    for where, texts in together:
        ax.text(10 ** np.mean(where), y - 0.18, ", ".join(sorted(texts)), ha="center", va="bottom", fontsize=11)
