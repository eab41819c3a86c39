"""Sphinx extension: numbers of the pages as they are printed, whoever wrote them.

A run, a table and an author all type ``-2.1e-05`` and ``12 %``. The page has a true minus, a power of ten as such, and a
space that does not break before the sign of per cent. Code, formulas and files stay as they are.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

_POWER = re.compile(r"(?<![\w.])(?P<sign>[-+−]?)(?P<mantissa>\d(?:\.\d+)?)[eE](?P<exponent>[-+−]?\d+)(?!\w)")
_MINUS = re.compile(r"(?<![\w\-−.,)\]])-(?=\d)")
_PERCENT = re.compile(r"(?<=\d) (?=%)")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_AS_THEY_ARE = (
    nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw, nodes.comment,
    addnodes.desc_signature, addnodes.toctree, addnodes.index,
)  # fmt: skip


def _power(match: re.Match[str]) -> str:
    exponent = int(match["exponent"].replace("−", "-"))
    number = match["sign"] + match["mantissa"]
    if exponent == 0:
        return number
    power = f"10{str(exponent).translate(_RAISED)}"
    return match["sign"] + power if match["mantissa"] == "1" else f"{number}\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}{power}"


def printed(text: str) -> str:
    """Text with its numbers as they are printed.

    >>> printed("1e-12, -2.5e+03, from -0.3 to 7, 12 % of 3-5")
    '10⁻¹², −2.5\\xa0×\\xa010³, from −0.3 to 7, 12\\xa0% of 3-5'
    """
    return _PERCENT.sub("\N{NO-BREAK SPACE}", _MINUS.sub("−", _POWER.sub(_power, text)))


def _stays(node: nodes.Node | None) -> bool:
    while node is not None:
        if isinstance(node, _AS_THEY_ARE):
            return True
        node = node.parent
    return False


def _print_numbers(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    if app.builder.name != "html":
        return
    for text in list(doctree.findall(nodes.Text)):
        said = str(text)
        if not ("%" in said or any(digit in said for digit in "0123456789")) or _stays(text.parent):
            continue
        made = printed(said)
        before = text.parent[text.parent.index(text) - 1] if text.parent.index(text) else None
        if made.startswith(" %") and before is not None and before.astext()[-1:].isdigit():
            made = f"\N{NO-BREAK SPACE}{made[1:]}"
        if made != said:
            text.parent.replace(text, nodes.Text(made))


def setup(app: Sphinx) -> dict[str, Any]:
    """Entry point for Sphinx: after what stores the tables in files and what looks for terms."""
    app.connect("doctree-resolved", _print_numbers, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
