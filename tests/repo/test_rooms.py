"""Who may import whom, and old names of what has moved."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import keyfilters
import keyfilters_book.figures
from keyfilters._moved import MOVED

ROOT = Path(__file__).resolve().parents[2]


def run_python(code, *options):
    """What a program prints in a process of its own, where it must not fail."""
    done = subprocess.run([sys.executable, *options, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_import_goes_the_way_of_the_contract():
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(program), "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_library_imports_neither_chapters_nor_tool():
    """All of it, in a process of its own: as it is where only its wheel is installed."""
    code = """
import importlib, pkgutil, sys
sys.modules["keyfilters_book"] = sys.modules["keyfilters_build"] = None
import keyfilters
for found in pkgutil.walk_packages(keyfilters.__path__, "keyfilters."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
"""
    run_python(code, "-W", "error::DeprecationWarning:keyfilters")


@pytest.mark.parametrize("old", sorted(MOVED))
def test_an_old_name_leads_to_the_module_with_a_warning(old):
    code = f"""
import importlib, sys, warnings
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    found = importlib.import_module({old!r})
assert found is importlib.import_module({MOVED[old]!r})
told = [str(warning.message) for warning in said if warning.category is DeprecationWarning and {old!r} in str(warning.message)]
assert told == [{old + " is now " + MOVED[old] + "; the old name goes with release 0.2"!r}], told
"""
    run_python(code)


def test_what_lies_in_a_package_that_moved_is_one_module_under_both_names():
    code = """
import warnings
warnings.simplefilter("ignore")
from keyfilters.book import page
from keyfilters.representations.frames import frame
from keyfilters.networks.layers.scale_space import key_parameters
import keyfilters_book.page, keyfilters_book.representations.frames
assert page is keyfilters_book.page and frame is keyfilters_book.representations.frames.frame
assert page.__spec__.name == page.__name__ == "keyfilters_book.page"
"""
    run_python(code)


def test_figures_of_chapters_are_found_under_their_old_names():
    with pytest.warns(
        DeprecationWarning, match="^keyfilters.figures.spread_panels is now keyfilters_book.figures.spread_panels"
    ):
        assert keyfilters.figures.spread_panels is keyfilters_book.figures.spread_panels
    with pytest.raises(AttributeError, match="no attribute 'spread_panel'"):
        keyfilters.figures.spread_panel  # noqa: B018


def test_without_the_package_of_the_chapters_the_message_names_it():
    code = """
import sys
import importlib.util
real = importlib.util.find_spec
import keyfilters._moved as moved
moved.find_spec = lambda name: None if name.startswith("keyfilters_book") else real(name)
try:
    import keyfilters.representations
except ModuleNotFoundError as error:
    print(error)
"""
    assert run_python(code) == (
        "keyfilters.representations is now keyfilters_book.representations, of the package keyfilters-book, which is not installed\n"
    )


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_notebook_uses_an_old_name(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert not [old for old in MOVED if f"{old}." in code or f"{old} import" in code]
    assert "keyfilters.book" not in code and "keyfilters_build" not in code
