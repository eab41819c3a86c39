"""No test of a chapter leaves a figure open for the next."""

import pytest
from matplotlib import pyplot


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    pyplot.close("all")
