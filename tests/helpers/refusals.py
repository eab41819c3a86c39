"""What the library says where it refuses an input."""

import pytest


def message(call):
    """The one line of the ``ValueError`` that `call` raises."""
    with pytest.raises(ValueError) as raised:
        call()
    text = str(raised.value)
    assert text.strip() and "\n" not in text
    return text


def refused(call, match, error=ValueError):
    """`call` is refused in one line that matches."""
    with pytest.raises(error, match=match) as raised:
        call()
    assert "\n" not in str(raised.value)
