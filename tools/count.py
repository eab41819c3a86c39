"""How large the repository is, beside what it should be: `make count`, or `python tools/count.py [ROOT]`.

Of Python files it counts statements, as `ast` has them and without docstrings, so that no layout of lines matters. Of
notebooks it counts lines of code that are not blank. A cell is hidden whose page folds it (`hide-input`) or leaves it
out (`remove-cell` and its kin). It judges nothing: what stands above its target is said, and the exit status is 0.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

STATEMENTS = {
    "the library": (("src/keyfilters",), 6000),
    "src and tools": (("src", "tools"), 13000),
    "tests": (("tests",), 9000),
}
"""What is counted, in which folders, and its target in statements."""


def statements(source: str) -> int:
    """The statements of a module, inner ones included, without docstrings."""
    nodes = list(ast.walk(ast.parse(source)))
    documented = (
        node for node in nodes if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return sum(isinstance(node, ast.stmt) for node in nodes) - sum(ast.get_docstring(node) is not None for node in documented)


def cells(root: Path) -> Iterator[tuple[int, bool]]:
    """Lines of each cell of code in the notebooks, and whether it is hidden."""
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                lines = sum(bool(line.strip()) for line in "".join(cell["source"]).splitlines())
                yield (
                    lines,
                    any(
                        tag.startswith(("hide-", "remove-")) and tag != "hide-output"
                        for tag in cell["metadata"].get("tags", ())
                    ),
                )


def counts(root: Path) -> list[tuple[str, float, float]]:
    """What is counted, its number, and its target."""
    rows: list[tuple[str, float, float]] = []
    for name, (folders, target) in STATEMENTS.items():
        files = [path for folder in folders for path in (root / folder).rglob("*.py")]
        rows.append((f"statements in {name}", sum(statements(path.read_text(encoding="utf-8")) for path in files), target))
    found = list(cells(root))
    lines = sum(size for size, _ in found)
    visible = [size for size, hidden in found if not hidden]
    return [
        *rows,
        ("lines of code in notebooks", lines, 7500),
        ("of these hidden, in %", 100 * (lines - sum(visible)) / max(lines, 1), 15),
        ("lines of the longest visible cell", max(visible, default=0), 20),
        ("lines of the median visible cell", median(visible or [0]), 10),
    ]


def main(arguments: list[str]) -> None:
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    print(f"{'':34}{'now':>8}{'target':>8}")
    for name, number, target in counts(root):
        print(f"{name:34}{number:8,.0f}{target:8,}{'  above' if number > target else ''}")


if __name__ == "__main__":
    main(sys.argv[1:])
