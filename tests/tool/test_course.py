"""The course: plans of ninety minutes, all of whose slides, pages, figures, exercises and settings are there."""

import json
import re

import nbformat
import patient
import pytest
import yaml
from each import each
from refusals import refused
from tiny_book import ROOT, tiny_book

from keyfilters_build.course import MINUTES, goals_of, load_course, write_course
from keyfilters_build.links import SETTINGS, check_html, setting_problem
from keyfilters_build.manifest import load_manifest
from keyfilters_build.project import BookError, Project, write_atomic
from keyfilters_build.stage import play_line

PLANS = load_course(Project(ROOT))
each_plan = pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.slug)

DECK = "(start)=\n# Parabolas\n\nHello.\n---\n(shape)=\n## Their shape\n\n![](one/fig-one)\n\nSteep.\n\nNote:\nPoint at it.\n"
PART = {
    "minutes": 90, "title": "All of it", "do": "Ask.", "slides": ["start", "shape"], "pages": ["notebooks/one"],
    "settings": [{"address": "key=5&sx=0.8", "words": "key 5"}], "exercises": ["ex-one-1"],
}  # fmt: skip
PLAN = {"slug": "parabolas", "title": "Parabolas", "parts": [PART], "home": ["ex-one-2"]}


def course(root, plan=PLAN, deck=DECK):
    """A small book with a course."""
    project = tiny_book(root, "one")
    write_atomic(project.book / "slides" / "parabolas.md", deck)
    write_atomic(project.book / "course.yml", yaml.safe_dump({"plans": [plan]}))
    return project


@each_plan
def test_the_minutes_add_up_and_there_is_something_to_do_in_class_and_at_home(plan):
    starts, minutes = plan.starts(), [part.minutes for part in plan.parts]
    assert sum(minutes) == MINUTES == 90 and starts[0] == 0 and starts[-1] + minutes[-1] == 90
    assert 20 <= sum(len(part.slides) for part in plan.parts) <= 25
    in_class = [label for part in plan.parts for label in part.exercises]
    assert len(in_class) >= 2 and len(plan.home) >= 3 and not set(in_class) & set(plan.home)
    text = (ROOT / "book" / "slides" / f"{plan.slug}.md").read_text(encoding="utf-8")
    assert re.findall(r"^\{exercise\}`([\w-]+)`$", text, re.MULTILINE) == in_class


def changed(**fields):
    return PLAN | {"parts": [PART | fields]}


@pytest.mark.parametrize(
    ("plan", "deck", "message"),
    [
        (changed(minutes=80), DECK, "its parts take 80 minutes; expected 90"),
        (changed(minutes="90"), DECK, "$.plans[0].parts[0].minutes: '90' is not of type 'integer'"),
        (changed(takes={"none": 5}), DECK, "there is no slide of this part 'none'"),
        (changed(takes={"shape": 0}), DECK, "takes.shape: 0 is less than or equal to the minimum of 0"),
        (changed(takes={"shape": 90}), DECK, "takes leaves 0 minutes of 90 for 1 slides"),
        (changed(slides=["start"]), DECK, "each slide of the deck once, in its order; compare start and shape"),
        (changed(slides=["shape", "start"]), DECK, "in its order; compare shape and start"),
        (changed(slides=["start", "form"]), DECK, "there is no slide 'form'"),
        (changed(settings=[{"address": "key=5"}]), DECK, "settings[0]: 'words' is a required property"),
        (changed(colour="red"), DECK, "('colour' was unexpected)"),
        (changed(do=""), DECK, "$.plans[0].parts[0].do: ''"),
        (PLAN | {"slug": "none"}, DECK, "there is no book/slides/none.md"),
        (PLAN, DECK.replace("(shape)=", "(start)="), "there is no slide 'shape'"),
        (PLAN, DECK.replace("(shape)=\n", ""), "expected its name and a heading"),
    ],
)
def test_what_is_not_there_is_named(tmp_path, plan, deck, message):
    refused(lambda: load_course(course(tmp_path, plan, deck)), re.escape(message), BookError)


