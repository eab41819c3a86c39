"""What the chapter *Joint scales* shows: its tables, and the figure of the pooled objectives."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import keyfilters as kf
from keyfilters.filters import GROUPS
from keyfilters_book import figures
from keyfilters_book.paper.tables import DECIMALS, scales_table

SCALES_SHOWN = ["method", "keys", "published", "reproduced", "difference", "rerun", "rerun_difference", "step"]
SCALES = {
    "formats": dict.fromkeys(("published", "reproduced", "rerun"), "{:.7f}")
    | dict.fromkeys(("difference", "rerun_difference"), "{:+.1e}")
    | {"step": "{:.1e}"},
    "headers": {"rerun": "grid run again", "rerun_difference": "grid - published", "step": "grid step"},
    "pairs": {"reproduced": "published"},
}
SENSITIVITY = {
    "formats": dict.fromkeys(("sigma", "from", "to", "least", "greatest"), "{:.3f}"),
    "headers": {
        "sigma": r"$\sigma_G$",
        "from": "1 % from",
        "to": "to",
        "least_without": "without key",
        "greatest_without": "without key",
    },
}
POOLING = {
    "formats": {"absolute": "{:.3f}", "relative": "{:.3f}", "largest_share": "{:.0f} %", "share8": "{:.1f} %"},
    "headers": {
        "absolute": "absolute errors",
        "relative": "relative errors",
        "largest": "largest term: key",
        "largest_share": "its share",
        "share8": "share of key 8",
    },
}


def published_scales(methods) -> pd.DataFrame:
    """The published joint scales without key 7, with the keys that share them."""
    published = pd.concat({method: scales_table(method) for method in methods}, names=["method"]).reset_index("method")
    published = published[published.key != "7"]
    return published.assign(keys=["1, 2, 3, 4, 8" if key[0] in "12348" else "5, 6" for key in published.key])


def pooled_figure(sigma, terms) -> tuple[Figure, pd.DataFrame]:
    """The pooled objectives and their terms, which are by method and key, around the joint scales; and the data."""
    shown = {"1-4, 8": (GROUPS["non-centred"], sigma <= 1.0), "5, 6": (GROUPS["centred"], sigma >= 0.7)}
    axes, panels = {}, {}
    for method, label in (("C", "l1 norm"), ("D", "squared l2 norm")):
        for name, (keys, part) in shown.items():
            title = f"{label}, keys {name}"
            axes[title], panels[title] = sigma[part], {key: terms[method][key][part] for key in keys}
    curves = {f"{method}_{key}": curve for method, group in terms.items() for key, curve in group.items()}
    return figures.pooled_objectives(axes, panels), pd.DataFrame({"sigma": sigma} | curves)


def _joint(method: str, keys) -> dict:
    return {"method": f"{method}-joint", "keys": ", ".join(map(str, keys)), "sigma": kf.fit_joint(method)[keys[0]].sigma_x}


def sensitivity_table(rows) -> pd.DataFrame:
    """How firm each joint scale is; a row is method, keys, scales within 1 % of the least, scales without each key."""
    table = []
    for method, keys, near, without in rows:
        low, high = min(without, key=without.get), max(without, key=without.get)
        ends = {"from": near.min(), "to": near.max()}
        least = {"least": without[low], "least_without": low}
        greatest = {"greatest": without[high], "greatest_without": high}
        table.append(_joint(method, keys) | ends | least | greatest)
    return pd.DataFrame(table)


def pooling_table(rows) -> pd.DataFrame:
    """Absolute beside relative errors; a row is method, keys, scale by relative errors, share of each key."""
    table = pd.DataFrame(
        _joint(method, keys)
        | {
            "relative": relative,
            "largest": max(share, key=share.get),
            "largest_share": 100 * max(share.values()),
            "share8": 100 * share.get(8, np.nan),
        }
        for method, keys, relative, share in rows
    )
    return table.rename(columns={"sigma": "absolute"})


def published_numbers(joint, published) -> dict:
    """Numbers of the text: published joint scales and ours."""
    difference = joint.difference.abs()
    return {
        "rows_published": len(published),
        "largest_difference": (difference.max(), ".0e", "up"),
        "largest_in_steps": ((difference / joint.step).max(), ".1f"),
        "largest_method": joint.method[difference.idxmax()],
        "largest_rerun": DECIMALS,
    }


def flat_numbers(sensitivity, by_c, by_d, sigma, total) -> dict:
    """Numbers of the text: how flat the joint criterion is."""
    first = sensitivity.iloc[0]
    return {
        "flat_from": (first["from"], ".2f"),
        "flat_to": (first["to"], ".2f"),
        "drop_least": (first["least"], ".2f"),
        "drop_key": int(first["least_without"]),
        "joint_c": (by_c, ".3f"),
        "joint_d": (by_d, ".3f"),
        "d_by_c": (100 * (np.interp(by_d, sigma, total) / total.min() - 1), ".1f"),
    }


def pooling_numbers(pooling) -> dict:
    """Numbers of the text: what each key adds to the pooled criterion."""
    return {
        "relative_d": (pooling.relative[2], ".3f"),
        "largest_key": int(pooling.largest[2]),
        "largest_share": (pooling.largest_share[2], ".0f"),
        "share_eight": (pooling.share8[2], ".0f"),
    }


def price_numbers(table, by_c, by_d) -> dict:
    """Numbers of the text: the price of one scale for several keys."""
    worst = table[table.key == 8].set_index("method").relative_l2
    return {
        "price_c": (by_c.median(), ".0f"),
        "price_d": (by_d.median(), ".0f"),
        "worst_d_key": int(by_d.idxmax()),
        "worst_d": (by_d.max(), ".0f"),
        "worst_d_before": (100 * worst["D1"], ".0f"),
        "worst_d_after": (100 * worst["D-joint"], ".0f"),
        "worst_c_key": int(by_c.idxmax()),
        "worst_c": (by_c.max(), ".0f"),
    }


def prices(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """By how much each key's norm grows from two scales to one, from that to the joint scale, and altogether, in per cent."""
    found, own = {}, table[table.key != 7]
    for letter, norm in (("C", "l1"), ("D", "l2")):
        wide = own.pivot(index="method", columns="key", values=f"relative_{norm}")
        two, one, shared = (wide.loc[letter + kind] for kind in ("1", "2", "-joint"))
        ratios = pd.DataFrame({"two to one": one / two, "one to joint": shared / one, "two to joint": shared / two}).T
        found[f"{letter}: growth of the {norm} norm (%)"] = 100 * (ratios - 1)
    return found
