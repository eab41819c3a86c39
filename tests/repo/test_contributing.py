"""The three recipes of CONTRIBUTING.md, followed to the letter in a copy of the tree. (The page is executed, not built into the book.)"""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
STEP = re.compile(r"^\d\. `(?P<path>[^`]+)`", re.MULTILINE)
BLOCK = re.compile(r"^( *)```\w+\n(.*?)^\1```", re.MULTILINE | re.DOTALL)

EXECUTE = """
from pathlib import Path
from keyfilters_build.build import check_runs, check_sources
from keyfilters_build.execute import execute_all
from keyfilters_build.manifest import load_manifest
from keyfilters_build.project import Project

project = Project(Path.cwd())
[entry] = [entry for entry in load_manifest(project) if entry.slug == "molecules"]
print(check_sources(project, [entry]))
runs, failures = execute_all(project, [entry], "quick", jobs=1)
print(failures, check_runs(project, runs))
"""


def steps(title):
    """What a recipe has for each file: the blocks of code below it, without their indentation."""
    recipe = TEXT.partition(f"## {title}\n")[2].partition("\n## ")[0]
    _, *parts = re.split(r"(?m)^(?=\d\. `)", recipe)
    blocks = {
        STEP.match(part)["path"]: [
            "".join(line.removeprefix(indent) for line in code.splitlines(keepends=True))
            for indent, code in BLOCK.findall(part)
        ]
        for part in parts
    }
    assert len(blocks) == len(parts) and re.search(
        rf"\b{['three', 'four', 'five'][len(parts) - 3]} files\b", recipe, re.IGNORECASE
    )
    return blocks


