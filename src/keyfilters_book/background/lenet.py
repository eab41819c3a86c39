r"""LeNet-5 as it was in 1998: trainable subsampling, a table of connections, fixed output codes.

An image of 32 x 32 pixels goes through C1 (6 maps, 5x5), S2 (subsampling), C3 (16 maps, 5x5, each fed by some of the
six maps), S4 (subsampling), C5 (120 maps, 5x5), F6 (84 units), and ten radial basis units whose codes are fixed. Every
unit up to F6 squashes its weighted sum a,

.. math:: x = A \tanh(S a), \qquad A = 1.7159, \quad S = 2/3,

which maps +1 to +1 and -1 to -1. 60,000 parameters are trained.

Source: LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, Proc. IEEE 86 (1998).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from keyfilters.checks import integer

from .lenet_codes import output_codes

AMPLITUDE, SLOPE = 1.7159, 2 / 3
INITIAL = 2.4
"""Weights start uniform in (-INITIAL / F, INITIAL / F), F the number of inputs of their unit."""

C3_TABLE = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 2, 3, 4, 5),
)  # fmt: skip
"""Which maps of S2 feed each map of C3: neighbours on a ring by threes and fours, three sets of four, and all (Table I of 1998)."""

PUBLISHED = {
    "C1": (156, 122_304), "S2": (12, 5_880), "C3": (1_516, 151_600), "S4": (32, 2_000), "C5": (48_120, 48_120),
    "F6": (10_164, 10_164),
}  # fmt: skip
"""Trainable parameters and connections of each layer, as printed in 1998."""
PUBLISHED_TOTAL = (60_000, 340_908)


class ScaledTanh(nn.Module):
    """The squashing function A tanh(S a).

    Examples
    --------
    >>> ScaledTanh()(torch.tensor([-1.0, 0.0, 1.0])).round(decimals=4)
    tensor([-1.,  0.,  1.])
    """

    def forward(self, a: torch.Tensor) -> torch.Tensor:
        return AMPLITUDE * torch.tanh(SLOPE * a)


class Subsampling(nn.Module):
    """Sum of each 2x2 block times a coefficient, plus a bias; one of each per map.

    Input (N, maps, H, W), output (N, maps, H/2, W/2).

    Examples
    --------
    >>> layer = Subsampling(1)
    >>> with torch.no_grad(): _ = layer.gain.fill_(0.5), layer.bias.fill_(1.0)
    >>> layer(torch.arange(4.0).reshape(1, 1, 2, 2)).item()
    4.0
    """

    def __init__(self, maps: int):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(maps))
        self.bias = nn.Parameter(torch.zeros(maps))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = nn.functional.avg_pool2d(x, 2, divisor_override=1)
        return total * self.gain[:, None, None] + self.bias[:, None, None]


def _checked_table(table, maps: int) -> tuple[tuple[int, ...], ...]:
    rows = tuple(tuple(row) for row in table)
    for place, row in enumerate(rows):
        if not row or len(set(row)) < len(row) or any(not isinstance(i, int) or not 0 <= i < maps for i in row):
            raise ValueError(f"table row {place} is {row!r}: expected different integers from 0 to {maps - 1}")
    if not rows:
        raise ValueError("table is empty: expected a row of input maps for each output map")
    return rows


class TableConv2d(nn.Module):
    """Convolution in which each output map reads the input maps of its row of a table.

    Only the kernels of the table are parameters, so the count is honest; ``weight`` fills the others with zeros.

    Parameters
    ----------
    maps : int
        Input maps.
    table : sequence of sequence of int
        Input maps of each output map.
    side : int
        Side of the kernels.

    Attributes
    ----------
    kernels : Parameter, shape (connections, side, side)
        In the order of the table.
    outputs, inputs : tuple of int
        Output and input map of each kernel.

    Raises
    ------
    ValueError
        For an empty table and a row that names an input map twice or one that is not there.

    Examples
    --------
    >>> layer = TableConv2d(6, C3_TABLE)
    >>> sum(p.numel() for p in layer.parameters()), tuple(layer.weight.shape)
    (1516, (16, 6, 5, 5))
    """

    def __init__(self, maps: int, table, side: int = 5):
        super().__init__()
        self.table = _checked_table(table, maps)
        self.maps = maps
        self.outputs = tuple(o for o, row in enumerate(self.table) for _ in row)
        self.inputs = tuple(i for row in self.table for i in row)
        self.kernels = nn.Parameter(torch.zeros(len(self.inputs), side, side))
        self.bias = nn.Parameter(torch.zeros(len(self.table)))

    @property
    def weight(self) -> torch.Tensor:
        """The whole kernel array, shape (outputs, inputs, side, side)."""
        side = self.kernels.shape[-1]
        full = self.kernels.new_zeros(len(self.table) * self.maps, side, side)
        where = torch.tensor([o * self.maps + i for o, i in zip(self.outputs, self.inputs, strict=True)])
        return full.index_copy(0, where, self.kernels).reshape(len(self.table), self.maps, side, side)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv2d(x, self.weight, self.bias)


class RadialBasis(nn.Module):
    r"""Squared distance to fixed codes, :math:`y_i = \sum_j (x_j - w_{ij})^2`: a penalty, the least names the class."""

    def __init__(self, codes):
        super().__init__()
        self.register_buffer("codes", torch.as_tensor(np.asarray(codes), dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x[:, None] - self.codes).square().sum(-1)


class LeNet5(nn.Module):
    """LeNet-5 of 1998.

    Input (N, 1, 32, 32), output (N, 10): the *penalties* of the classes, of which the least wins.

    Parameters
    ----------
    seed : int
        Of the initial weights, uniform in +-2.4 / F with F the inputs of the unit (biases likewise).
    codes : array_like, shape (10, 84), optional
        Of the output units; default the pictures of :func:`keyfilters_book.background.lenet_codes.output_codes`.
    table : sequence of sequence of int
        Which maps of S2 feed each of the 16 maps of C3.

    Raises
    ------
    ValueError
        For a seed or a table that is none, and codes of another shape than (K, 84).

    Examples
    --------
    >>> network = LeNet5()
    >>> network(torch.zeros(2, 1, 32, 32)).shape, sum(p.numel() for p in network.parameters())
    (torch.Size([2, 10]), 60000)
    """

    def __init__(self, seed: int = 0, codes=None, table=C3_TABLE):
        super().__init__()
        codes = output_codes() if codes is None else np.asarray(codes)
        if codes.ndim != 2 or codes.shape[1] != 84:
            raise ValueError(f"codes has shape {codes.shape}: expected (classes, 84)")
        self.squash = ScaledTanh()
        self.c1 = nn.Conv2d(1, 6, 5)
        self.s2 = Subsampling(6)
        self.c3 = TableConv2d(6, table)
        self.s4 = Subsampling(len(self.c3.table))
        self.c5 = nn.Conv2d(len(self.c3.table), 120, 5)
        self.f6 = nn.Linear(120, 84)
        self.output = RadialBasis(codes)
        self.start(seed)

    def fan_ins(self) -> dict[str, torch.Tensor]:
        """Inputs of the unit that each parameter belongs to, by the parameter's name, in a shape that broadcasts."""
        rows = self.c3.table
        fed = torch.tensor([25.0 * len(row) for row in rows])
        sides = {"c1": 25.0, "s2": 4.0, "s4": 4.0, "c5": 25.0 * len(rows), "f6": 120.0}
        found = {}
        for name, _ in self.named_parameters():
            layer = name.split(".")[0]
            if layer == "c3":
                found[name] = fed if name.endswith("bias") else fed[list(self.c3.outputs)][:, None, None]
            else:
                found[name] = torch.tensor(sides[layer])
        return found

    @torch.no_grad()
    def start(self, seed: int) -> None:
        """Draw all trainable parameters anew."""
        generator = torch.Generator().manual_seed(integer(seed, "seed", 0))
        fan_ins = self.fan_ins()
        for name, parameter in self.named_parameters():
            drawn = 2 * torch.rand(parameter.shape, generator=generator) - 1
            parameter.copy_(drawn * INITIAL / fan_ins[name])

    def maps(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """States of all layers, by name; those of C1, C3 and C5 also before squashing, as ``a1``, ``a3`` and ``a5``."""
        states = {"a1": self.c1(x)}
        states["c1"] = self.squash(states["a1"])
        states["s2"] = self.squash(self.s2(states["c1"]))
        states["a3"] = self.c3(states["s2"])
        states["c3"] = self.squash(states["a3"])
        states["s4"] = self.squash(self.s4(states["c3"]))
        states["a5"] = self.c5(states["s4"])
        states["c5"] = self.squash(states["a5"])
        states["f6"] = self.squash(self.f6(states["c5"].flatten(1)))
        return states

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(self.maps(x)["f6"])


def lenet_table(network: LeNet5):
    """Count the parameters and connections of each layer.

    A connection is a use of a weight or bias at one position of a map. The network's modules are counted, and its maps
    are measured by letting an image through; nothing is typed but the published columns.

    Returns
    -------
    pandas.DataFrame
        Columns layer, maps, size (of a map), parameters, published, connections, connections_published; the published
        ones hold 0 for the output units, for which nothing is trained.

    Examples
    --------
    >>> table = lenet_table(LeNet5())
    >>> int(table.parameters.sum()), int(table.connections.sum())
    (60000, 340908)
    """
    import pandas as pd

    with torch.no_grad():
        states = network.maps(torch.zeros(1, 1, 32, 32))
    rows = []
    for name in ("c1", "s2", "c3", "s4", "c5", "f6"):
        module, state = getattr(network, name), states[name]
        parameters = sum(p.numel() for p in module.parameters())
        # S2 and S4 use their coefficient four times per unit, once for each pixel of the block.
        uses = parameters + 3 * module.gain.numel() if isinstance(module, Subsampling) else parameters
        positions = state[0, 0].numel() if state.ndim == 4 else 1
        published = PUBLISHED[name.upper()]
        size = state.shape[-1] if state.ndim == 4 else 1
        rows.append((name.upper(), state.shape[1], size, parameters, published[0], uses * positions, published[1]))
    codes = network.output.codes
    total = PUBLISHED_TOTAL[1] - sum(connections for _, connections in PUBLISHED.values())
    rows.append(("output", len(codes), 1, sum(p.numel() for p in network.output.parameters()), 0, codes.numel(), total))
    columns = ["layer", "maps", "size", "parameters", "published", "connections", "connections_published"]
    return pd.DataFrame(rows, columns=columns)
