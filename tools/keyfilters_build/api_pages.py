"""A Sphinx extension that fills the pages of the API reference from the docstrings.

A page of `book/api` has the line `<!-- library: PAGE -->`, which becomes a table of the names on that page of
`api_names.PAGES`, then one section a module with the entries, written by autodoc. `<!-- library: exports MODULE -->`
becomes a list of what a package exports, `<!-- library: commands -->` the help of every command, and
`<!-- library: messages -->` what the library says to mistakes.

The templates of Sphinx's autosummary make a page of each module or name. Readers have addresses of pages that hold several
modules, with each name at the place where users import it from, and of the places that it had before.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from .api_names import PACKAGES, PAGES, Name, formers, modules_of, names_of, page_of, public_modules
from .project import BookError, digest_code

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

_MARK = re.compile(r"^<!-- library: (?P<what>[\w. ]+?) -->$", re.MULTILINE)
_OBJECTS = {"function": "autofunction", "class": "autoclass"}
_NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
PICTURES = {
    "keyfilters.learned_filters": "learned_filters/fig-learned-eight",
    "keyfilters.normalized_filters": "normalization/fig-norm-filters",
    "keyfilters.discrete_gaussian": "discrete_scale_space/fig-scale-kernels",
    "keyfilters.molecule": "discrete_scale_space/fig-scale-molecules",
    "keyfilters.ideal_filter": "discrete_scale_space/fig-scale-models",
    "keyfilters.affine_molecule": "mixed_and_affine/fig-affine-molecules",
    "keyfilters.time_causal_kernel": "three_dimensions/fig-time-causal",
    "keyfilters.spread": "spread_measures/fig-spread-ellipses",
    "keyfilters.dc_compensation": "normalization/fig-norm-dc",
    "keyfilters.fit": "methods_c/fig-c-models",
    "keyfilters.fit_table": "all_methods/fig-scales",
    "keyfilters.fit_joint": "joint_scales/fig-joint-models",
    "keyfilters.fit_components": "what_models_leave_out/fig-left-out",
    "keyfilters.objective_map": "methods_c/fig-c-maps",
    "keyfilters.scorecard": "scorecard/fig-digits",
    "keyfilters.networks.ScaleSpaceConv2d": "learning_scales/fig-trajectories",
    "keyfilters.networks.match": "other_networks/fig-survey-lines",
    "keyfilters.networks.replace": "replacing_filters/fig-replacing-variants",
    "keyfilters.networks.inspect_model": "another_architecture/fig-lite0-nulls",
    "keyfilters.networks.two_rounds": "extracting_keys/fig-route-gallery",
}
"""Place of a name -> the figure of a chapter that shows what it gives."""
FIELDS = ("Parameters", "Attributes", "Returns", "Raises", "Yields")
_ROLES = {"function": "func", "class": "class", "data": "data"}


def filled(text: str) -> str:
    """The text of a page with its marks replaced.

    Raises `BookError` for a mark that names no page of the reference.

    >>> filled("<!-- library: layer -->")
    Traceback (most recent call last):
    keyfilters_build.project.BookError: <!-- library: layer -->: there is no such page in keyfilters_build.api_names.PAGES
    """
    return _MARK.sub(lambda mark: _part(mark["what"]), text)


def _part(what: str) -> str:
    kind, _, rest = what.partition(" ")
    if kind == "commands":
        return "\n".join(_commands())
    if kind == "messages":
        return "\n".join(f"`{call}`\n: `{message}`\n" for call, message in messages().items())
    if kind == "exports":
        places = {name.place: name for page in PAGES for name in names_of(page)}
        exported = [f"{rest}.{name}" for name in sorted(import_module(rest).__all__, key=str.lower)]
        return _rst(_table([places[place] for place in exported if place in places]))
    if what not in PAGES:
        raise BookError(f"<!-- library: {what} -->: there is no such page in keyfilters_build.api_names.PAGES")
    # First what packages export, which most readers look for.
    parts = [_rst(_table(sorted(names_of(what), key=lambda name: name.place.startswith(f"{name.module}."))))]
    for module in modules_of(what):
        parts.append(_section(module, [name for name in names_of(what) if name.module == module]))
    return "\n".join(parts)


def _rst(lines: list[str]) -> str:
    return "\n".join(["````{eval-rst}", *lines, "````", ""])


def _table(names: list[Name]) -> list[str]:
    lines = [".. list-table::", "   :header-rows: 1", "   :class: wrap api-names", "", "   * - Name", "     - What it is"]
    for name in names:
        lines += [f"   * - :py:{_ROLES[name.kind]}:`{name.name} <{name.place}>`"]
        # A reference in the summary is one of the module that it comes from.
        lines += [f"     - .. py:currentmodule:: {name.module}", "", f"       {name.summary}"]
    return [*lines, ""]


def _section(module: str, names: list[Name]) -> str:
    """The heading of a module, what its docstring says, and the entries."""
    loaded = import_module(module)
    lines = [f".. py:currentmodule:: {module}", "", *(loaded.__doc__ or "").strip().splitlines(), ""]
    parts = []
    for name in names:
        lines += [*_entry(name), ""]
        if name.place in PICTURES:
            parts += [_rst(lines), _picture(name.place)]
            lines = [f".. py:currentmodule:: {module}", ""]
    parts.append(_rst(lines))
    title, before = module.rpartition(".")[2], [module, *formers(module)][-1].rpartition(".")[2]
    # A section keeps the anchor of the name that its module had before.
    anchor = "" if before == title else f'<span id="{before.replace("_", "-")}"></span>\n\n'
    return f"## {title}\n\n{anchor}`{module}`\n\n" + "\n".join(parts)


def _picture(place: str) -> str:
    """The figure of a chapter that belongs to a name, as a run drew it, with its caption there."""
    slug, _, figure = PICTURES[place].partition("/")
    cells = json.loads((_NOTEBOOKS / f"{slug}.ipynb").read_text(encoding="utf-8"))["cells"]
    shown = [cell["metadata"]["mystnb"] for cell in cells if "figure" in cell["metadata"].get("mystnb", {})]
    own = [each for each in shown if each["figure"]["name"] == figure]
    if len(own) != 1:
        raise BookError(f"{place} has the picture {slug}/{figure}: notebooks/{slug}.ipynb has no such figure; see PICTURES")
    return "\n".join([
        f":::{{figure}} ../_generated/data/{slug}/{figure}.svg",
        f":name: fig-api-{place.rpartition('.')[2].lower().replace('_', '-')}",
        f":alt: {own[0]['image']['alt']}",
        "",
        f"{own[0]['figure']['caption']} From {{doc}}`../notebooks/{slug}`.",
        ":::",
        "",
    ])  # fmt: skip


def _entry(name: Name) -> list[str]:
    if name.kind == "data":
        return [
            f".. py:data:: {name.name}",
            f"   :module: {name.place.rpartition('.')[0]}",
            "",
            *(f"   {line}".rstrip() for line in name.doc.splitlines()),
        ]
    members = ["   :members:", "   :member-order: bysource"] if name.kind == "class" else []
    return [f".. {_OBJECTS[name.kind]}:: {name.place}", *members]


def _commands() -> list[str]:
    """One section for each command with what its `--help` prints, whatever the width of the builder's terminal."""
    from keyfilters.cli import _parser

    (commands,) = (action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction))
    lines = []
    for name, command in commands.choices.items():
        command.formatter_class = partial(command.formatter_class, width=78)
        lines += [f"## `keyfilters {name}`", "", "```text", command.format_help().rstrip(), "```", ""]
    return lines


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
            Path(page).write_text("<!DOCTYPE html>\n", encoding="utf-8")
        for call in MISTAKES:
            try:
                eval(call, dict(names))
            except ValueError as error:
                found[call] = str(error)
            if "\n" in found.get(call, "\n"):
                raise AssertionError(f"{call}: expected a ValueError of one line")
    return found


