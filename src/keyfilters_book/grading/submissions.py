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
from .handed_in import RUNNABLE, code_cells
from .judge import exercises_of

# With a folder for each student, or without.
_MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_file(?:_.*)?")
_CANVAS = re.compile(r"(?P<name>[^_]+)_(?:LATE_)?(?P<id>\d+)_\d+_.+")
_MODULE = re.compile(r"keyfilters_book\.exercises\.(\w+)")


@dataclass(frozen=True)
class Submission:
    """What one student handed in: name and number as the course's system writes them, what can be run, and other files."""

    name: str
    number: str
    key: str
    notebooks: tuple[Path, ...] = ()
    others: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str, paths: Iterable[Path] = ()) -> Submission:
        """
        >>> Submission.of("Ada Lovelace_4711_assignsubmission_file").number
        '4711'
        >>> Submission.of("lovelaceada_815_23_method_a", [Path("sheet.pdf")])
        Submission(name='lovelaceada', number='815', key='lovelaceada_815_23_method_a', notebooks=(), others=('sheet.pdf',))
        """
        match = _MOODLE.fullmatch(text) or _CANVAS.fullmatch(text)
        paths = list(paths)
        return cls(
            match["name"] if match else text, match["id"] if match else "", text,
            tuple(path for path in paths if path.suffix in RUNNABLE),
            tuple(path.name for path in paths if path.suffix not in RUNNABLE),
        )  # fmt: skip


def find_submissions(folder: Path) -> list[Submission]:
    """A folder in `folder` is one student's, and so are the files in it that have one name and number."""
    found: dict[str, tuple[str, list[Path]]] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__")):
            continue
        files = [path]
        if path.is_dir():
            inside = [(p, p.relative_to(path).parts) for p in sorted(path.rglob("*")) if p.is_file()]
            files = [p for p, parts in inside if not any(part.startswith((".", "__")) for part in parts)]
        elif path.suffix not in RUNNABLE:
            continue
        text = path.name if path.is_dir() else path.stem
        one = Submission.of(text)
        found.setdefault(f"{one.name}_{one.number}" if one.number else text, (text, []))[1].extend(files)
    return [Submission.of(text, files) for text, files in found.values()]


def chapters() -> list[str]:
    """The chapters that have exercises."""
    return [module.name for module in iter_modules(exercises.__path__) if module.name != "verdict"]


def chapter_of(notebook: Path) -> str | None:
    """The chapter whose checks a notebook imports, else the one most of whose answers it sets."""
    try:
        text = "\n".join(source for _, source in code_cells(notebook))
    except ValueError:
        return None
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
