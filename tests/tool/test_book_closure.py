"""What a run depends on: on the modules and data that its code reaches, and on nothing else."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
import yaml
from tiny_book import ROOT, entry_of, executed, tiny_book, write_notebook

from keyfilters_build import closure as reading
from keyfilters_build import execute
from keyfilters_build import run_store as runs
from keyfilters_build.closure import EXECUTORS, Library, needed
from keyfilters_build.launch import is_install_cell
from keyfilters_build.manifest import load_manifest
from keyfilters_build.project import Project, write_atomic
from keyfilters_build.run_store import cache_keys, page_source

REAL = Project(ROOT)
SLUGS = [entry.slug for entry in load_manifest(REAL)]
# It executes in a few seconds; the others are traced by the long tests.
QUICK = ("convnext_architecture",)
# One chapter that draws with a figure function, two that read a table, three that have neither; the long tests change all.
SOME = (
    "convnext_architecture",
    "discrete_scale_space",
    "method_a",
    "replacing_filters",
    "reproducibility",
    "what_a_unit_wants",
)


def code_of(slug):
    notebook = nbformat.read(REAL.notebooks / f"{slug}.ipynb", as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code" and not is_install_cell(cell)]


@pytest.fixture
def copied(tmp_path):
    """The package, the notebooks and the lock of this repository, to be changed at will."""
    project = Project(tmp_path / "copy")
    for package in REAL.packages:
        shutil.copytree(package, project.package.with_name(package.name), ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(REAL.notebooks, project.notebooks)
    shutil.copy(REAL.lock, project.lock)
    return project


@pytest.fixture
def fake(monkeypatch):
    """Notebooks are not executed: each run leaves its cells, as papermill would with a cell of its own, and no results."""

    def executed(project, entries, profile, workers, environment):
        for entry in entries:
            partial = runs.partial_folder(project, entry, profile)
            (partial / "results").mkdir(parents=True)
            notebook = nbformat.read(project.notebooks / f"{entry.slug}.ipynb", as_version=4)
            code = [cell for cell in notebook.cells if cell.cell_type == "code"]
            for count, cell in enumerate(code, start=1):
                cell.execution_count = count
                cell.outputs = [nbformat.v4.new_output("stream", text=f"output {count} of {entry.slug}\n")]
            notebook.cells.insert(
                2, nbformat.v4.new_code_cell("n = 1", metadata={"tags": ["injected-parameters"]}, id="injected")
            )
            nbformat.write(notebook, partial / "notebook.ipynb")
            yield entry, {"seconds": 1.0, "memory_mb": 1, "note": ""}

    monkeypatch.setattr(execute, "_executed", executed)
    monkeypatch.setattr(execute, "_warm_up", lambda environment: None)
    monkeypatch.setattr(execute, "provide", lambda needs: None)


def fresh(project):
    """The notebooks that a build executes now."""
    made, failures = executed(project)
    assert not failures
    return {slug for slug, run in made.items() if run.fresh}


def replaced(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path.name} no longer has {old!r}: choose another"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def prefixed(path, text):
    path.write_text(text + path.read_text(encoding="utf-8"), encoding="utf-8")


def calling(*names):
    """The notebooks whose code has one of these names."""
    return {slug for slug in SLUGS if any(re.search(rf"\b{name}\b", "\n".join(code_of(slug))) for name in names)}


@pytest.mark.parametrize("slugs", [SOME, pytest.param(SLUGS, marks=pytest.mark.slow)], ids=["some", "all"])
def test_a_module_of_figures_executes_the_chapters_that_draw_with_it_and_nothing_else_does(copied, fake, slugs):
    """Through the build's own entry, on the real package and notebooks, one change after the other."""
    package, chapters = copied.packages
    rows = [row for row in yaml.safe_load(copied.manifest.read_text())["notebooks"] if row["slug"] in slugs]
    copied.manifest.write_text(yaml.safe_dump({"notebooks": rows}))
    assert fresh(copied) == set(slugs)
    assert fresh(copied) == set()
    digits = chapters / "figures" / "digits.py"
    # A module of figures, which one chapter draws with.
    replaced(digits, "row_height: float = 0.62", "row_height: float = 0.63")
    assert fresh(copied) == {"reproducibility"}
    # What no run depends on: comments, docstrings, the form of the code, parts that no notebook calls.
    prefixed(digits, "# A comment.\n\n")
    replaced(digits, '    """Return labelled values per group', '    """Draws labelled values per group')
    replaced(package / "gaussian.py", "import numpy as np\n", "import numpy as np  # numbers\n\n")
    prefixed(package / "cli.py", "import json as unused\n")
    replaced(package / "__init__.py", '"published": (', '"networks": (),\n    "published": (')
    prefixed(chapters / "claims.py", "# Another comment.\n\n")
    (package / "networks" / "new_room.py").write_text("x = 1\n")
    prefixed(package / "data" / "README.md", "Another word.\n\n")
    # Markdown, captions, alternative texts and tags that concern the page.
    for slug in slugs:
        path = copied.notebooks / f"{slug}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        notebook.cells[0].source += "\n\nOne more word."
        notebook.cells.insert(3, nbformat.v4.new_markdown_cell("More.", id="more"))
        for cell in notebook.cells:
            cell.metadata.get("mystnb", {}).get("figure", {})["caption"] = "Another caption."
        cell.metadata.tags = ["hide-input"]
        nbformat.write(notebook, path)
    # Distributions that no notebook imports.
    changed, count = re.subn(r"(?m)^(check-jsonschema|sphinx|zizmor)==\S+", r"\1==0.0.1", copied.lock.read_text())
    assert count == 3
    copied.lock.write_text(changed)
    assert fresh(copied) == set()
    # Data that some read, and what all who show a figure call.
    replaced(chapters / "data" / "convnext_v2.csv", "\n", "\n\n")
    assert fresh(copied) == {"convnext_architecture", "replacing_filters", "lenet_to_depthwise"} & set(slugs)
    replaced(chapters / "page.py", "_PNG_DPI = 144", "_PNG_DPI = 145")
    assert fresh(copied) == calling("page.figure") & set(slugs) > {"method_a"}


