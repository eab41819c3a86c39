"""The scorecard: the deviating rows first with their reasons, then all rows in one table that filters and sorts."""

import pytest
from lxml import html as lxml_html

from keyfilters.published import DEVIATES, EQUAL, scorecard

pytestmark = [pytest.mark.book, pytest.mark.browser]

ROWS = "[...document.querySelectorAll('#tbl-card tbody tr')].filter(row => row.checkVisibility())"


def column(tab, name):
    return tab.evaluate(
        f"""name => {{
            const heads = [...document.querySelectorAll("#tbl-card thead th")].map(head => head.textContent.trim());
            return {ROWS}.map(row => row.cells[heads.indexOf(name)].textContent.trim());
        }}""",
        name,
    )


def test_deviating_rows_stand_first_and_equal_pairs_are_one_number_with_a_tick(book_html):
    tree = lxml_html.parse(str(book_html / "notebooks" / "scorecard.html")).getroot()
    card = scorecard()
    deviating, rows = (tree.xpath(f"//table[@id='{name}']//tbody/tr") for name in ("tbl-deviating", "tbl-card"))
    assert len(deviating) == int((card.verdict == DEVIATES).sum()) and len(rows) == len(card)
    assert all(row.xpath(".//a[contains(@href, '#dev-')]") for row in deviating)
    ticked = [row for row in rows if "✓" in row.text_content()]
    assert len(ticked) == int((card.verdict == EQUAL).sum()) and not any(" / " in row.text_content() for row in ticked)
    order = [table.get("id") for table in tree.xpath("//article//table[@id]")]
    assert order.index("tbl-deviating") < order.index("tbl-card")


def test_a_long_table_filters_and_sorts(visit):
    card, tab = scorecard(), visit("notebooks/scorecard.html")
    field = tab.locator(".table-filter input").last
    field.fill("deviates")
    assert len(column(tab, "verdict")) == int((card.verdict == DEVIATES).sum())
    field.fill("key 2 c1")
    assert column(tab, "key") == ["2"] * int(((card.key.astype(str) == "2") & (card.method == "C1")).sum())
    field.fill("")
    before = column(tab, "digits")
    assert len(before) == len(card)
    button = tab.locator("#tbl-card th", has_text="digits").locator("button")
    for sign in (1, -1):
        button.click()
        numbers = [sign * float(text) for text in column(tab, "digits")]
        assert numbers == sorted(numbers)
    button.click()
    assert column(tab, "digits") == before
