"""The eight learned master key filters and the catalogue of what each one is modelled by.

The learned filters stand for the depthwise filters of five architectures; a search by the accuracy of
ConvNeXt V2 Tiny chose them (Babaiee et al. 2025). The numbers are those printed with 6 decimals by Lindeberg, Babaiee and Kiasari (2026), CC BY 4.0.

Conventions of the whole library: kernels are in *convolution* convention; x is the column axis and
grows to the right; y is the row axis and grows **up**, so row 0 of a 7x7 array is y = +3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np

SMOOTHING, DERIVATIVE, SHARPENING = "smoothing", "derivative", "sharpening"


@dataclass(frozen=True)
class Key:
    """One row of the catalogue: which difference operator stands along which axis.

    Attributes
    ----------
    number : int
        1 to 8, the numbering of the paper.
    kind : str
        ``"derivative"`` (keys 1-6), ``"sharpening"`` (key 7) or ``"smoothing"`` (key 8).
    x, y : str
        Name of the difference operator along the axis (see ``keyfilters.differences.OPERATORS``);
        ``"identity"`` is plain smoothing.
    group : str
        Group that shares one scale in the joint fits: ``"non-centred"`` for {1, 2, 3, 4, 8},
        ``"centred"`` for {5, 6}, ``"sharpening"`` for {7}.
    symbol, name : str
        The operator in LaTeX and in words.
    reference_scale : float
        Scale of the template that weights the spread measures (1; 0.707 for key 7).
    """

    number: int
    kind: str
    x: str
    y: str
    group: str
    symbol: str
    name: str
    reference_scale: float = 1.0

    @property
    def derivative_axis(self) -> int | None:
        """0 for a difference along x, 1 along y, None where there is none."""
        return None if self.kind != DERIVATIVE else int(self.x == "identity")

    @property
    def monomial(self) -> tuple[int, int]:
        """Exponents (p, q) of the monomial x^p y^q whose response normalises the filter."""
        return {None: (0, 0), 0: (1, 0), 1: (0, 1)}[self.derivative_axis]

    @property
    def expected_offset(self) -> tuple[float, float]:
        """Centre (x, y) of the model's support: one-sided differences sit half a grid unit off."""
        shift = {"backward": 0.5, "forward": -0.5}
        return shift.get(self.x, 0.0), shift.get(self.y, 0.0)


KEYS: tuple[Key, ...] = (
    Key(1, DERIVATIVE, "identity", "forward", "non-centred", r"\delta_{y+}", "forward difference along y"),
    Key(2, DERIVATIVE, "backward", "identity", "non-centred", r"\delta_{x-}", "backward difference along x"),
    Key(3, DERIVATIVE, "identity", "backward", "non-centred", r"\delta_{y-}", "backward difference along y"),
    Key(4, DERIVATIVE, "forward", "identity", "non-centred", r"\delta_{x+}", "forward difference along x"),
    Key(5, DERIVATIVE, "central", "identity", "centred", r"\delta_{x}", "centred difference along x"),
    Key(6, DERIVATIVE, "identity", "central", "centred", r"\delta_{y}", "centred difference along y"),
    Key(7, SHARPENING, "identity", "identity", "sharpening", r"\delta - \gamma \nabla_5^2", "sharpening", 0.707),
    Key(8, SMOOTHING, "identity", "identity", "non-centred", r"1", "smoothing"),
)
"""The catalogue: one row per key, in order; ``KEYS[k - 1]`` is key ``k``."""

FURTHER_KEYS: tuple[Key, ...] = ()
"""Keys beyond the eight of the paper, numbered from 9 on: they have a model, and no learned filter."""

GROUPS = {name: tuple(row.number for row in KEYS if row.group == name) for name in ("non-centred", "centred", "sharpening")}
"""Keys that share one scale in the joint fits."""


def key_row(key: int | Key) -> Key:
    """Return the catalogue row of a key.

    Parameters
    ----------
    key : int or Key
        1 to 8, the number of one of ``FURTHER_KEYS``, or a row, which is returned as it is.

    Returns
    -------
    Key

    Raises
    ------
    ValueError
        If ``key`` is not one of these integers.

    Examples
    --------
    >>> key_row(5).name
    'centred difference along x'
    """
    if isinstance(key, Key):
        return key
    rows = (*KEYS, *FURTHER_KEYS)
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool) and 1 <= key <= len(rows):
        return rows[int(key) - 1]
    raise ValueError(f"unknown key {key!r}: expected an integer from 1 to {len(rows)}")


def axis_keys(axes: str = "xyz") -> dict[str, tuple[str, ...]]:
    """Return the separable keys of one or more axes: names, and the operator of each along each axis.

    Of every axis the forward, the backward and the centred difference, smoothed along all axes, and plain smoothing:
    ``"x+"``, ``"x-"``, ``"x"`` and so on, and ``"T"``. In the plane these are keys 1 to 6 and 8; the sharpening of key 7
    is no product, and has no row.

    Parameters
    ----------
    axes : str
        A letter for each axis, such as ``"x"``, ``"xyz"``, or ``"xyt"`` with time; none twice, and no T, which is smoothing.

    Returns
    -------
    dict
        Name -> operators (see ``keyfilters.differences.OPERATORS``) in the order of ``axes``, as
        :func:`keyfilters.separable_filter` takes them.

    Raises
    ------
    ValueError
        For axes that are no string of different lower-case letters.

    Examples
    --------
    >>> axis_keys("xt")["t-"], len(axis_keys("xyz"))
    (('identity', 'backward'), 10)
    """
    if not isinstance(axes, str) or not axes or not axes.isalpha() or axes != axes.lower() or len(set(axes)) < len(axes):
        raise ValueError(f"axes is {axes!r}: expected a string of different lower-case letters, such as 'xyz'")
    plain = ("identity",) * len(axes)
    rows = {
        letter + sign: (*plain[:i], operator, *plain[i + 1 :])
        for sign, operator in (("+", "forward"), ("-", "backward"), ("", "central"))
        for i, letter in enumerate(axes)
    }
    return rows | {"T": plain}


@lru_cache(maxsize=1)
def learned_filters() -> np.ndarray:
    """Return the eight learned master key filters, shape (8, 7, 7), float64, read-only.

    Row 0 of each filter is y = +3, column 0 is x = -3; the values have 6 decimals.

    Source: Lindeberg, Babaiee and Kiasari (2026), CC BY 4.0; extracted by Babaiee et al. (2025).

    Examples
    --------
    >>> h = learned_filters()
    >>> h.shape, h.dtype.name, h.flags.writeable
    ((8, 7, 7), 'float64', False)
    >>> float(h[7].max())
    0.920885
    """
    with (files("keyfilters") / "data" / "master_key_filters.csv").open(encoding="utf-8") as stream:
        table = np.loadtxt(stream, delimiter=",", skiprows=1)
    filters = np.ascontiguousarray(table[:, 2:]).reshape(8, 7, 7)
    filters.flags.writeable = False
    return filters
