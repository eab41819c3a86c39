"""Finds whose notebook is where: in a folder or archive of submissions, as Moodle, Canvas or a lecturer makes it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from .. import exercises
from ..exercises import EXERCISES
from .judge import exercises_of, unreadable_because

_MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_file_?")
_CANVAS = re.compile(r"(?P<name>[^_]+)_(?:LATE_)?(?P<id>\d+)_\d+_.+")
_MODULE = re.compile(r"keyfilters_book\.exercises\.(\w+)")


@dataclass(frozen=True)
class Submission:
    """What one student handed in: name and number as the course's system writes them, and the notebook (None: there is none)."""

    name: str
    number: str
    notebook: Path | None
    key: str

    @classmethod
    def named(cls, text: str, notebook: Path | None) -> Submission:
        """
        >>> Submission.named("Ada Lovelace_4711_assignsubmission_file", None).number
        '4711'
        >>> Submission.named("lovelaceada_815_23_method_a", None)
        Submission(name='lovelaceada', number='815', notebook=None, key='lovelaceada_815_23_method_a')
        """
        match = _MOODLE.fullmatch(text) or _CANVAS.fullmatch(text)
        return cls(match["name"] if match else text, match["id"] if match else "", notebook, text)


def find_submissions(folder: Path) -> list[Submission]:
    """A notebook in `folder` is one student's, and so is a folder in it, whose last notebook by name counts."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith((".", "__")):
            notebooks = [
                p for p in sorted(path.rglob("*.ipynb")) if not any(part[0] == "." for part in p.relative_to(path).parts)
            ]
            found.append(Submission.named(path.name, notebooks[-1] if notebooks else None))
        elif path.suffix == ".ipynb":
            found.append(Submission.named(path.stem, path))
    return found


def chapters() -> list[str]:
    """The chapters that have exercises."""
    return [module.name for module in iter_modules(exercises.__path__) if module.name != "verdict"]


def chapter_of(notebook: Path) -> str | None:
    """The chapter whose checks a notebook imports, else the one most of whose answers it sets."""
    if unreadable_because(notebook):
        return None
    text = notebook.read_text(encoding="utf-8")
    known = chapters()
    if named := Counter(name for name in _MODULE.findall(text) if name in known):
        return named.most_common(1)[0][0]
    count: Counter[str] = Counter()
    for chapter in known:
        import_module(f"keyfilters_book.exercises.{chapter}")
        names = [name for label in exercises_of(chapter) for name in EXERCISES[label].answers]
        count[chapter] = sum(bool(re.search(rf"\b{name} = |def {name}\(", text)) for name in names)
    chapter, times = count.most_common(1)[0]
    return chapter if times else None


def chapter_of_class(notebooks: Iterable[Path]) -> str | None:
    """The chapter that most notebooks are of."""
    count = Counter(chapter for notebook in notebooks if (chapter := chapter_of(notebook)))
    return count.most_common(1)[0][0] if count else None
