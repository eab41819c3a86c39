"""The published numbers as test cases: each row is equal, within the grid step, or an explained deviation."""

import hashlib
import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
from each import each

from keyfilters.filters import KEYS
from keyfilters.fitting.grid import published_windows
from keyfilters.published import (
    DEVIATES,
    EQUAL,
    WITHIN,
    counts,
    known_deviations,
    problems,
    published,
    rerun,
    scorecard,
    verdict,
)
from keyfilters.published import verdicts as room
from keyfilters.published.reproduce import REPRODUCE, Row, grids_of

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"


def card():
    return scorecard().to_dict("records")


def shown(row):
    return f"{row['quantity']}, key {row['key']}, {row['component']}, {row['method']}: {row['reproduced']}, published {row['published']}"


@pytest.mark.parametrize("quantity", REPRODUCE)
def test_rows(quantity):
    rows = [row for row in card() if row["quantity"] == quantity]
    assert rows
    for row in rows:
        difference = row["reproduced"] - row["published"]
        rounding = abs(difference) <= 1e-12 * max(1, abs(row["published"]))
        assert row["difference"] == (0 if rounding else difference), shown(row)
        label = Row(row["quantity"], row["key"], row["component"], row["method"])
        if row["verdict"] == EQUAL:
            if row["decimals"] == "full":
                assert abs(difference) <= 1e-12 * max(1, abs(row["published"])), shown(row)
            else:
                assert f"{row['reproduced']:.{row['decimals']}f}" == f"{row['published']:.{row['decimals']}f}", shown(row)
            assert row["deviation"] == "", shown(row)
        elif row["verdict"] == WITHIN:
            unit = 0 if row["decimals"] == "full" else 0.5 * 10.0 ** -int(row["decimals"])
            assert abs(difference) <= max(w.step for w in grids_of(label)) + unit, shown(row)
            assert row["deviation"] == "", shown(row)
        else:
            assert row["verdict"] == DEVIATES, shown(row)
            assert row["deviation"] in set(known_deviations().id), shown(row)


def test_all_rows_are_there_once_and_none_is_left_unexplained():
    rows = card()
    assert len(rows) == 357
    assert len({(r["quantity"], r["key"], r["component"], r["method"], r["source"]) for r in rows}) == 357
    assert set(published().quantity) == set(REPRODUCE) and problems() == []
    assert counts()["all"] == 357 == sum(v for k, v in counts().items() if k != "all")


def test_most_rows_are_equal_or_within_the_grid():
    # Guards against a card that explains everything away.
    tally = counts()
    assert tally[DEVIATES] <= 40
    assert tally[EQUAL] >= 260


def test_an_unexplained_deviation_is_a_problem(monkeypatch):
    real = room._read
    room._rows.cache_clear()
    monkeypatch.setattr(room, "_read", lambda path: [] if path.name == "known_deviations.csv" else real(path))
    try:
        assert len(problems()) == counts()[DEVIATES] > 0
        assert "does not cover it" in problems()[0]
    finally:
        monkeypatch.undo()
        room._rows.cache_clear()


def test_a_stale_explanation_is_a_problem(monkeypatch):
    real = room._read
    stale = {"id": "stale", "title": "t", "quantity": "l1_norm_raw", "key": "1", "component": "", "method": ""}
    monkeypatch.setattr(room, "_read", lambda path: [*real(path), stale] if path.name == "known_deviations.csv" else real(path))
    assert problems() == ["scorecard: known_deviations.csv lists 'stale', which no row needs"]


@each(
    ("value", "decimals", "reproduced", "step", "expected"),
    [
        (0.5, "full", 0.5, None, EQUAL),
        (0.5, "full", 0.5 + 1e-14, None, EQUAL),
        (0.5, "full", 0.5 + 1e-9, None, DEVIATES),
        (0.5, "full", 0.5009, 0.001, WITHIN),
        (0.5, "full", 0.5011, 0.001, DEVIATES),
        (0.58, "3", 0.5804, None, EQUAL),
        (0.58, "3", 0.5806, None, DEVIATES),
        (0.58, "3", 0.5806, 0.0002, WITHIN),
    ],
)
def test_verdict(value, decimals, reproduced, step, expected):
    assert verdict(value, decimals, reproduced, step) == expected


def test_reproduction_does_not_read_the_published_values():
    # The functions that reproduce know neither the file nor the table of published numbers.
    source = (files("keyfilters") / "published" / "reproduce.py").read_text(encoding="utf-8")
    assert "published_numbers" not in source
    assert not re.search(r"\b0\.\d{6,}", source)


ELSEWHERE = {
    ("sigma", "6", "x", "C1"),  # read one index beside the lowest grid point
    ("gamma", "7", "", "C"),  # read from an overwritten array
    ("sigma", "4", "y", "D1"),  # the authors' kernel was cut where its sum reached 1 - 1e-8
}
"""Published numbers that are not the lowest point of their own grid; the reasons stand in the book."""


@pytest.mark.parametrize("quantity", ["sigma", "gamma"])
def test_published_search_run_again_gives_the_published_number(quantity):
    rows = [row for row in card() if row["quantity"] == quantity]
    assert rows
    for row in rows:
        label = Row(row["quantity"], row["key"], row["component"], row["method"])
        again = rerun(label)
        if row["method"].startswith("A") or (row["key"], row["method"]) == ("7", "B-joint"):
            continue  # closed form; and one window of the earlier key 7 model is not known
        assert again is not None, shown(row)
        grid = max(w.step for w in grids_of(label))
        if (row["quantity"], row["key"], row["component"], row["method"]) in ELSEWHERE:
            assert again != pytest.approx(row["published"], abs=1e-9), shown(row)
        else:
            assert again == pytest.approx(row["published"], abs=1e-12), shown(row)
            assert abs(again - row["reproduced"]) < 5 * grid, shown(row)


def test_windows_have_the_published_numbers_of_samples():
    windows = published_windows()
    assert {w.samples for w in windows.values()} == {100, 200}
    assert all(0 < w.low < w.high for w in windows.values())
    for row in KEYS:
        if row.number != 7:
            for method in ("B", "C1", "D1"):
                assert (method, str(row.number), "x") in windows and (method, str(row.number), "y") in windows


def test_every_deviation_has_its_paragraph():
    book = json.loads((NOTEBOOKS / "reproducibility.ipynb").read_text(encoding="utf-8"))
    text = "".join("".join(c["source"]) for c in book["cells"] if c["cell_type"] == "markdown")
    for name in known_deviations().id.unique():
        assert f"(dev-{name})=" in text, f"reproducibility.ipynb has no anchor (dev-{name})="


def test_package_data_are_the_published_filters():
    data = (files("keyfilters") / "data" / "master_key_filters.csv").read_bytes()
    assert hashlib.sha256(data).hexdigest() == "0e6fa8a8c8ee33ec0fa015330203f8753fece3d46b58c3855d875316b78e9d2b"
