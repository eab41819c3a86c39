"""A book of a few small notebooks in a temporary folder, complete enough to be built."""

import json
import shutil
from pathlib import Path

import nbformat
import numpy as np
from nbformat import v4

from keyfilters_build.execute import execute_all
from keyfilters_build.manifest import load_manifest
from keyfilters_build.project import Project
from keyfilters_build.run_store import cache_key, partial_folder, store_run

ROOT = Path(__file__).resolve().parents[2]


def tiny_notebook(slug):
    """A notebook that passes every gate: a figure, a table, a number, an equation, two exercises with solutions."""
    figure = v4.new_code_cell(f"fig, ax = plt.subplots()\nax.plot(x, x**2)\npage.figure(fig, 'fig-{slug}', data={{'x': x}})")
    figure.metadata.mystnb = {
        "figure": {"name": f"fig-{slug}", "caption": "A parabola $x^2$."},
        "image": {"alt": "A parabola through the origin."},
    }
    figure.metadata.lead = True
    parameters = v4.new_code_cell("n = 3\nevery = 1")
    parameters.metadata.tags = ["parameters"]
    exercises = "".join(
        f":::{{exercise}} 1.{i}, {level}\n:label: ex-{slug}-{i}\n:nonumber:\n\nHow large is the sum?\n:::\n\n"
        for i, level in ((1, "easy"), (2, "medium"))
    )
    cells = [
        v4.new_markdown_cell(
            f"# Page {slug}\n\nWhat is it about?\n\n**Answer.** A parabola.\n\n**Goals**\n\n- one\n\n**Prerequisites**\n\n- none"
        ),
        parameters,
        v4.new_code_cell(
            "import numpy as np\nimport pandas as pd\nfrom matplotlib import pyplot as plt\n"
            "from keyfilters_book import page\nx = np.arange(0, n, every)\n"
            "check_1_1 = check_1_2 = lambda answer: answer is not ... and answer == n * (n - 1) // 2\n"
            # Never executed: the kernels have the real package. What it reaches is part of the notebook's key.
            "if n < 0:\n    from keyfilters.code import ANSWER, NUMBERS\n    print(ANSWER, NUMBERS)"
        ),
        v4.new_markdown_cell(
            f"## Parabola\n\nSee {{numref}}`fig-{slug}`, {{numref}}`tbl-{slug}` and {{eq}}`eq-{slug}`; "
            f"the sum is {{glue:text}}`sum-{slug}`.\n\n$$ y = x^2 $$ (eq-{slug})"
        ),
        figure,
        v4.new_code_cell(
            f"page.table(pd.DataFrame({{'key': x, 'sigma': x / 3}}), 'tbl-{slug}', formats={{'sigma': '{{:.3f}}'}})\n"
            f"page.numbers(**{{'sum-{slug}': (float(x.sum()), '.2f')}})",
            metadata={"tables": {f"tbl-{slug}": "Scales."}},
        ),
        v4.new_markdown_cell(f"## Exercises\n\n{exercises}"),
        v4.new_code_cell("print('no', flush=True)\nprint('answer')\nanswer = ...\ncheck_1_1(answer)\ncheck_1_2(answer)"),
    ]
    for i in (1, 2):
        cells += [
            v4.new_markdown_cell(f":::{{solution-start}} ex-{slug}-{i}\n:class: dropdown\n:::"),
            v4.new_code_cell(f"assert check_1_{i}(x.sum())"),
            v4.new_markdown_cell(":::{solution-end}\n:::"),
        ]
    cells.append(v4.new_markdown_cell("## Summary\n\nDone.\n\n## What next\n\nNothing."))
    for position, cell in enumerate(cells):
        cell["id"] = f"cell-{position}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def write_notebook(project, slug, notebook):
    nbformat.write(notebook, project.notebooks / f"{slug}.ipynb")


def edit(project, slug, position, change):
    """Change the source of a cell: to what `change` returns for it, or to a text."""
    notebook = nbformat.read(project.notebooks / f"{slug}.ipynb", as_version=4)
    cell = notebook.cells[position]
    cell.source = change if isinstance(change, str) else change(cell.source)
    write_notebook(project, slug, notebook)