def _own_reference(app: Sphinx, environment: BuildEnvironment, node: nodes.Element, content: nodes.Node) -> nodes.Node | None:
    """Lead a reference in a docstring to the name's place: a docstring names it as its own module knows it."""
    from sphinx.util.nodes import make_refnode

    target = node.get("reftarget", "").lstrip(".")
    if node.get("refdomain") != "py" or ("." in target and target.partition(".")[0] not in PACKAGES):
        return None
    if node["reftype"] == "mod":
        page = next((page_of(m) for m in public_modules() if m == target or m.endswith(f".{target}")), None)
        return page and make_refnode(app.builder, node["refdoc"], f"api/{page}", "", content)
    objects = environment.get_domain("py").objects
    home = str(node.get("py:module") or "").split(".")
    last = target.rpartition(".")[2]
    found = [place for place in objects if place.rpartition(".")[2] == last]
    if not found:
        return None
    wanted = target.split(".")

    def nearness(place: str) -> tuple[int, int]:
        parts = place.split(".")
        return len(os.path.commonprefix([wanted, parts])), len(os.path.commonprefix([home, parts]))

    place = max(sorted(found), key=nearness)
    return make_refnode(app.builder, node["refdoc"], objects[place].docname, objects[place].node_id, content, place)


def _sections(lines: list[str]) -> Iterator[str]:
    """Give plain paragraphs that follow a section of fields a heading: napoleon takes them for one more field.

    >>> print("\\n".join(_sections(["Raises", "------", "ValueError", "    If.", "", "Slow.", "", "Source: a book."])))
    Raises
    ------
    ValueError
        If.
    <BLANKLINE>
    Notes
    -----
    Slow.
    <BLANKLINE>
    Source
    ------
    a book.
    """
    fields = False
    for place, line in enumerate(lines):
        following = lines[place + 1] if place + 1 < len(lines) else ""
        heading = following.startswith("---")
        if heading:
            fields = line in FIELDS
        elif line.startswith("Source: "):
            yield from ("Source", "------")
            line, fields = line.removeprefix("Source: "), False
        elif fields and line[:1].strip("- ") and not lines[place - 1].strip() and not following.startswith(" "):
            yield from ("Notes", "-----")
            fields = False
        yield line