@pytest.fixture
def tree(tmp_path):
    """A copy of the repository, and a way to run Python there: what it has comes before what is installed."""
    kept = shutil.ignore_patterns("__pycache__", ".*", "_build")
    for name in ("book", "notebooks", "src", "tests", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=kept)
    for name in ("_config.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path / "src"), str(tmp_path / "tools")])}

    def run(*arguments):
        done = subprocess.run([sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    return tmp_path, run


def lines_of(path, table):
    """Index of the first and behind the last line of the assignment to `table`."""
    nodes = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.Assign | ast.AnnAssign)]
    targets = [getattr(node, "target", None) or node.targets[0] for node in nodes]
    [node] = [node for node, target in zip(nodes, targets, strict=True) if getattr(target, "id", None) == table]
    return node.lineno - 1, node.end_lineno


def put(path, start, end, text):
    """Put `text` in the place of lines of a file."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines[:start], text, *lines[end:]]), encoding="utf-8")


def add_row(path, table, row):
    """Behind the last row of the table that is indented alike."""
    lines, indent = path.read_text(encoding="utf-8").splitlines(), re.match(" *", row)[0]
    last = max(n for n in range(*lines_of(path, table)) if re.match(f"{indent}[^ ]", lines[n]))
    put(path, last + 1, last + 1, row)


def replace(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path.name}: {old}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_add_a_key(tree):
    root, run = tree
    (operators, [row]), (filters, [table]), (test, [content]) = steps("Add a key").items()
    add_row(root / operators, "OPERATORS", row)
    put(root / filters, *lines_of(root / filters, "FURTHER_KEYS"), table)
    (root / test).write_text(content, encoding="utf-8")
    assert f"python -m pytest {test}` is green" in TEXT
    assert "1 passed" in run("-m", "pytest", "-q", "-n", "0", test)
    run("-c", "import keyfilters as kf; print(kf.fit(9, 'D1', filter=kf.learned_filters()[3]))")


def test_add_a_method(tree):
    root, run = tree
    (variance, [function]), (methods, [row]), (choices, []), (test, [content]) = steps("Add a method of fitting").items()
    (root / variance).write_text((root / variance).read_text(encoding="utf-8") + "\n\n" + function, encoding="utf-8")
    add_row(root / methods, "METHODS", row)
    name = re.match(r"def (\w+)", function)[1]
    replace(root / methods, "import closed_form, ", f"import {name}, closed_form, ")
    replace(root / choices, '"D1", "D2"]', '"D1", "D2", "E"]')
    (root / test).write_text(content, encoding="utf-8")
    [command] = re.findall(r"`python -m (pytest tests/library/fitting/test_method_e.py [^`]*)`", TEXT)
    run("-m", *command.split(), "-q", "-n", "0")
    assert "sigma_x" in run("-m", "keyfilters.cli", "fit", "--method", "E")


def molecules(exercise, names):
    """The notebook that the recipe describes, cell by cell; `names` are those that keep the answers."""
    chapter = re.search(r"\{exercise\} (\d+)\.1, easy", exercise)[1]
    cells = [
        v4.new_markdown_cell(
            "# Two molecules\n\nWhat are they?\n\n**Answer.** One.\n\n**Goals**\n\n- to see them\n\n**Prerequisites**\n\n- none"
        ),
        v4.new_code_cell("scale = 0.7  # of the smoothing, in grid units", metadata={"tags": ["parameters"]}),
        v4.new_code_cell(
            "import keyfilters as kf\nfrom keyfilters_book.exercises.molecules import "
            + ", ".join(f"check_{chapter}_{number}" for number in (1, 2, 3))
        ),
        v4.new_markdown_cell("## A difference of a difference\n\nIt is one, see {numref}`fig-molecules`."),
        v4.new_code_cell(
            "from keyfilters_book import figures, page\n\nrow = kf.ideal_filter(5, scale)[3]\n"
            'page.figure(figures.kernel_stems({"": {"key 5": row}}), "fig-molecules", data={"row": row})',
            metadata={
                "lead": True,
                "mystnb": {"figure": {"name": "fig-molecules", "caption": "A row."}, "image": {"alt": "Stems."}},
            },
        ),
        v4.new_markdown_cell("## Exercises"),
    ]
    for number, (level, taps, name) in enumerate(zip(("easy", "medium", "harder"), (2, 3, 5), names, strict=True), start=1):
        text = exercise.replace("1, easy", f"{number}, {level}").replace("molecules-1", f"molecules-{number}")
        cells += [
            v4.new_markdown_cell(text),
            v4.new_code_cell(f"{name} = ...\ncheck_{chapter}_{number}({name})"),
            v4.new_markdown_cell(f":::{{solution-start}} ex-molecules-{number}\n:class: dropdown\n:::"),
            v4.new_code_cell(f"assert check_{chapter}_{number}({taps})"),
            v4.new_markdown_cell(":::{solution-end}\n:::"),
        ]
    cells += [v4.new_markdown_cell("## Summary\n\nDone."), v4.new_markdown_cell("## What next\n\nNothing.")]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def test_add_a_page(tree):
    root, run = tree
    (manifest, [row]), (contents, []), (notebook, [exercise]), (checks, [module]), (answers, [right]) = steps(
        "Add a page"
    ).items()
    with (root / manifest).open("a", encoding="utf-8") as file:
        file.write(row)
    *_, slug, _ = re.findall(r"(?m)^  - slug: (\w+)$", (root / manifest).read_text(encoding="utf-8"))
    last = f"      - file: notebooks/{slug}\n"
    replace(root / contents, last, last + last.replace(slug, "molecules"))
    nbformat.write(molecules(exercise, re.findall(r'answers="(\w+)"', module)), root / notebook)
    (root / checks).write_text(module, encoding="utf-8")
    (root / answers).write_text(right, encoding="utf-8")
    assert "written into: molecules" in run("-m", "keyfilters_build", "launch")
    assert run("-c", EXECUTE).split() == ["[]", "[]", "[]"]
    assert "passed" in run("-m", "pytest", "-q", "-n", "0", "tests/chapters/test_exercises.py", "-k", "molecules")
