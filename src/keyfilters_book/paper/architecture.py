"""ConvNeXt V2 as a table of layers: counts, multiply-adds and receptive fields, without a deep learning library.

The network is a stem (4x4 convolution, stride 4), four stages of equal blocks with a 2x2 convolution of
stride 2 between them, and a linear head. A block is a 7x7 depthwise convolution, layer normalisation, a
1x1 convolution to four times the channels, GELU, global response normalisation, a 1x1 convolution back,
and the residual connection. Depths and widths stand in ``data/convnext_v2.csv``.

Source: Liu et al. (2022) for the block, Woo et al. (2023) for its second version and the counts.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from keyfilters.checks import choice

if TYPE_CHECKING:
    import pandas as pd

STEM, STEP, KERNEL, EXPANSION = 4, 2, 7, 4
"""Side of the stem's kernel, of the kernels between stages and of the depthwise kernels; channels inside a block."""


@dataclass(frozen=True)
class NetworkSize:
    """Depths (blocks per stage) and widths (channels per stage) of one network of the family."""

    name: str
    depths: tuple[int, ...]
    dims: tuple[int, ...]

    @property
    def depthwise_filters(self) -> int:
        """Number of depthwise filters: one per channel and block.

        Examples
        --------
        >>> network_size("tiny").depthwise_filters == 3 * 96 + 3 * 192 + 9 * 384 + 3 * 768
        True
        """
        return sum(depth * dim for depth, dim in zip(self.depths, self.dims, strict=True))


@dataclass(frozen=True)
class Layer:
    """One row of the table of layers.

    Attributes
    ----------
    stage, block : int
        Stage 0 is the stem, 1 to 4 the stages (with the 2x2 convolution before them as block 0),
        5 the head. Blocks count from 1 within a stage.
    name, kind : str
        Kind is ``"stem"``, ``"between stages"``, ``"depthwise"``, ``"pointwise"``, ``"normalisation"`` or ``"head"``.
    parameters : int
        Weights and biases.
    multiply_adds : int
        Products of a weight with an activation, for one image; normalisations count none.
    size : int
        Rows (and columns) of the output.
    jump : int
        Distance in the image, in pixels, between neighbours of the output.
    receptive_field : int
        Side, in pixels, of the square of the image that convolutions up to here can reach. Global
        response normalisation sees the whole map and is left out.
    """

    stage: int
    block: int
    name: str
    kind: str
    parameters: int
    multiply_adds: int
    size: int
    jump: int
    receptive_field: int


@lru_cache(maxsize=1)
def _rows() -> tuple[dict, ...]:
    with (files("keyfilters_book") / "data" / "convnext_v2.csv").open(encoding="utf-8", newline="") as stream:
        return tuple(csv.DictReader(stream))


def variants() -> dict[str, NetworkSize]:
    """All networks of the family, by name, from the smallest to the largest.

    Examples
    --------
    >>> list(variants())
    ['atto', 'femto', 'pico', 'nano', 'tiny', 'base', 'large', 'huge']
    """

    def numbers(text):
        return tuple(int(n) for n in text.split())

    return {row["variant"]: NetworkSize(row["variant"], numbers(row["depths"]), numbers(row["dims"])) for row in _rows()}


def network_size(name: str = "tiny") -> NetworkSize:
    """One network of the family.

    Raises
    ------
    ValueError
        For an unknown name.

    Examples
    --------
    >>> network_size("tiny").dims
    (96, 192, 384, 768)
    """
    known = variants()
    return known[choice(name, known, "variant")]


def published_counts(resolution: int | None = None) -> pd.DataFrame:
    """Parameters (millions) and multiply-adds (billions) as published, with their printed decimals.

    Source: Woo et al. (2023), the tables of models beside the official weights.

    Parameters
    ----------
    resolution : int, optional
        Only this image size (224, 384 or 512 pixels).

    Returns
    -------
    pandas.DataFrame
        Columns variant, resolution, parameters_millions, parameters_decimals, multiply_adds_billions,
        multiply_adds_decimals.

    Raises
    ------
    ValueError
        If no network is published at this resolution.
    """
    import pandas as pd

    frame = pd.DataFrame(_rows()).drop(columns=["depths", "dims"])
    columns = [c for c in frame if c != "variant"]
    frame[columns] = frame[columns].apply(pd.to_numeric)
    if resolution is not None:
        frame = frame[frame.resolution == resolution]
        if frame.empty:
            raise ValueError(f"resolution is {resolution!r}: expected 224, 384 or 512")
    return frame.reset_index(drop=True)


