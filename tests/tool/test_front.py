"""The first picture of the book: all eight keys, legible on a wide page and on a phone, the same bytes each time."""

import numpy as np
import pytest

from keyfilters_build.front import front_picture, photograph
from keyfilters_build.narrow import PHONE, narrow
from keyfilters_build.text_size import legible_width, texts, too_small


@pytest.fixture(scope="module")
def drawn():
    wide = front_picture()
    return {8: wide, 4: narrow(wide)}


@pytest.mark.parametrize("columns", [8, 4])
def test_each_key_has_its_name_and_its_formula(drawn, columns):
    said = [label for _, label in texts(drawn[columns])]
    assert [label for label in said if label.startswith("key ")] == [f"key {n}" for n in range(1, 9)]
    assert len(said) == 16 and drawn[columns].count(b"<image ") == 16


def test_its_words_can_be_read_it_is_the_same_each_time_and_its_photograph_comes_with_a_package(drawn):
    assert not too_small(drawn[8]) and legible_width(drawn[4]) <= PHONE and front_picture() == drawn[8]
    image = photograph()
    assert image.shape == (128, 128) and 0 <= image.min() < image.max() <= 1 and np.isfinite(image).all()
