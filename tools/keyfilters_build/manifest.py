"""The list of notebooks, `notebooks/manifest.yml`: order, parameter sets, budgets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from .needs import NEEDS
from .project import BookError, Project

__all__ = ["PROFILES", "Entry", "load_manifest", "select"]

PROFILES = ("quick", "full")

# field -> (types, default); a field without default must be given.
_REQUIRED = object()
_FIELDS: dict[str, tuple[tuple[type, ...], Any]] = {
    "slug": ((str,), _REQUIRED),
    "title": ((str,), _REQUIRED),
    "section": ((str, int), _REQUIRED),
    "minutes": ((int,), _REQUIRED),
    "budget_seconds": ((int,), _REQUIRED),
    "device": ((str,), "cpu"),
    "needs": ((list,), []),
    "timed": ((bool,), False),
    "quick": ((dict,), {}),
    "full": ((dict,), {}),
}


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
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)


def _entry(row: Any, position: int, name: str) -> Entry:
    if not isinstance(row, dict):
        raise BookError(f"{name}: row {position} is {row!r}; expected fields such as `slug:` and `title:`")
    where = f"{name}: row {position} ({row.get('slug', 'no slug')})"
    unknown = sorted(set(row) - set(_FIELDS))
    if unknown:
        raise BookError(f"{where}: unknown field {unknown[0]!r}; the fields are {', '.join(_FIELDS)}")
    values = {}
    for key, (types, default) in _FIELDS.items():
        value = row.get(key, default)
        if value is _REQUIRED:
            raise BookError(f"{where}: the field {key!r} is missing")
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise BookError(f"{where}: {key} is {value!r}; expected {types[0].__name__}")
        values[key] = value
    for key in ("minutes", "budget_seconds"):
        if values[key] <= 0:
            raise BookError(f"{where}: {key} is {values[key]}; expected a positive number")
    if values["device"] not in ("cpu", "gpu"):
        raise BookError(f"{where}: device is {values['device']!r}; expected cpu or gpu")
    unknown = [need for need in values["needs"] if need not in NEEDS]
    if unknown:
        raise BookError(f"{where}: needs {unknown[0]!r}; expected {', '.join(NEEDS)}")
    return Entry(
        slug=values["slug"],
        title=values["title"],
        section=str(values["section"]),
        minutes=values["minutes"],
        budget_seconds=values["budget_seconds"],
        device=values["device"],
        needs=tuple(values["needs"]),
        timed=values["timed"],
        parameters={profile: dict(values[profile]) for profile in PROFILES},
    )


def load_manifest(project: Project) -> list[Entry]:
    """Read and check the manifest; every notebook in it must be there.

    Raises `BookError`, naming the row and what is expected, for anything that is not a valid manifest.
    """
    name = project.short(project.manifest)
    try:
        content = yaml.safe_load(project.manifest.read_text(encoding="utf-8"))
    except OSError as error:
        raise BookError(f"{name}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())
        raise BookError(f"{name}: not valid YAML: {problem}") from None
    rows = content.get("notebooks") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not rows:
        raise BookError(f"{name}: expected a list of notebooks under `notebooks:`")
    entries = [_entry(row, position, name) for position, row in enumerate(rows, start=1)]
    seen = set()
    for entry in entries:
        if entry.slug in seen:
            raise BookError(f"{name}: {entry.slug} is listed twice")
        seen.add(entry.slug)
        if not (project.notebooks / f"{entry.slug}.ipynb").is_file():
            raise BookError(f"{name}: {entry.slug} is listed, but there is no {entry.slug}.ipynb beside it")
    return entries


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