def layers(
    network: NetworkSize | str = "tiny", image_size: int = 224, classes: int = 1000, kernel: int = KERNEL
) -> tuple[Layer, ...]:
    """The layers of a network, in order.

    With d channels and a map of N x N positions, a block has k^2 d + d parameters in its depthwise
    convolution, 2 (4 d^2) + 5 d in its two pointwise ones, 2 d in layer normalisation and 8 d in global
    response normalisation; its convolutions take N^2 (k^2 d + 8 d^2) multiply-adds. The receptive field
    grows by (k - 1) times the distance between neighbours at each convolution of side k.

    Parameters
    ----------
    network : Variant or str
    image_size : int
        Side of the square image in pixels, a multiple of 32.
    classes : int
        Outputs of the head.
    kernel : int
        Side of the depthwise kernels, odd.

    Returns
    -------
    tuple of Layer

    Raises
    ------
    ValueError
        For an unknown network, an image size that is not a positive multiple of 32, fewer than one
        class, or an even kernel.

    Examples
    --------
    >>> table = layers("tiny")
    >>> table[0].size, table[-1].parameters
    (56, 769000)
    >>> sum(layer.kind == "depthwise" for layer in table)
    18
    """
    net = network_size(network) if isinstance(network, str) else network
    coarsest = STEM * STEP ** (len(net.dims) - 1)
    if image_size <= 0 or image_size % coarsest:
        raise ValueError(f"image_size is {image_size!r}: expected a positive multiple of {coarsest}")
    if classes < 1:
        raise ValueError(f"classes is {classes!r}: expected a positive number of outputs")
    if kernel < 1 or kernel % 2 == 0:
        raise ValueError(f"kernel is {kernel!r}: expected an odd number of taps")
    found: list[Layer] = []
    size, jump, field = image_size, 1, 1

    def add(stage, block, name, kind, parameters, multiply_adds=0):
        found.append(Layer(stage, block, name, kind, parameters, multiply_adds, size, jump, field))

    def convolve(side, stride):
        nonlocal size, jump, field
        field += (side - 1) * jump
        size, jump = size // stride, jump * stride

    first = net.dims[0]
    convolve(STEM, STEM)
    weights = STEM**2 * 3 * first
    add(0, 0, f"{STEM}x{STEM} convolution, stride {STEM}", "stem", weights + first, weights * size**2)
    add(0, 0, "layer normalisation", "normalisation", 2 * first)
    for stage, (depth, d) in enumerate(zip(net.depths, net.dims, strict=True), start=1):
        if stage > 1:
            before = net.dims[stage - 2]
            add(stage, 0, "layer normalisation", "normalisation", 2 * before)
            convolve(STEP, STEP)
            weights = STEP**2 * before * d
            add(stage, 0, f"{STEP}x{STEP} convolution, stride {STEP}", "between stages", weights + d, weights * size**2)
        inner = EXPANSION * d
        for block in range(1, depth + 1):
            convolve(kernel, 1)
            add(
                stage,
                block,
                f"{kernel}x{kernel} depthwise convolution",
                "depthwise",
                kernel**2 * d + d,
                kernel**2 * d * size**2,
            )
            add(stage, block, "layer normalisation", "normalisation", 2 * d)
            add(stage, block, "1x1 convolution, expanding", "pointwise", d * inner + inner, d * inner * size**2)
            add(stage, block, "global response normalisation", "normalisation", 2 * inner)
            add(stage, block, "1x1 convolution, contracting", "pointwise", inner * d + d, inner * d * size**2)
    size = 1
    last = net.dims[-1]
    stage = len(net.dims) + 1
    add(stage, 0, "layer normalisation", "normalisation", 2 * last)
    add(stage, 0, "linear classifier", "head", last * classes + classes, last * classes)
    return tuple(found)


def network_table(network: NetworkSize | str = "tiny", image_size: int = 224, **options: Any) -> pd.DataFrame:
    """The layers of a network as a DataFrame, one row per layer, columns as the attributes of :class:`Layer`.

    Examples
    --------
    >>> int(network_table("tiny").parameters.sum())
    28635496
    """
    from dataclasses import asdict

    import pandas as pd

    return pd.DataFrame([asdict(layer) for layer in layers(network, image_size, **options)])


NORMALISATION_OPERATIONS = 5
"""Operations per normalised value that common counting tools charge for layer normalisation."""


def compare_published(resolutions: Sequence[int] = (224,)) -> pd.DataFrame:
    """Parameters and multiply-adds from the table of layers beside the published ones.

    Parameters
    ----------
    resolutions : sequence of int
        Image sizes: 224, 384 or 512.

    Returns
    -------
    pandas.DataFrame
        Columns variant, resolution, parameters, parameters_published (millions), parameters_agree,
        multiply_adds (billions, products only), with_normalisation (the same with
        ``NORMALISATION_OPERATIONS`` per value of a layer normalisation), multiply_adds_published
        (billions), products_agree, normalised_agree. A number agrees if it rounds to the published one.

    Examples
    --------
    >>> found = compare_published()
    >>> len(found), bool(found.parameters_agree.all())
    (8, True)
    """
    import pandas as pd

    rows = []
    for resolution in resolutions:
        for row in published_counts(resolution).itertuples():
            table = network_table(row.variant, resolution)
            norms = table[table.name == "layer normalisation"]
            values = (norms.parameters // 2 * norms["size"] ** 2).sum()
            parameters, products = int(table.parameters.sum()), table.multiply_adds.sum() / 1e9
            total = products + NORMALISATION_OPERATIONS * values / 1e9

            def agrees(value, published, decimals):
                return bool(round(value, int(decimals)) == published)

            rows.append(
                {
                    "variant": row.variant, "resolution": resolution,
                    "parameters": parameters, "parameters_published": row.parameters_millions,
                    "parameters_agree": agrees(parameters / 1e6, row.parameters_millions, row.parameters_decimals),
                    "multiply_adds": products, "with_normalisation": total, "multiply_adds_published": row.multiply_adds_billions,
                    "products_agree": agrees(products, row.multiply_adds_billions, row.multiply_adds_decimals),
                    "normalised_agree": agrees(total, row.multiply_adds_billions, row.multiply_adds_decimals),
                }
            )  # fmt: skip
    return pd.DataFrame(rows)
