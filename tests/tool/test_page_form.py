"""A page begins with its question, its first picture and its answer; what is the same on every page is folded."""

import lxml.html
import pytest

from keyfilters_build.stage import plumbing


@pytest.fixture(scope="module")
def tree(built_book):
    return lxml.html.parse(str(built_book.html / "notebooks" / "one.html")).getroot()


def test_question_picture_answer_goals_come_in_this_order(tree):
    order = [
        "//article//h1[starts-with(., 'Page one')]",
        "//article//div[contains(@class, 'page-card')]",
        "//article//p[.='What is it about?']",
        "//figure[@id='fig-one']",
        "//article//a[contains(@href, 'fig-one.svg')]",
        "//p[starts-with(., 'Answer.')]",
        "//div[contains(@class, 'page-goals')]",
        "//h2[starts-with(., 'Parabola')]",
        "//div[contains(@class, 'lead-place')]",
    ]
    assert [len(tree.xpath(xpath)) for xpath in order] == [1] * len(order)
    places = [list(tree.iter()).index(*tree.xpath(xpath)) for xpath in order]
    assert places == sorted(places)


def test_the_lifted_figure_keeps_label_caption_and_words_and_its_code_keeps_its_place(tree):
    [figure] = tree.xpath("//figure[@id='fig-one']")
    assert figure.xpath(".//img/@alt") == ["A parabola through the origin."]
    assert "A parabola" in figure.xpath(".//figcaption")[0].text_content() and figure.xpath(".//div[@class='figure-box']")
    [line] = tree.xpath("//div[contains(@class, 'lead-place')]")
    assert line.text_content().strip().endswith("stands at the top of the page.") and line.xpath(".//a/@href") == ["#fig-one"]
    before = line.getprevious()
    assert "ax.plot(x, x**2)" in before.text_content() and not before.xpath(".//img")
    assert tree.text_content().count("ax.plot(x, x**2)") == 1


def test_goals_and_the_facts_of_the_run_are_folded(tree):
    for name, words in (("page-goals", "Goals"), ("page-card", "data sha256")):
        [box] = tree.xpath(f"//div[contains(@class, '{name}')]")
        [details] = box.xpath("./details")
        assert details.get("open") is None and words in details.text_content()
        assert len(details.xpath("./summary")[0].text_content().splitlines()) == 1
    assert "1 min to read" in tree.xpath("//div[contains(@class, 'page-card')]//summary")[0].text_content()


def test_imports_are_folded_and_lines_for_the_page_are_left_out(tree):
    folded = [box.text_content() for box in tree.xpath("//details[contains(@class, 'above-input')]")]
    assert any("import numpy as np" in text and text.lstrip().startswith("Imports") for text in folded)
    shown = [
        cell.text_content()
        for cell in tree.xpath("//div[contains(@class, 'cell_input')]//pre")
        if not any(parent.tag == "details" for parent in cell.iterancestors())
    ]
    assert "np.arange(0, n, every)" in "".join(shown) and sum(map(plumbing, shown)) == 0
    # The table of a cell that shows none of its lines is there.
    assert tree.xpath("//table[@id='tbl-one']") and "page.table" not in "".join(shown)