def write_manifest(project, slugs, **fields):
    """`fields` are added to each row; `quick={"n": 4}` for instance."""
    extra = "".join(f"    {name}: {value}\n" for name, value in fields.items())
    project.manifest.write_text(
        "notebooks:\n"
        + "".join(
            f"  - slug: {slug}\n    title: Page {slug}\n    section: 1\n    minutes: 1\n    budget_seconds: 60\n{extra}"
            for slug in slugs
        )
    )


def tiny_book(root, *slugs, **fields):
    """A project in `root` with the notebooks `slugs`, the configuration of the real book, and a package of its own."""
    project = Project(Path(root))
    for folder in (project.notebooks, project.book, project.package / "data"):
        folder.mkdir(parents=True)
    (project.package / "code.py").write_text(
        "from importlib.resources import files\n\nANSWER = 42\nNUMBERS = files('keyfilters') / 'data' / 'numbers.csv'\n"
    )
    (project.package / "data" / "numbers.csv").write_text("a\n1\n")
    project.lock.write_text("numpy==1\n")
    shutil.copy(ROOT / "_config.yml", project.config)
    shutil.copy(ROOT / "book" / "references.bib", project.book)
    shutil.copytree(ROOT / "book" / "_static", project.book / "_static")
    (project.book / "index.md").write_text("# Tiny\n\n```{include} _generated/status.md\n```\n\nSee {numref}`tbl-status`.\n")
    (project.book / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nchapters:\n" + "".join(f"  - file: notebooks/{slug}\n" for slug in slugs)
    )
    for slug in slugs:
        write_notebook(project, slug, tiny_notebook(slug))
    write_manifest(project, slugs, **fields)
    return project


def files(folder):
    """Name -> bytes of all files of a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def entry_of(project, slug):
    return next(entry for entry in load_manifest(project) if entry.slug == slug)


def executed(project, **options):
    """Slug -> run of the notebooks of a book, executed as the build does, and the failures."""
    runs, failures = execute_all(project, load_manifest(project), "quick", **options)
    return {run.entry.slug: run for run in runs}, failures


FACTS = {
    "seconds": 4.25, "memory_mb": 1204, "commit": "0123456789", "data_sha256": "ab" * 32, "device": "CPU, 2 cores",
    "processor": {"machine": "avx2", "kind": "avx2"}, "versions": {"python": "3.12.1", "numpy": "2.4.6"},
}  # fmt: skip
"""What is recorded of a run that `made` makes."""


def made(project, slug, profile="quick", *, numbers=None, claims=None, arrays=None, csv=None, **facts):
    """A stored run of a notebook that nobody executed, with these results and facts."""
    entry = entry_of(project, slug)
    partial = partial_folder(project, entry, profile)
    results = partial / "results"
    results.mkdir(parents=True)
    nbformat.write(v4.new_notebook(), partial / "notebook.ipynb")
    printed = {name: {"value": value, "text": text} for name, (value, text) in (numbers or {}).items()}
    (results / "numbers.json").write_text(json.dumps(printed))
    if claims:
        (results / "claims.json").write_text(json.dumps({s: {"holds": h, "shown": "1 of 2"} for s, h in claims.items()}))
    if arrays is not None:
        np.savez(results / "fig-a.npz", **arrays)
    if csv:
        (results / "tbl-a.csv").write_text(csv)
    return store_run(project, entry, profile, cache_key(project, entry, profile), FACTS | facts)


def copied(project, target):
    """A copy of a book with all that was built of it, to be changed."""
    shutil.copytree(project.root, target, symlinks=True)
    return Project(Path(target))


def executed_by_nobody(project, entries, profile, workers, environment):
    """Stands in for `keyfilters_build.execute._executed` where a test asks what is executed, not what comes out."""
    for entry in entries:
        partial = partial_folder(project, entry, profile)
        (partial / "results").mkdir(parents=True)
        (partial / "results" / f"tbl-{entry.slug}.csv").write_text("key\n1\n")
        shutil.copy(project.notebooks / f"{entry.slug}.ipynb", partial / "notebook.ipynb")
        yield entry, {"seconds": 0.1, "memory_mb": 100, "note": ""}
