"""Run elsewhere: the cell that installs the library, the launch links, and what Binder makes."""

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from urllib.parse import parse_qs, urlsplit

import lxml.html
import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tiny_book import ROOT, tiny_book, tiny_notebook

from keyfilters_build.check import check_source
from keyfilters_build.command import main
from keyfilters_build.launch import CELL, SUBDIRECTORY, expected_cells, install_cell, write_install_cells
from keyfilters_build.manifest import load_manifest
from keyfilters_build.prerequisites import MODULES
from keyfilters_build.project import Project
from keyfilters_build.provenance import commit

BOOK = Project(ROOT)
ENTRIES = load_manifest(BOOK)
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))


def pyproject(folder):
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


def in_git():
    if commit(ROOT) == "no commit":
        pytest.skip("this copy of the book is no git repository")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(listed.stdout.split("\0"))


# --- the cell --------------------------------------------------------------------


def test_the_second_cell_is_one_statement_that_takes_what_the_links_open_and_its_extras_exist():
    project, chapters = (pyproject(folder)["project"] for folder in (ROOT, ROOT / SUBDIRECTORY))
    assert (project["name"], chapters["name"]) == ("keyfilters", "keyfilters-book")
    texts = expected_cells(BOOK, ENTRIES)
    for entry in ENTRIES:
        cell, text = nbformat.read(ROOT / "notebooks" / f"{entry.slug}.ipynb", as_version=4).cells[1], texts[entry.slug]
        assert (cell["id"], cell.metadata["tags"]) == (CELL, ["remove-cell"])
        assert cell.source == text, "run python -m keyfilters_build launch"
        comment, statement = text.splitlines()
        assert comment.startswith("# ") and ("Fashion-MNIST" in text) == ("fashion-mnist" in entry.needs)
        addresses = re.findall(r"git\+([^@]+)@([^\s#]+)(#subdirectory=src/keyfilters_book)?", statement)
        assert [address[:2] for address in addresses] == 2 * [(CONFIG["repository"]["url"], CONFIG["repository"]["branch"])]
        extras = {extra for group in re.findall(r"keyfilters\[(.+?)\]", statement) for extra in group.split(",")}
        assert extras <= set(project["optional-dependencies"])


def test_the_tag_of_the_version_is_not_behind_the_code():
    """After a release the version is raised, so that one version is one state of the code."""
    version = pyproject(ROOT)["project"]["version"]
    in_git()
    tag = f"refs/tags/v{version}"
    found = subprocess.run(["git", "rev-parse", "--verify", "--quiet", tag], cwd=ROOT, capture_output=True)
    if found.returncode:
        return  # The version is that of the release to come.
    changed = subprocess.run(["git", "diff", "--stat", tag, "--", "src", "notebooks"], cwd=ROOT, capture_output=True, text=True)
    assert not changed.stdout, f"there is a release {version} already; raise the version:\n{changed.stdout}"


def run_cell(text, monkeypatch, capsys, missing=("keyfilters", "torch")):
    """What the cell has pip install where modules are missing; it prints nothing by itself."""
    calls = []
    monkeypatch.setattr(subprocess, "check_call", calls.append)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in missing else name)
    exec(compile(text, "cell", "exec"), {})
    assert capsys.readouterr() == ("", "") and all(call[:5] == [sys.executable, *"-m pip install -q".split()] for call in calls)
    return [call[5:] for call in calls]


ALL = ["networks", "representations", "survey", "volumes", "fashion-mnist"]
RELEASE = ["git+https://example.org/book@v1.2.0", "git+https://example.org/book@v1.2.0#subdirectory=src/keyfilters_book"]
EXTRAS = ["keyfilters[networks,representations,survey,volumes]"]


@pytest.mark.parametrize(("needs", "missing", "installed"), [
    (ALL, ("keyfilters", "torch"), [RELEASE, EXTRAS]),
    # The package of the chapters comes from the release of the library.
    (ALL, ("keyfilters_book",), [RELEASE]),
    # Without an address: the library, which may be a clone that is being worked on, stays as it is.
    *((ALL, (module,), [EXTRAS]) for module in sorted({module for modules in MODULES.values() for module in modules})),
    (ALL, (), []),
    ([], ("torch", "pywt"), []),
    ([], ("keyfilters", "torch"), [RELEASE]),
])  # fmt: skip
def test_the_cell_installs_what_is_missing_and_nothing_else(monkeypatch, capsys, needs, missing, installed):
    text = install_cell(needs, "https://example.org/book", "v1.2.0")
    assert run_cell(text, monkeypatch, capsys, missing) == installed


