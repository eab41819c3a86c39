"""Lists of short checks: every case runs, and every one that fails is told."""

import pytest
from each import each


def test_a_case_that_fails_does_not_hide_another():
    seen = []

    @each("one, other", [(1, 1), (1, 2), (3, 3), (4, 5)])
    def check(one, other):
        seen.append(one)
        assert one == other

    with pytest.raises(AssertionError) as caught:
        check()
    first, *failed = caught.value.__notes__
    assert seen == [1, 1, 3, 4] and first == "2 of 4 cases failed:"
    assert [line.strip().partition(":")[0] for line in failed] == ["1, 2", "4, 5"]


@each("number", [1, 2])
def test_fixtures_are_handed_on_and_a_list_without_cases_is_a_mistake(number, tmp_path):
    assert number in (1, 2) and tmp_path.is_dir()
    with pytest.raises(AssertionError, match="does not take"):
        each("number", [])(lambda number: None)