def test_what_another_processor_would_compute_is_another_run(copied, monkeypatch):
    entries = [entry for entry in load_manifest(copied) if entry.slug in SOME]
    before = cache_keys(copied, entries, "quick")
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    after = cache_keys(copied, entries, "quick")
    assert all(after[slug] != before[slug] for slug in SOME)


def test_each_output_stands_below_its_own_cell_when_the_text_changed(tmp_path, fake):
    project = tiny_book(tmp_path / "book", "one")
    assert fresh(project) == {"one"}
    notebook = nbformat.read(project.notebooks / "one.ipynb", as_version=4)
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell("A new paragraph.", id="new"))
    notebook.cells[0].source += " Another word."
    for cell in notebook.cells:
        cell["id"] = f"other-{cell['id']}"
    write_notebook(project, "one", notebook)
    runs, _ = executed(project)
    shown = page_source(project, runs["one"])
    assert not runs["one"].fresh and [cell.source for cell in shown.cells] == [cell.source for cell in notebook.cells]
    outputs = [cell.outputs[0].text for cell in shown.cells if cell.cell_type == "code"]
    assert outputs == [f"output {n} of one\n" for n in range(1, len(outputs) + 1)]
    assert "injected" not in [cell["id"] for cell in shown.cells]


PACKAGE = {
    "__init__.py": """
from importlib import import_module
_ROOMS = {"core": ("first", "second"), "figures.lines": ("drawn",)}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}
def __getattr__(name):
    value = getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    globals()[name] = value
    return value
""",
    "core.py": '''
import numpy as np
from importlib.resources import files
from .helpers import helped
LIMIT = 3
def first(x):
    """Says what."""
    return helped(x) + LIMIT
def second(x):
    with (files("keyfilters") / "data" / "second.csv").open() as stream:
        return stream.read()
def third(x):
    from scipy import special
    return special.ive(0, x)
''',
    "helpers.py": "import math\ndef helped(x):\n    return math.sin(x)\n",
    "figures/__init__.py": "from .lines import drawn\nfrom .bars import bars\n",
    "figures/style.py": "RC = dict(width=2)\n",
    "figures/lines.py": "from .style import RC\ndef drawn(x):\n    return RC\n",
    "figures/bars.py": "def bars(x):\n    return 2\ndef stacked(x):\n    return 3\n",
    "telling.py": "from .core import first\ndef told():\n    return first.__doc__\n",
    "stored.py": "from pathlib import Path\ndef rows(name):\n    return Path(__file__).parent.joinpath('data', 'runs', name).read_text()\n",
    "loading.py": "from importlib import import_module\ndef loaded(name):\n    return import_module(f'keyfilters.{name}')\n",
    "data/second.csv": "1\n",
    "data/other.csv": "1\n",
    "data/runs/one.csv": "1\n",
}

