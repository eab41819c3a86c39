"""The notebooks of this book, executed twice from nothing, give the same bytes."""

import nbformat
import pytest
from tiny_book import ROOT

from keyfilters_build.execute import execute_all
from keyfilters_build.manifest import load_manifest
from keyfilters_build.project import Project

pytestmark = pytest.mark.book

# It draws random numbers; the others are executed a second time by the long tests.
CHEAP = ("spread_measures",)


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def pictures(run):
    cells = nbformat.read(run.notebook, as_version=4).cells
    return [out.data["image/png"] for cell in cells for out in cell.get("outputs", []) if "image/png" in out.get("data", {})]


@pytest.mark.parametrize(
    "slugs", [CHEAP, pytest.param(None, marks=pytest.mark.slow, id="all")], ids=lambda slugs: "-".join(slugs)
)
def test_two_runs_write_the_same_bytes(tmp_path, book_html, slugs):
    """The run of the build, and one from nothing. Notebooks that measure time are left out: their results lie apart for that reason."""
    here = Project(ROOT)
    again = Project(tmp_path)
    for path, target in (
        (here.notebooks, again.notebooks),
        *((package, again.package.with_name(package.name)) for package in here.packages),
        (here.lock, again.lock),
    ):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path)
    entries = [entry for entry in load_manifest(here) if not entry.timed and (slugs is None or entry.slug in slugs)]
    assert slugs is None or len(entries) == len(slugs)
    (first, failed_first), (second, failed_second) = (execute_all(book, entries, "quick") for book in (here, again))
    assert not failed_first + failed_second
    assert all(run.fresh for run in second)
    for one, two in zip(first, second, strict=True):
        slug = one.entry.slug
        results, repeated = files(here.results("quick", slug)), files(again.results("quick", slug))
        assert results, f"{slug} has no results"
        differing = [name for name in results.keys() | repeated.keys() if results.get(name) != repeated.get(name)]
        assert not differing, f"{slug}: {differing}"
        assert pictures(one) == pictures(two), f"{slug}: its pictures differ"
