"""Images keep their values and share black and white."""

import numpy as np

from keyfilters_book import figures


def test_images_share_their_limits():
    fig = figures.image_panels({"dark": np.zeros((3, 4)), "light": np.full((3, 4), 2.0)}, rows_marked=[1])
    shown = [ax.images[0] for ax in fig.axes]
    assert [image.get_clim() for image in shown] == [(0.0, 2.0), (0.0, 2.0)]
    assert np.array_equal(shown[1].get_array(), np.full((3, 4), 2.0))
    assert all(set(line.get_ydata()) == {1} for line in fig.axes[0].lines) and len(fig.axes[0].lines) == 2
    # Row 0 is on top.
    assert fig.axes[0].get_ylim()[0] > fig.axes[0].get_ylim()[1]


def test_limits_can_be_given():
    fig = figures.image_panels({str(i): np.eye(3) for i in range(3)}, limits=(-1, 1))
    assert all(ax.images[0].get_clim() == (-1, 1) for ax in fig.axes if ax.images)
    assert [bool(ax.images) for ax in fig.axes] == [True, True, True, False]