CODE = {
    "lines": ["import keyfilters as kf", "kf.drawn(1)"],
    "facade": ["from keyfilters import figures\nfigures.bars(1)"],
    "core": ["import keyfilters as kf\nkf.first(1)"],
    "within": ["def f():\n    from keyfilters.helpers import helped\n    return helped(1)"],
    "stored": ["from keyfilters.stored import rows\nrows('o' + 'ne.csv')"],
    "telling": ["from keyfilters.telling import told\ntold()"],
    "whole": ["from keyfilters import figures\nprint(vars(figures))"],
    "loading": ["from keyfilters.loading import loaded\nloaded('fig' + 'ures')"],
    "computed": ["import keyfilters as kf\nkf.of_old()"],
    "magic": ["%timeit 1\n"],
}


@pytest.fixture
def small(tmp_path):
    project = Project(tmp_path)
    for name, text in PACKAGE.items():
        write_atomic(project.package / name, text)
    return project


def digests(project):
    return {name: Library(project).closure(cells).digest() for name, cells in CODE.items()}


ANY = {"loading", "computed", "magic"}
"""Notebooks that may reach whatever there is: any change of code executes them."""


@pytest.mark.parametrize(("file", "old", "new", "changed"), [
    pytest.param("figures/lines.py", "return RC", "return RC, 1", {"lines", "whole"} | ANY, id="a figure"),
    pytest.param("figures/bars.py", "return 2", "return 5", {"facade", "whole"} | ANY, id="a figure behind a facade"),
    pytest.param("figures/style.py", "width=2", "width=3", {"lines", "whole"} | ANY, id="what a figure imports"),
    pytest.param("core.py", "LIMIT = 3", "LIMIT = 4", {"core", "telling"} | ANY, id="a constant"),
    pytest.param("core.py", '"""Says what."""', '"""Says more."""', set(), id="a docstring"),
    pytest.param("telling.py", "def told", "# three\ndef told", {"telling"} | ANY, id="a comment where docstrings are read"),
    pytest.param("core.py", "LIMIT = 3", "# three\nLIMIT  =  3", set(), id="a comment"),
    pytest.param("helpers.py", "math.sin(x)", "math.cos(x)", {"core", "within", "telling"} | ANY, id="a helper elsewhere"),
    pytest.param("core.py", "import special", "import fft as special", {"core", "telling"} | ANY, id="an import in a function"),
    pytest.param("figures/__init__.py", "import bars", "import stacked as bars", {"facade", "whole"} | ANY, id="a facade"),
    pytest.param("__init__.py", '"core": ("first", "second")', '"core": ("second",), "helpers": ("first",)', {"core"} | ANY, id="a room"),
    pytest.param("data/second.csv", "1", "2", {"core", "telling"} | ANY, id="data"),
    pytest.param("data/runs/one.csv", "1", "2", {"stored"} | ANY, id="data in a folder"),
    pytest.param("data/other.csv", "1", "2", set(), id="other data"),
])  # fmt: skip
def test_a_change_reaches_whoever_can_reach_it(small, file, old, new, changed):
    before = digests(small)
    assert digests(small) == before
    replaced(small.package / file, old, new)
    after = digests(small)
    assert {name for name in CODE if after[name] != before[name]} == changed


