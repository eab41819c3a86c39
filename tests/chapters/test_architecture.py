"""The table of layers of ConvNeXt V2 against closed forms and published counts."""

import numpy as np
from each import each
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused

from keyfilters_book.paper import architecture
from keyfilters_book.paper.architecture import NetworkSize, layers, network_size, network_table


def test_parameters_of_every_network_round_to_the_published_ones():
    found = architecture.compare_published((224, 384, 512))
    assert len(found) == 14
    assert found.parameters_agree.all()
    assert (np.abs(found.multiply_adds / found.multiply_adds_published - 1) < 0.01).all()


def test_tiny_has_one_depthwise_filter_per_channel_and_block():
    table = network_table("tiny")
    depthwise = table[table.kind == "depthwise"]
    filters = depthwise.parameters // (7 * 7 + 1)
    assert filters.sum() == network_size("tiny").depthwise_filters == 6624
    assert (filters * 50 == depthwise.parameters).all()


@given(
    depths=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    width=st.integers(1, 40),
    kernel=st.sampled_from([1, 3, 5, 7, 9]),
)
def test_blocks_follow_their_closed_form(depths, width, kernel):
    net = NetworkSize("own", tuple(depths), tuple(width * 2**i for i in range(len(depths))))
    table = network_table(net, 64, kernel=kernel)
    blocks = table[table.block > 0].groupby(["stage", "block"])
    for (stage, _), block in blocks:
        d, n = net.dims[stage - 1], 64 // 2 ** (stage + 1)
        assert block.parameters.sum() == 8 * d**2 + (kernel**2 + 16) * d
        assert block.multiply_adds.sum() == n * n * (kernel**2 * d + 8 * d * d)
    # From the last layer back to the image: a position reaches k - 1 neighbours more per convolution.
    reach = 1
    for stage in range(len(depths), 0, -1):
        reach = (reach + depths[stage - 1] * (kernel - 1)) * (2 if stage > 1 else 4)
    assert table.receptive_field.iloc[-1] == reach


def test_maps_shrink_as_neighbours_move_apart():
    for layer in layers("nano", 384):
        if layer.stage < 5:
            assert layer.size * layer.jump == 384


@each(
    ("call", "message"),
    [
        (lambda: layers("small"), r"unknown variant 'small': expected one of atto, femto"),
        (lambda: layers("tiny", 100), r"image_size is 100: expected a positive multiple of 32"),
        (lambda: layers("tiny", classes=0), r"classes is 0: expected a positive number"),
        (lambda: layers("tiny", kernel=4), r"kernel is 4: expected an odd number"),
        (lambda: architecture.published_counts(100), r"resolution is 100: expected 224, 384 or 512"),
    ],
)
def test_wrong_input_is_named(call, message):
    refused(call, message)