def test_the_table_has_minutes_slides_figures_settings_and_exercises(tmp_path):
    project = course(tmp_path)
    (project.book / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nparts:\n  - caption: All\n    chapters:\n      - file: notebooks/one\n"
    )
    write_course(project)
    table = (project.generated / "course" / "parabolas.md").read_text()
    parts = (
        ":name: tbl-plan-parabolas", "| 0 to 90 | All of it | Ask. |", 'href="slides/parabolas.html#/start"', "{numref}`fig-one`",
        "{doc}`/notebooks/one`", 'href="interactive.html#key=5&amp;sx=0.8"', "<ex-one-1>`", "<ex-one-2>`",
    )  # fmt: skip
    assert [part for part in parts if part not in table] == []
    goals = (project.generated / "course" / "goals.md").read_text()
    assert goals == "### All\n\n{doc}`/notebooks/one`, 1 minutes to read\n\n- one\n"


def test_every_page_has_goals_that_hold_anywhere():
    project = Project(ROOT)
    for entry in load_manifest(project):
        notebook = nbformat.read(project.notebooks / f"{entry.slug}.ipynb", as_version=4)
        goals = goals_of(notebook.cells[0].source)
        assert len(goals) >= 2, entry.slug
        assert not re.search(r"\{doc\}`(?!/|[^`]*</)", " ".join(goals)), entry.slug


# The addresses of settings

STATE = ROOT / "book" / "interactive" / "state.js"


def test_the_page_takes_every_setting_of_the_plans(nodejs):
    readers = re.search(r"const readers = \{(.*?)\n    \};", STATE.read_text(encoding="utf-8"), re.DOTALL)[1]
    assert tuple(re.findall(r"^\s{6}(\w+):", readers, re.MULTILINE)) == SETTINGS
    played = [entry.play for entry in load_manifest(Project(ROOT)) if entry.play]
    assert not any("?." in play_line(each) for each in played)
    assert len(played) > 10 and 'href="../interactive.html#key=' in play_line(played[0])
    decks = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "book" / "slides").glob("*.md"))
    wanted = [address for plan in PLANS for part in plan.parts for address, _ in part.settings]
    wanted += [*re.findall(r"\(interactive\.html#([^)]*)\)", decks), *(play["address"] for play in played)]
    program = f"const s = require({json.dumps(str(STATE))}); console.log(JSON.stringify({json.dumps(wanted)}.map(w => s.readHash('#' + w).problems)))"
    done = patient.run([nodejs, "-e", program], capture_output=True, text=True)
    assert done.returncode == 0 and json.loads(done.stdout) == [[] for _ in wanted], done.stderr


@each(("setting", "message"), [
    ("key=5&sx=0.8&sy=0.7&gamma=0.1&border=crop", None), ("border=exact", None), ("key", "no value"), ("key=", "no value"),
    ("k=1", "no setting"), ("key=1&key=2", "twice"), ("", "no setting"),
])  # fmt: skip
def test_settings(setting, message):
    found = setting_problem(setting)
    assert found is message is None or message in found


def test_the_gate_follows_links_to_settings_and_slides(tmp_path):
    write_atomic(tmp_path / "interactive.html", '<html><body><p id="shape"></p></body></html>')
    write_atomic(tmp_path / "slides" / "one.html", '<html><body><section id="start"></section></body></html>')

    def failures(*addresses):
        links = "".join(f'<a href="{address}">x</a>' for address in addresses)
        write_atomic(tmp_path / "index.html", f"<html><body>{links}</body></html>")
        return check_html(tmp_path)

    good = ["interactive.html#key=5&amp;sx=0.8", "interactive.html#shape", "slides/one.html#/start", "slides/one.html?read"]
    bad = ["interactive.html#sigma=1", "interactive.html#form", "slides/one.html#/end", "index.html#key=5", "slides/two.html"]
    assert failures(*good) == [] and [len(failures(each)) for each in bad] == [1] * len(bad)
