"""How wide a figure must be shown so that its text is large enough to read.

A figure is drawn in points and shown at some width. A text of :math:`f` points in a figure :math:`w` inches wide has

.. math:: f \\, \\frac{W}{96\\, w} \\quad\\text{points where the figure is shown } W \\text{ CSS pixels wide.}

Indices and exponents are part of the text that they belong to and are drawn at 70 % of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from xml.etree import ElementTree

SMALLEST_TEXT = 9.0
"""The smallest text that a page shows, in points."""
COLUMN = 672
"""CSS pixels that a figure has in a window of 1280; below that it scrolls."""

_PX_PER_POINT = 96 / 72
_SVG = "{http://www.w3.org/2000/svg}"
# Matplotlib writes text as outlines of a font of 100 units, scaled, or as text with its size.
_OUTLINE_UNITS = 100
_SCALE = re.compile(r"scale\((\d*\.?\d+)")
_FONT_SIZE = re.compile(r"font(?:-size)?:[^;]*?(\d*\.?\d+)px")
_LENGTH = re.compile(r"(\d*\.?\d+)(pt|px)?")


def parsed(svg: bytes) -> ElementTree.Element:
    """The SVG with its comments: matplotlib writes what an outlined text says as one."""
    return ElementTree.fromstring(svg, ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True)))


def size(svg: bytes) -> tuple[float, float]:
    """Width and height of a figure, in points.

    >>> size(b'<svg xmlns="http://www.w3.org/2000/svg" width="144pt" height="96px"/>')
    (144.0, 72.0)
    """
    root = parsed(svg)
    found = []
    for side in ("width", "height"):
        match = _LENGTH.fullmatch((root.get(side) or "").strip())
        if not match:
            raise ValueError(f"{side} of the figure is {root.get(side)!r}; expected a length in pt or px")
        found.append(float(match[1]) / (1 if match[2] == "pt" else _PX_PER_POINT))
    return found[0], found[1]


def texts(svg: bytes) -> Iterator[tuple[float, str]]:
    """The size in points and the wording of each text of a figure that matplotlib wrote as SVG.

    >>> list(texts(b'<svg xmlns="http://www.w3.org/2000/svg"><g id="text_1"><!-- key 1 -->'
    ...            b'<g transform="translate(3 4) scale(0.11 -0.11)"/></g></svg>'))
    [(11.0, 'key 1')]
    """
    for group in parsed(svg).iter(f"{_SVG}g"):
        if not (group.get("id") or "").startswith("text_"):
            continue
        drawn = [child for child in group if isinstance(child.tag, str)]
        named = [child for child in group if not isinstance(child.tag, str)]
        label = (named[0].text if named else "".join(group.itertext())).strip()
        for child in drawn:
            scale = _SCALE.search(child.get("transform") or "")
            styles = [element.get("style") or "" for tag in ("text", "tspan") for element in child.iter(_SVG + tag)]
            fonts = [float(match[1]) for style in styles if (match := _FONT_SIZE.search(style))]
            if fonts:
                # The largest is that of the line; the others are its indices.
                yield round(max(fonts), 3), label
            elif scale:
                yield round(float(scale[1]) * _OUTLINE_UNITS, 3), label


def legible_width(svg: bytes) -> int:
    """CSS pixels that a figure must be wide for its smallest text to have `SMALLEST_TEXT` points; 0 for one without text."""
    smallest = min((points for points, _ in texts(svg)), default=None)
    if smallest is None:
        return 0
    return math.ceil(size(svg)[0] * _PX_PER_POINT * SMALLEST_TEXT / smallest)


def too_small(svg: bytes) -> str:
    """One line on the smallest text of the figure if it is smaller than `SMALLEST_TEXT` in the column of a page, else nothing."""
    width = size(svg)[0] * _PX_PER_POINT
    for points, label in sorted(texts(svg)):
        shown = points * COLUMN / width
        if shown < SMALLEST_TEXT:
            return (
                f"the text {label!r} of {points:g} pt would be shown with {shown:.1f} pt, because the figure is "
                f"{width / 96:.2f} in wide and a page shows it {COLUMN / 96:.2f} in wide; expected {SMALLEST_TEXT:g} pt or more: "
                f"draw it narrower or with larger text"
            )
    return ""