TRACER = """
import json, sys, threading
from pathlib import Path
from IPython.core.interactiveshell import InteractiveShell

PACKAGE, cells = {package!r}, {cells!r}
shell = InteractiveShell.instance()
before = set(sys.modules)
calls, files = set(), set()


def traced(frame, event, argument):
    code = frame.f_code
    if event != "call" or not code.co_filename.startswith(PACKAGE) or code.co_name == "<module>":
        return
    # What a module does while it is imported, bodies of classes and decorators, is no call of a notebook.
    caller = frame.f_back.f_code
    if caller.co_name != "<module>" or not caller.co_filename.startswith(PACKAGE):
        calls.add(code.co_filename)


def opened(event, arguments):
    if event == "open" and str(arguments[0]).startswith(PACKAGE) and Path(arguments[0]).suffix not in (".py", ".pyc"):
        files.add(str(arguments[0]))


sys.addaudithook(opened)
threading.setprofile(traced)
sys.setprofile(traced)
for cell in cells:
    shell.run_cell(cell).raise_error()
sys.setprofile(None)
loaded = sorted(set(sys.modules) - before)
files = sorted(path for path in files if Path(path).is_file())
Path({out!r}).write_text(json.dumps({{"calls": sorted(calls), "modules": loaded, "files": files}}))
"""


@pytest.mark.parametrize("slug", [pytest.param(slug, marks=[] if slug in QUICK else pytest.mark.slow) for slug in SLUGS])
def test_nothing_is_executed_that_is_not_part_of_the_key(slug, tmp_path):
    """The oracle: the module of every function that a run calls, every distribution that it loads, every file that it opens."""
    closure = Library(REAL).closure(code_of(slug))
    script, out = tmp_path / "run.py", tmp_path / "found.json"
    cells = []
    for cell in nbformat.read(REAL.notebooks / f"{slug}.ipynb", as_version=4).cells:
        cells += [cell.source] if cell.cell_type == "code" else []
        if "parameters" in cell.metadata.get("tags", []):
            cells += [f"{name} = {value!r}" for name, value in entry_of(REAL, slug).parameters["quick"].items()]
    script.write_text(TRACER.format(package=str(REAL.package), out=str(out), cells=cells))
    environment = {**execute.kernel_environment(REAL), "KEYFILTERS_RESULTS": str(tmp_path / "results"), "MPLBACKEND": "agg"}
    done = subprocess.run([sys.executable, script], cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    found = json.loads(out.read_text())
    names = {str(path): name for name, path in Library(REAL).modules.items()}
    # Packages hand on names, old ones too; what they do themselves to find a name computes nothing.
    called = {names[file] for file in found["calls"] if Path(file).name not in ("__init__.py", "_moved.py")}
    assert len(called) > 5, "the tracer saw next to nothing"
    assert called <= set(closure.modules)
    assert {Path(file).relative_to(REAL.package.parent).as_posix() for file in found["files"]} <= set(closure.data)
    # What the executors need themselves computes nothing, and is loaded all the same.
    known, todo = set(needed(REAL, closure.outside)), list(EXECUTORS)
    while todo:
        others = reading._installed(todo.pop())[1] - known
        known |= others
        todo += others
    owners = metadata.packages_distributions()
    loaded = {name.partition(".")[0] for name in found["modules"]} - sys.stdlib_module_names - {"keyfilters", "keyfilters_book"}
    foreign = {name: owners[name] for name in loaded if name in owners}
    assert not {name for name, owner in foreign.items() if not known & {part.lower().replace("_", "-") for part in owner}}
