"""What a text in MyST holds, and where in it."""

import pytest
import yaml
from tiny_book import ROOT

from keyfilters_build.myst import EXTENSIONS, all_elements, elements, inline_elements, replaced

TEXTS = {
    "in a line": ("See {doc}`b`, and `{doc}` or ``{doc}`b` ``.", ["{doc}`b`"]),
    "over two lines of a list": ("- so {ref}`two\n  words <b>`\n- {eq}`a`", ["{ref}`two\n  words <b>`", "{eq}`a`"]),
    "in a table": ("| {eq}`a` | x \\| {eq}`b` |\n| --- | --- |\n| 1 | {eq}`c` |", ["{eq}`a`", "{eq}`b`", "{eq}`c`"]),
    "in a link and a quotation": ("> [see {doc}`b`](x)\n> **{eq}`a`**", ["{doc}`b`", "{eq}`a`"]),
    "after a formula with a brace": ("$\\hat{x}$ in {eq}`a`", ["{eq}`a`"]),
    "an equation in a list": ("- one\n\n  $$\n  y\n  $$ (eq-a)\n", ["$$\n  y\n  $$ (eq-a)"]),
    "a place above a heading": ("(here)=\n## Two {eq}`a`", ["(here)=", "{eq}`a`"]),
    "a comment behind a sentence": ("So it is. <!-- claim:\nyes -->\nMore.", [" <!-- claim:\nyes -->"]),
    "a comment alone": ("<!-- library: layer -->\n\nMore.", ["<!-- library: layer -->"]),
    "nothing in code": ("```\n{doc}`b`\n:::{note}\n```\n\n    {doc}`b`\n", []),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_an_element_stands_where_it_says(text, expected):
    found = elements(text)
    assert [text[element.start : element.end] for element in found] == expected
    assert replaced(text, lambda element: None) == text


def test_a_directive_has_options_and_a_body_of_its_own():
    text = "Before.\n\n::::{exercise} 5.1, easy\n:label: ex-a\n:nonumber:\n\n:::{note}\nBy {eq}`a`.\n:::\n::::\nAfter."
    [element] = elements(text)
    assert (element.name, element.content, element.options) == ("exercise", "5.1, easy", {"label": "ex-a", "nonumber": ""})
    assert text[element.body_start :].startswith(element.body) and element.body.endswith("By {eq}`a`.\n:::")
    assert [inner.name for inner in all_elements(text)] == ["exercise", "note", "eq"]
    assert replaced(text, lambda inner: "(7)" if inner.name == "eq" else None) == text.replace("{eq}`a`", "(7)")
    assert replaced(text, lambda inner: "") == "Before.\n\nAfter."


def test_html_has_roles_too():
    text = "<td>{eq}`a`</td><td>`{eq}`</td>"
    assert [element.target for element in inline_elements(text)] == ["a"]


def test_the_extensions_are_those_of_the_book():
    known = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["parse"]["myst_enable_extensions"]
    # These two change how a text is shown, not what it holds.
    assert {*EXTENSIONS, "linkify", "substitution"} == set(known)