def test_a_failed_pip_stops_the_notebook_with_the_command(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(subprocess.CalledProcessError, match="pip.*install.*git.*@v1.2.0.* non-zero exit status 1"):
        exec(compile(install_cell(ALL, "https://example.org/book", "v1.2.0"), "cell", "exec"), {})


def test_every_package_of_an_extra_is_looked_for():
    """By the names under which they are imported."""
    extras = pyproject(ROOT)["project"]["optional-dependencies"]
    imported = {}
    for module, packages in importlib.metadata.packages_distributions().items():
        for package in packages:
            imported.setdefault(canonicalize_name(package), set()).add(module)
    for extra, modules in MODULES.items():
        wanted = {canonicalize_name(Requirement(text).name) for text in extras[extra]}
        assert all(imported[package] & set(modules) for package in wanted), extra
        assert all(any(module in imported[package] for package in wanted) for module in modules), extra


@pytest.fixture
def packaged(tmp_path):
    """A small book that is a package, and so needs the cell."""
    project = tiny_book(tmp_path, "one")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "keyfilters"\nversion = "1.2.0"\n')
    return project


def test_the_command_writes_the_cell_and_nothing_else(packaged, capsys):
    path = packaged.notebooks / "one.ipynb"
    before = nbformat.read(path, as_version=4)
    assert main(["launch"], root=packaged.root) == 0
    assert "written into: one" in capsys.readouterr().out
    after = nbformat.read(path, as_version=4)
    assert after.cells[:1] + after.cells[2:] == before.cells and after.metadata == before.metadata
    once = path.read_bytes()
    assert write_install_cells(packaged, load_manifest(packaged)) == [] and path.read_bytes() == once
    config = packaged.root / "_config.yml"
    config.write_text(config.read_text().replace("branch: main", "branch: v1.3.0"))
    assert write_install_cells(packaged, load_manifest(packaged)) == ["one"]
    assert path.read_bytes() == once.replace(b"@main", b"@v1.3.0")


def test_the_build_refuses_a_notebook_without_it_with_a_stale_one_and_with_one_that_the_page_would_show(packaged, capsys):
    assert main(["build"], root=packaged.root) == 1
    said = "one: cell 2: is not the cell that installs the library; run python -m keyfilters_build launch"
    assert said in capsys.readouterr().err
    write_install_cells(packaged, load_manifest(packaged))
    notebook = nbformat.read(packaged.notebooks / "one.ipynb", as_version=4)
    text = expected_cells(packaged, load_manifest(packaged))["one"]
    assert check_source("one", notebook, text) == check_source("one", tiny_notebook("one")) == []
    assert check_source("one", notebook, text + "#") != []
    notebook.cells[1].metadata.tags = []
    assert check_source("one", notebook, text) != []


# --- the links ---------------------------------------------------------------------


COLAB, BINDER = (urlsplit(CONFIG["launch_buttons"][name]).netloc for name in ("colab_url", "binderhub_url"))


def target(link):
    """(owner/repository, branch, path) that a launch link opens; None for another link."""
    parts = urlsplit(link)
    if parts.netloc == COLAB:
        return re.fullmatch(r"/github/([^/]+/[^/]+)/blob/([^/]+)/(.+)", parts.path).groups()
    if parts.netloc == BINDER:
        [place] = parse_qs(parts.query)["urlpath"]
        return (*re.fullmatch(r"/v2/gh/([^/]+/[^/]+)/([^/]+)", parts.path).groups(), place.removeprefix("lab/tree/"))
    return None


HERE = (urlsplit(CONFIG["repository"]["url"]).path.strip("/"), CONFIG["repository"]["branch"])


@pytest.mark.book
def test_every_launch_link_opens_a_file_in_git(book_html):
    files = in_git()
    for path in (
        path for path in sorted(book_html.rglob("*.html")) if not path.relative_to(book_html).parts[0].startswith("_")
    ):
        links = [link for link in lxml.html.parse(str(path)).getroot().xpath("//a/@href") if target(link)]
        targets = set(map(target, links))
        if path.parent.name == "notebooks":
            assert targets == {(*HERE, f"notebooks/{path.stem}.ipynb")}, path
            assert {urlsplit(link).netloc for link in links} == {COLAB, BINDER}, path
        assert all(place[:2] == HERE and place[2] in files for place in targets), (path, targets)


def test_the_launch_links_of_the_readme_open_files_in_git():
    links = re.findall(r"\]\((https://[^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    first, second = filter(None, map(target, links))
    assert first[:2] == second[:2] == HERE and {first[2], second[2]} <= in_git()


# --- Binder ------------------------------------------------------------------------


def test_binder_installs_what_notebooks_need_and_the_library():
    """repo2docker reads .binder/ alone where it is there; a Python that it knows is named with one `=`."""
    environment = yaml.safe_load((ROOT / ".binder" / "environment.yml").read_text(encoding="utf-8"))
    conda = [line for line in environment["dependencies"] if isinstance(line, str)]
    [pip] = [line["pip"] for line in environment["dependencies"] if isinstance(line, dict)]
    assert re.fullmatch(r"python=3\.\d+", conda[0])
    names = {"pytorch-cpu": "torch"}
    installed = {names.get(name, name) for line in conda for name in [re.match(r"[\w-]+", line)[0]]}
    installed |= {canonicalize_name(Requirement(line).name) for line in pip}
    project = pyproject(ROOT)["project"]
    extras = {"networks", "representations", "survey", "volumes"}
    wanted = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    assert {canonicalize_name(Requirement(line).name) for line in wanted} <= installed
    assert all(Requirement(line).specifier and "==" in line for line in pip)
    script = ROOT / ".binder" / "postBuild"
    assert os.access(script, os.X_OK) and script.read_text().startswith("#!/bin/bash\n")
    assert "pip install --no-deps --editable ." in script.read_text()


def test_the_environments_are_those_that_the_tool_writes():
    namespace = {"__file__": str(ROOT / "tools" / "environment.py"), "__name__": "environment"}
    exec(compile((ROOT / "tools" / "environment.py").read_text(encoding="utf-8"), "environment.py", "exec"), namespace)
    for name, make in (("environment.yml", "environment"), (".binder/environment.yml", "binder")):
        made = namespace[make](pyproject(ROOT), (ROOT / "requirements.lock").read_text(encoding="utf-8"))
        assert (ROOT / name).read_text(encoding="utf-8") == made, "run python tools/environment.py"
