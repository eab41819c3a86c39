"""Shared look of all figures: sizes legible on a phone, colours that colour-blind readers tell apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
from numpy.typing import ArrayLike

DIVERGING = "RdBu_r"
"""Colour map of values with a sign: blue below 0, white at 0, red above."""
SEQUENTIAL = "viridis"
"""Colour map of values without a sign."""
# Okabe and Ito's palette, black first; colour-blind readers tell its colours apart.
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Colours of lines and points, in the order in which they are used."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Markers that go with the colours: a second sign beside the colour."""

RC = {
    "figure.dpi": 100,
    "savefig.dpi": 144,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "legend.fontsize": 11,
    "axes.grid": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 2.0,
    "axes.prop_cycle": mpl.cycler(color=COLOURS),
    "mathtext.fontset": "dejavusans",
    # Fixed salt: the ids inside an SVG, and so its bytes, are the same in every run.
    "svg.hashsalt": "keyfilters",
    "svg.fonttype": "none",
}


P = ParamSpec("P")
R = TypeVar("R")


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: draw with the book's settings, leave the user's own untouched."""
    from functools import wraps

    @wraps(function)
    def wrapper(*args, **kwargs):
        with mpl.rc_context(RC):
            return function(*args, **kwargs)

    return wrapper


def symmetric_limit(values: ArrayLike) -> float:
    """Largest absolute value: limits (-m, m) put white at zero."""
    limit = float(np.abs(np.asarray(values)).max())
    return limit if limit > 0 else 1.0


def ink(rgba: ArrayLike) -> str:
    """Black or white, whichever reads better on a colour (relative luminance of WCAG 2).

    Examples
    --------
    >>> ink((1.0, 1.0, 1.0, 1.0)), ink((0.0, 0.0, 0.3, 1.0))
    ('black', 'white')
    """
    channels = np.asarray(rgba[:3], dtype=float)
    linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return "black" if linear @ (0.2126, 0.7152, 0.0722) > 0.179 else "white"