def _for_napoleon(app: Sphinx, what: str, name: str, item: object, options: object, lines: list[str]) -> None:
    """Prepare a docstring for napoleon, which knows less than our docstrings say."""
    if what == "property":
        # An empty comment: napoleon takes the first line of a property for `type: description`.
        lines[:0] = ["..", ""]
    lines[:] = list(_sections(lines))


def _former_addresses(app: Sphinx, doctree: nodes.document) -> None:
    """An entry keeps the anchors of the names that it had before."""
    from sphinx.addnodes import desc_signature

    for node in doctree.findall(desc_signature):
        node["ids"] += [old for place in list(node["ids"]) for old in formers(place)]


def _read(app: Sphinx, docname: str, source: list[str]) -> None:
    if _filled(docname):
        source[0] = filled(source[0])


def _outdated(app: Sphinx, environment: BuildEnvironment, *_: object) -> list[str]:
    """The pages that are made from docstrings, when any file of the library changed since they were read."""
    # A book of other notebooks has no pages of these functions, and no pictures of theirs.
    drawn = [place for place, figure in PICTURES.items() if (_NOTEBOOKS / f"{figure.partition('/')[0]}.ipynb").is_file()]
    digest = digest_code() + "".join(map(_picture, drawn))
    if getattr(environment, "keyfilters_library", None) == digest:
        return []
    environment.keyfilters_library = digest
    return [name for name in environment.found_docs if _filled(name)]


def _filled(docname: str) -> bool:
    return docname.startswith("api/") or docname == "own_network"


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("env-get-outdated", _outdated)
    app.connect("source-read", _read)
    # Before napoleon.
    app.connect("autodoc-process-docstring", _for_napoleon, priority=400)
    app.connect("missing-reference", _own_reference)
    app.connect("doctree-read", _former_addresses)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
