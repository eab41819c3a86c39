"""The list of notebooks, `notebooks/manifest.yml`: order, parameter sets, budgets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .prerequisites import FASHION_MNIST, MODULES
from .project import BookError, Project, checked, fields, read_yaml

PROFILES = ("quick", "full")

_TEXT, _COUNT, _OBJECT = {"type": "string"}, {"type": "integer", "exclusiveMinimum": 0}, {"type": "object"}
_ROW = fields(
    "device", "needs", "play", "timed", *PROFILES,
    slug=_TEXT, title=_TEXT, section={"type": ["string", "integer"]}, minutes=_COUNT, budget_seconds=_COUNT,
    device={"enum": ["cpu", "gpu"]}, needs={"type": "array", "items": {"enum": [*MODULES, FASHION_MNIST]}},
    play=fields(address=_TEXT, words=_TEXT), timed={"type": "boolean"}, quick=_OBJECT, full=_OBJECT,
)  # fmt: skip
_SCHEMA = fields(notebooks={"type": "array", "items": _ROW, "minItems": 1})


@dataclass(frozen=True)
class Entry:
    """One notebook of the manifest."""

    slug: str
    title: str
    section: str
    minutes: int
    budget_seconds: int
    device: str = "cpu"
    needs: tuple[str, ...] = ()
    timed: bool = False
    play: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)


def _entry(row: dict[str, Any]) -> Entry:
    parameters = {profile: row.pop(profile, {}) for profile in PROFILES}
    return Entry(**row | {"section": str(row["section"]), "needs": tuple(row.get("needs", ())), "parameters": parameters})


def load_manifest(project: Project) -> list[Entry]:
    """Read and check the manifest; every notebook in it must be there.

    Raises `BookError`, naming the place and what is expected, for anything that is not a valid manifest.
    """
    name = project.short(project.manifest)
    entries = [_entry(row) for row in checked(read_yaml(project.manifest, name), _SCHEMA, name)["notebooks"]]
    slugs = [entry.slug for entry in entries]
    for slug in slugs:
        if slugs.count(slug) > 1:
            raise BookError(f"{name}: {slug} is listed twice")
        if not (project.notebooks / f"{slug}.ipynb").is_file():
            raise BookError(f"{name}: {slug} is listed, but there is no {slug}.ipynb beside it")
    return entries


def contents(project: Project) -> list[tuple[str, str]]:
    """The pages of the table of contents in its order, each with the caption of its part ("" for the first page)."""
    from sphinx_external_toc.parsing import parse_toc_yaml

    site = parse_toc_yaml(project.book / "_toc.yml")

    def below(page: str) -> list[str]:
        return [name for tree in site[page].subtrees for child in tree.items for name in (str(child), *below(child))]

    pages = [
        (tree.caption or "", name) for tree in site.root.subtrees for item in tree.items for name in (str(item), *below(item))
    ]
    return [("", site.root.docname), *pages]


def select(entries: list[Entry], only: str | None) -> str | None:
    """`only` if it names a notebook (a path or a file name will do), `None` if it is empty.

    Raises `BookError` with the valid names otherwise.
    """
    if not only:
        return None
    name = only.rsplit("/", 1)[-1].removesuffix(".ipynb")
    slugs = [entry.slug for entry in entries]
    if name not in slugs:
        raise BookError(f"unknown notebook {only!r}; the notebooks are {', '.join(slugs)}")
    return name
