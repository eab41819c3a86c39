"""Mistakes with networks and what the library says to them, produced when the page that shows them is made."""

from __future__ import annotations

import tempfile
from contextlib import chdir

__all__ = ["MISTAKES", "messages"]

MISTAKES = (
    'load_model("convnext_v2_atto", weights="mine.pth")',
    'load_model("convnextv2_atto", weights="nowhere.pth")',
    'load_model("convnextv2_atto", weights="other.pth")',
    'load_model("convnextv2_atto", weights="page.pth")',
    'replace(nn.Sequential(nn.Conv2d(3, 8, 3)))',
    'replace(network, mode="affin")',
    'replace(network, layers="stages.9.*")',
    'replace(network, "learned", mode="own")',
    'inspect_model(network, nulls="chance")',
    'inspect_model(network, nulls="none").write("report.pdf")',
    'inspect_model(network, nulls="none").write("page.html")',
    'compare(network, network, torch.randn(2, 3, 96, 96))',
)  # fmt: skip
"""Calls that fail. `network` has one depthwise layer for 8 channels; `other.pth` is a checkpoint of another network, `page.pth`
a page that was stored under the name of one, `page.html` a file that is there already."""


def messages() -> dict[str, str]:
    """Each call of `MISTAKES` with the one line that it raises.

    Raises `AssertionError` for a call that does not fail with a `ValueError` of one line.
    """
    import torch
    from torch import nn

    from keyfilters import networks

    names = {"nn": nn, "torch": torch, "network": nn.Sequential(nn.Conv2d(8, 8, 7, padding=3, groups=8))}
    names |= {name: getattr(networks, name) for name in ("compare", "inspect_model", "load_model", "replace")}
    found = {}
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        torch.save(nn.Conv2d(3, 8, 3).state_dict(), "other.pth")
        for page in ("page.pth", "page.html"):
            with open(page, "w", encoding="utf-8") as stream:
                stream.write("<!DOCTYPE html>\n")
        for call in MISTAKES:
            try:
                eval(call, dict(names))
            except ValueError as error:
                found[call] = str(error)
            if "\n" in found.get(call, "\n"):
                raise AssertionError(f"{call}: expected a ValueError of one line")
    return found
