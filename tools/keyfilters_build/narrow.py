"""A second drawing of a figure for a phone: panels that stand beside each other go on in further lines.

It is made from the SVG that a run stored, not by drawing anew: panels are moved as they are, so that the text is larger in
comparison with the page. A row of eight becomes two rows of four. Rows of a grid whose titles stand above the first row
alone are moved together, and a line that begins in the middle of a row gets the labels at the left of that row. Where
that is not enough, as for a figure of one panel, the axis to the right is drawn shorter; text and markers keep their form.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np

from .text_size import parsed, size, texts

PHONE = 375
"""CSS pixels that a figure has on a phone, where it reaches from edge to edge."""
SMALLEST = 9.0
"""CSS pixels of the smallest text of a figure there."""

_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_NUMBER = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")
_STEP = re.compile(r"(\w+)\(([^)]*)\)")
_MARGIN = 7.2  # points around a figure: matplotlib's own
_GAP = 8.0  # points, at least, between what one line of panels shows and the next
_SHORTEST = 0.6  # the share of its length that an axis keeps at least
_BAR = 0.35  # a panel narrower than this share of the widest is the scale of the one before it

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def text_pixels(svg: bytes, width: float = PHONE) -> float:
    """CSS pixels of the smallest text of a figure that is shown `width` CSS pixels wide; infinite for one without text."""
    # A figure is not shown larger than it was drawn.
    shown = min(width, size(svg)[0] * 96 / 72)
    return min((points for points, _ in texts(svg)), default=float("inf")) * shown / size(svg)[0]


def narrow(svg: bytes) -> bytes | None:
    """The drawing of a figure for a phone, None where it is not needed or where no other order makes the text larger.

    The panels have the most columns with which the smallest text has `SMALLEST` pixels on a phone; where no number of
    columns does, those with the largest text, drawn narrower.
    """
    # As printed, 8.95 are 9.0.
    if text_pixels(svg) >= SMALLEST - 0.05:
        return None
    best, drawing = svg, _Drawing(svg)
    for columns in range(drawing.columns - 1, 0, -1):
        made = drawing.with_columns(columns)
        if made is None:
            break
        best = max(best, made, key=text_pixels)
        if text_pixels(best) >= SMALLEST:
            break
    if text_pixels(best) < SMALLEST:
        best = _Drawing(best).as_wide_as(size(best)[0] * text_pixels(best) / SMALLEST)
    return best if best != svg else None


def _union(boxes: Iterable[Box]) -> Box:
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def _transform(text: str) -> np.ndarray:
    matrix = np.eye(3)
    for name, arguments in _STEP.findall(text):
        values = [float(value) for value in _NUMBER.findall(arguments)]
        step = np.eye(3)
        if name == "translate":
            step[:2, 2] = [*values, 0.0][:2]
        elif name == "scale":
            step[0, 0], step[1, 1] = [*values, *values][:2]
        elif name == "rotate":
            angle = np.deg2rad(values[0])
            step[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
            centre = np.array([*values[1:], 0.0, 0.0][:2])
            step[:2, 2] = centre - step[:2, :2] @ centre
        elif name == "matrix":
            step[:2] = np.reshape(values, (3, 2)).T
        else:
            raise ValueError(f"transform is {text!r}; expected translate, scale, rotate and matrix")
        matrix = matrix @ step
    return matrix


@dataclass
class _Panel:
    """One axes of a figure: its frame, and all that it shows."""

    element: ElementTree.Element
    frame: Box
    full: Box
    texts: list[tuple[Box, ElementTree.Element]]

    def left_texts(self) -> list[tuple[Box, ElementTree.Element]]:
        return [(box, text) for box, text in self.texts if box[2] <= self.frame[0] + 1]

    def titled(self) -> bool:
        return any(box[3] <= self.frame[1] + 1 and box[2] > self.frame[0] for box, _ in self.texts)

    def captioned(self) -> bool:
        return any(box[1] >= self.frame[3] - 1 for box, _ in self.texts)


def _runs(panels: list[_Panel], side: int) -> list[list[_Panel]]:
    """Panels whose frames overlap from left to right (`side` 0) or from top to bottom (1), in order."""
    found: list[list[_Panel]] = []
    end = -np.inf
    for panel in sorted(panels, key=lambda panel: panel.frame[side]):
        if panel.frame[side] < end - 0.5:
            found[-1].append(panel)
        else:
            found.append([panel])
        end = max(end, panel.frame[side + 2])
    return found


def _columns(panels: list[_Panel]) -> list[list[_Panel]]:
    found = _runs(panels, 0)
    widest = max(panel.frame[2] - panel.frame[0] for panel in panels)
    joined = [found[0]]
    for column in found[1:]:
        if all(panel.frame[2] - panel.frame[0] < _BAR * widest for panel in column):
            joined[-1] = joined[-1] + column
        else:
            joined.append(column)
    return joined


@dataclass
class _Band:
    """Rows of panels that are moved together."""

    columns: list[list[_Panel]]
    box: Box = field(init=False)

    def __post_init__(self) -> None:
        self.box = _union(panel.full for column in self.columns for panel in column)


class _Drawing:
    """A figure as matplotlib wrote it, taken apart."""

    def __init__(self, svg: bytes) -> None:
        self.root = parsed(svg)
        self.points: dict[ElementTree.Element, np.ndarray] = {}
        self.named = {element.get("id"): element for element in self.root.iter() if element.get("id")}
        self.clips = {
            name: self._box(element, np.eye(3), within=True)
            for name, element in self.named.items()
            if element.tag == f"{_SVG}clipPath"
        }
        figure = self.named["figure_1"]
        panels, self.around = [], []
        parts = [part for child in figure for part in (child if (child.get("id") or "").startswith("subfigure_") else [child])]
        for child in parts:
            name = child.get("id") or ""
            box = self._box(child)
            if box is None or name.startswith("patch_"):
                continue
            if name.startswith("axes_"):
                panels.append(self._panel(child, box))
            else:
                self.around.append((box, child))
        if panels:
            # Several texts beside each other above the panels head their columns: each goes with its own.
            top = min(panel.frame[1] for panel in panels)
            heads = [(box, child) for box, child in self.around if box[3] <= top]
            heads = [head for head in heads if sum(abs(head[0][3] - other[0][3]) < 1 for other in heads) > 1]
            self.around = [each for each in self.around if each not in heads]
            self.bands = self._bands(panels, [_Panel(child, box, box, []) for box, child in heads])
        else:
            self.bands = []

    @property
    def columns(self) -> int:
        return max((len(band.columns) for band in self.bands), default=0)

    def _box(self, element: ElementTree.Element, outer: np.ndarray | None = None, *, within: bool = False) -> Box | None:
        """What an element covers; None for what shows nothing."""
        outer = np.eye(3) if outer is None else outer
        kind = element.tag.removeprefix(_SVG) if isinstance(element.tag, str) else ""
        if kind in ("defs", "") or (kind == "clipPath" and not within):
            return None
        matrix = outer @ _transform(element.get("transform") or "")
        boxes: list[Box] = []
        if kind == "path":
            # All commands that matplotlib writes are absolute and end in pairs.
            if element not in self.points:
                self.points[element] = np.array(_NUMBER.findall(element.get("d") or ""), dtype=float).reshape(-1, 2)
            boxes += _covered(self.points[element], matrix)
        elif kind in ("rect", "image"):
            x, y, width, height = (float(element.get(name) or 0) for name in ("x", "y", "width", "height"))
            boxes += _covered(np.array([[x, y], [x + width, y], [x, y + height], [x + width, y + height]]), matrix)
        elif kind == "use":
            moved = _transform(f"translate({element.get('x') or 0} {element.get('y') or 0})")
            target = self.named.get((element.get(_LINK) or "")[1:])
            found = None if target is None else self._box(target, matrix @ moved)
            boxes += [found] if found else []
        for child in element:
            found = self._box(child, matrix)
            boxes += [found] if found else []
        clip = re.fullmatch(r"url\(#(.+)\)", element.get("clip-path") or "")
        box = _union(boxes) if boxes else None
        limits = self.clips.get(clip[1]) if clip else None
        if box and limits:
            left, top = np.maximum(box[:2], limits[:2])
            right, bottom = np.minimum(box[2:], limits[2:])
            return (left, top, right, bottom) if left <= right and top <= bottom else None
        return box

    def _panel(self, element: ElementTree.Element, full: Box) -> _Panel:
        patch = next((child for child in element if (child.get("id") or "").startswith("patch_")), None)
        labels = [text for text in element.iter(f"{_SVG}g") if (text.get("id") or "").startswith("text_")]
        boxes = [(box, text) for text in labels if (box := self._box(text))]
        # A panel without a background begins where its picture does.
        images = [box for image in element.iter(f"{_SVG}image") if (box := self._box(image))]
        frame = images[0] if images else (self._box(patch) if patch is not None else None)
        return _Panel(element, frame or full, full, boxes)

    @staticmethod
    def _bands(panels: list[_Panel], heads: list[_Panel]) -> list[_Band]:
        rows = _runs(panels, 1)
        bands = [rows[0]]
        for above, row in pairwise(rows):
            if any(panel.titled() for panel in row) or any(panel.captioned() for panel in above):
                bands.append(row)
            else:
                bands[-1] = bands[-1] + row
        bands[0] = heads + bands[0]
        return [_Band(_columns(band)) for band in bands]

    def with_columns(self, most: int) -> bytes | None:
        """The figure with at most so many panels in a line; None where something stands where no rule has a place for it."""
        root = copy.deepcopy(self.root)
        copies = dict(zip(self.root.iter(), root.iter(), strict=True))
        figure = copies[self.named["figure_1"]]
        placed: list[Box] = []

        def put(element: ElementTree.Element, box: Box, dx: float, dy: float) -> None:
            if dx or dy:
                own = element.get("transform")
                element.set("transform", f"translate({dx:.6g} {dy:.6g})" + (f" {own}" if own else ""))
            placed.append((box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy))

        everything = _union(band.box for band in self.bands)
        beside = [(box, child) for box, child in self.around if box[3] > everything[1] and box[1] < everything[3]]
        if any(box[2] > min(panel.frame[0] for panel in self.bands[0].columns[0]) + 1 for box, _ in beside):
            return None
        cursor = everything[1]
        for number, band in enumerate(self.bands):
            if number:
                cursor += max(band.box[1] - self.bands[number - 1].box[3], _GAP)
            first = band.columns[0]
            start = min(panel.frame[0] for panel in first)
            lines = -(-len(band.columns) // most)
            share = -(-len(band.columns) // lines)
            ours = [(box, child) for box, child in beside if band.box[1] <= (box[1] + box[3]) / 2 <= band.box[3]]
            for begin in range(0, len(band.columns), share):
                group = band.columns[begin : begin + share]
                dx = start - min(panel.frame[0] for panel in group[0])
                top = min(panel.full[1] for column in group for panel in column)
                bottom = max(panel.full[3] for column in group for panel in column)
                labels = list(ours) if begin else []
                for panel in group[0] if begin else ():
                    if panel.frame[0] > start - dx + 1:
                        continue  # the scale beside a panel
                    like = next((p for p in first if abs(p.frame[1] - panel.frame[1]) < 1 and p.left_texts()), None)
                    if like is not None and not panel.left_texts():
                        labels += like.left_texts()
                dy = cursor - top
                for column in group:
                    for panel in column:
                        put(copies[panel.element], panel.full, dx, dy)
                for box, text in labels:
                    put(_again(figure, text, len(placed)), box, 0.0, dy)
                if not begin:
                    for box, child in ours:
                        put(copies[child], box, 0.0, dy)
                cursor += bottom - top + (_GAP if begin + share < len(band.columns) else 0.0)
        middle = (everything[0] + everything[2]) / 2
        left, _, right, bottom = _union(placed)
        for box, child in self.around:
            if (box, child) in beside:
                continue
            # What stands in the middle stays there; what begins at the left does too.
            centred = abs((box[0] + box[2]) / 2 - middle) < abs(box[0] - everything[0])
            dx = (left + right) / 2 - (box[0] + box[2]) / 2 if centred else 0.0
            put(copies[child], box, dx, bottom - everything[3] if box[1] >= everything[3] else 0.0)
        return _framed(root, _union(placed))

    def as_wide_as(self, points: float) -> bytes:
        """The figure with all axes to the right so much shorter that it is as wide; text, legends and markers keep their form."""
        rigid: list[tuple[ElementTree.Element, Box, float, float]] = []
        drawn: list[tuple[ElementTree.Element, Box, float]] = []
        moved: list[tuple[ElementTree.Element, np.ndarray]] = []
        free: list[ElementTree.Element] = []

        def walk(element: ElementTree.Element, frame: Box | None, shift: float) -> None:
            name, kind = element.get("id") or "", str(element.tag).removeprefix(_SVG)
            if kind == "defs" or name == "patch_1":
                return
            if kind == "g" and not name.startswith("text_"):
                matrix = _transform(element.get("transform") or "")
                if not np.allclose(matrix[:2, :2], np.eye(2)):
                    if turned := self._box(element):
                        drawn.append((element, turned, shift))
                    return
                if (matrix[:2, 2] != 0).any():
                    moved.append((element, matrix))
                    shift += matrix[0, 2]
                # A region of clipping would stay as wide as it was; that of a curve is its own and goes with it.
                free.append(element)
                if name.startswith("axes_") and (box := self._box(element, _back(matrix))):
                    frame = self._panel(element, box).frame
            box = self._box(element)
            if box is None:
                return
            if name.startswith(("text_", "legend_")) or kind == "use":
                anchor = _anchor(box, frame, name)
                rigid.append((element, box, anchor, shift))
            elif kind in ("path", "rect", "image"):
                drawn.append((element, box, shift))
            else:
                for child in element:
                    walk(child, frame, shift)

        walk(self.named["figure_1"], None, 0.0)

        def covered(share: float) -> Box:
            boxes = [(share * (b[0] + shift), b[1], share * (b[2] + shift), b[3]) for _, b, shift in drawn]
            for _, box, anchor, shift in rigid:
                dx = (share - 1) * anchor + share * shift
                boxes.append((box[0] + dx, box[1], box[2] + dx, box[3]))
            return _union(boxes)

        share = 1.0
        while share > _SHORTEST and (box := covered(share))[2] - box[0] + 2 * _MARGIN > points:
            share -= 0.01
        root = copy.deepcopy(self.root)
        copies = dict(zip(self.root.iter(), root.iter(), strict=True))
        for element in free:
            copies[element].attrib.pop("clip-path", None)
        for element, matrix in moved:
            copies[element].set("transform", f"translate({share * matrix[0, 2]:.6g} {matrix[1, 2]:.6g})")
        for element, transform in [
            *((element, f"translate({(share - 1) * anchor:.6g} 0)") for element, _, anchor, _ in rigid),
            *((element, f"scale({share:.6g} 1)") for element, _, _ in drawn),
        ]:
            copies[element].set("transform", " ".join([transform, element.get("transform") or ""]).strip())
        left, _, right, _ = covered(share)
        _, top, _, height = (float(value) for value in root.get("viewBox", "").split())
        return _framed(root, (left, top + _MARGIN, right, top + height - _MARGIN))


def _back(matrix: np.ndarray) -> np.ndarray:
    back = np.eye(3)
    back[:2, 2] = -matrix[:2, 2]
    return back


def _anchor(box: Box, frame: Box | None, name: str) -> float:
    """The place of a text, a legend or a marker that stays where it is: the side with which it stands at something."""
    beside = name.startswith("text_again")
    if frame is not None and name.startswith("legend_"):
        return box[2] if box[0] + box[2] > frame[0] + frame[2] else box[0]
    if beside or (frame is not None and box[2] <= frame[0] + 1):
        return box[2]
    if frame is not None and box[0] >= frame[2] - 1:
        return box[0]
    return (box[0] + box[2]) / 2


def _covered(points: np.ndarray, matrix: np.ndarray) -> list[Box]:
    if not len(points):
        return []
    moved = points @ matrix[:2, :2].T + matrix[:2, 2]
    (left, top), (right, bottom) = moved.min(axis=0), moved.max(axis=0)
    return [(left, top, right, bottom)]


def _again(figure: ElementTree.Element, text: ElementTree.Element, number: int) -> ElementTree.Element:
    """A second one of `text`, which draws with what the first defines."""
    second = copy.deepcopy(text)
    for element in list(second.iter()):
        element.attrib.pop("id", None)
        for child in list(element):
            if child.tag == f"{_SVG}defs":
                element.remove(child)
    second.set("id", f"text_again_{number}")
    figure.append(second)
    return second


def _framed(root: ElementTree.Element, box: Box) -> bytes:
    left, top = box[0] - _MARGIN, box[1] - _MARGIN
    width, height = box[2] - left + _MARGIN, box[3] - top + _MARGIN
    root.set("width", f"{width:.6g}pt")
    root.set("height", f"{height:.6g}pt")
    root.set("viewBox", f"{left:.6g} {top:.6g} {width:.6g} {height:.6g}")
    ground = root.find(f".//{_SVG}g[@id='patch_1']/{_SVG}path")
    if ground is not None:
        # As matplotlib writes paths, so that a drawing can be taken apart a second time.
        corners = ((left, top), (left + width, top), (left + width, top + height), (left, top + height))
        ground.set("d", "M " + " L ".join(f"{x:.6g} {y:.6g}" for x, y in corners) + " z")
    ElementTree.register_namespace("", _SVG[1:-1])
    ElementTree.register_namespace("xlink", _LINK[1:].partition("}")[0])
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
