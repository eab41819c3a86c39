"""What the chapter *ConvNeXt V2 Tiny* shows: its tables, and the curves of receptive fields."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from keyfilters_book import page
from keyfilters_book.paper import architecture
from keyfilters_book.paper.architecture import NetworkSize

STAGES = {"formats": {"filters": "{:,}", "depthwise": "{:,}", "pointwise": "{:,}", "ratio": "{:.0f}"}}
PUBLISHED_COUNTS = {
    "formats": {
        "parameters": "{:,}",
        "parameters_published": "{:g} M",
        "multiply_adds": "{:.3f} G",
        "with_normalisation": "{:.3f} G",
        "multiply_adds_published": "{:g} G",
    },
    "headers": {
        "resolution": "side",
        "parameters_published": "parameters, published",
        "multiply_adds": "multiply-adds",
        "multiply_adds_published": "multiply-adds, published",
    },
}
SAVING = {
    "formats": {"numbers": "{:,}", "share_of_filters": "{:.1f} %", "network": "{:,}", "network_saved": "{:.2f} %"},
    "headers": {
        "share_of_filters": "share of the filters' weights",
        "network": "parameters of the network",
        "network_saved": "saved of the network",
    },
}

COUNTS = [
    "variant",
    "resolution",
    "parameters",
    "parameters_published",
    "multiply_adds",
    "with_normalisation",
    "multiply_adds_published",
]


def stages_table(net: NetworkSize, table: pd.DataFrame) -> pd.DataFrame:
    """The stages of a network: blocks, channels, filters, and the parameters of both kinds of layers."""
    stages = pd.DataFrame({"stage": [1, 2, 3, 4], "blocks": net.depths, "channels": net.dims})
    stages["filters"] = stages.blocks * stages.channels
    for kind in ("depthwise", "pointwise"):
        parameters = table[table.kind == kind].groupby("stage").parameters.sum()
        stages[kind] = parameters.loc[stages.stage].to_numpy()
    stages["ratio"] = stages.pointwise / stages.depthwise
    return stages


def saving_table(filters: int, total: int, shared: Mapping[str, int]) -> pd.DataFrame:
    """The numbers that each representation of the filters needs: what is shared, and two a filter."""
    rows = [("learned filters", architecture.KERNEL**2 * filters)]
    rows += [(label, count + 2 * filters) for label, count in shared.items()]
    saving = pd.DataFrame(rows, columns=["representation", "numbers"])
    saving["share_of_filters"] = 100 * saving.numbers / saving.numbers[0]
    saving["network"] = total - saving.numbers[0] + saving.numbers
    saving["network_saved"] = 100 * (1 - saving.network / total)
    return saving


def agreement_numbers(counts) -> dict:
    """Numbers of the text: counts that agree."""
    work_gap = (counts.multiply_adds / counts.multiply_adds_published - 1).abs().max()
    return {
        "parameters_agree": page.of_all(int(counts.parameters_agree.sum()), len(counts)),
        "products_agree": int(counts.products_agree.sum()),
        "normalised_agree": int(counts.normalised_agree.sum()),
        "work_gap": (100 * work_gap, ".1f", "up"),
    }


def field_numbers(growth, image_sizes, sigma) -> dict:
    """Numbers of the text: how far the network sees."""
    reached = growth[growth.receptive_field >= image_sizes[0]].block.iloc[0]
    return {
        "block_reached": int(reached),
        "block_count": len(growth),
        "last_field": (int(growth.receptive_field.iloc[-1]), ","),
        "last_smoothing": (growth.smoothing.iloc[-1], ".0f", "up"),
        "sigma_key8": (sigma, ".3f"),
        "image_side": image_sizes[0],
    }


def count_numbers(filters, total, stages) -> dict:
    """Numbers of the text: filters and parameters counted."""
    return {
        "filter_count": (filters, ","),
        "parameter_count": (total, ","),
        "late_filters": (100 * stages.filters[2:].sum() / filters, ".0f"),
    }


def saving_numbers(saving, free_parameters) -> dict:
    """Numbers of the text: what eight filters save."""
    return {
        "saved_filters": (100 - saving.share_of_filters[3], ".0f"),
        "saved_network": (saving.network_saved[3], ".1f"),
        "joint_parameters": free_parameters("D-joint"),
    }


def share_numbers(shares) -> dict:
    """Numbers of the text: the depthwise layers' share."""
    return {
        "depthwise_parameters": (shares.loc["depthwise", "parameters"], ".2f"),
        "depthwise_work": (shares.loc["depthwise", "multiply-adds"], ".1f"),
    }
