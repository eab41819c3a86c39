"""LeNet-5 as in 1998: counts, layers by hand, codes, losses, start, and a training that learns."""

import numpy as np
import pytest
import torch
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import message as said
from refusals import refused

from keyfilters_book.background import lenet_training
from keyfilters_book.background.lenet import (
    AMPLITUDE,
    C3_TABLE,
    INITIAL,
    PUBLISHED,
    PUBLISHED_TOTAL,
    SLOPE,
    LeNet5,
    ScaledTanh,
    TableConv2d,
    lenet_table,
)  # fmt: skip
from keyfilters_book.background.lenet_codes import CLASSES, code_distances, output_codes
from keyfilters_book.background.lenet_training import (
    LOSSES,
    RUBBISH,
    Images,
    classified,
    lenet_images,
    penalty_loss,
    train_lenet,
)
from keyfilters_book.background.linearisation import alignment, unit_gradients


def test_layers_have_the_published_parameters_and_connections_and_sixty_thousand_are_trained():
    network = LeNet5()
    table = lenet_table(network).set_index("layer")
    assert {layer: (table.parameters[layer], table.connections[layer]) for layer in PUBLISHED} == PUBLISHED
    assert (table.parameters.sum(), table.connections.sum()) == PUBLISHED_TOTAL
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == PUBLISHED_TOTAL[0] == 60_000
    assert "output.codes" in network.state_dict() and not list(network.output.parameters())


def test_the_table_is_that_of_1998():
    sizes = [len(row) for row in C3_TABLE]
    assert sizes == [3] * 6 + [4] * 9 + [6]
    ring = [{(i + k) % 6 for k in range(n)} for n in (3, 4) for i in range(6)]
    assert {frozenset(row) for row in C3_TABLE[:12]} == {frozenset(s) for s in ring}
    # The three sets of four that are no neighbours leave out a pair of opposite maps.
    assert {frozenset(range(6)) - frozenset(row) for row in C3_TABLE[12:15]} == {frozenset({i, i + 3}) for i in range(3)}
    assert [sum(i in row for row in C3_TABLE) for i in range(6)] == [10] * 6


def test_layers_by_hand():
    network = LeNet5(3)
    x = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        states = network.maps(x)
        blocks = states["c1"].reshape(2, 6, 14, 2, 14, 2).sum((3, 5))
        s2 = AMPLITUDE * torch.tanh(SLOPE * (blocks * network.s2.gain[:, None, None] + network.s2.bias[:, None, None]))
        assert torch.allclose(states["s2"], s2, atol=1e-6)
        place = 0
        for o, row in enumerate(C3_TABLE):
            kernels = network.c3.kernels[place : place + len(row)]
            alone = torch.nn.functional.conv2d(s2[:, list(row)], kernels[None])[:, 0] + network.c3.bias[o]
            assert torch.allclose(states["a3"][:, o], alone, atol=1e-5)
            place += len(row)
        penalties = network(x)
    f6, codes = states["f6"].numpy(), output_codes()
    assert np.allclose(penalties.numpy(), ((f6[:, None] - codes) ** 2).sum(-1), rtol=1e-5)
    shapes = {name: tuple(state.shape[1:]) for name, state in states.items()}
    assert shapes == {
        "a1": (6, 28, 28), "c1": (6, 28, 28), "s2": (6, 14, 14), "a3": (16, 10, 10), "c3": (16, 10, 10), "s4": (16, 5, 5),
        "a5": (120, 1, 1), "c5": (120, 1, 1), "f6": (84,),
    }  # fmt: skip


def test_squashing_keeps_plus_and_minus_one_and_bends_most_there():
    squash, a = ScaledTanh(), torch.linspace(0.5, 1.5, 1001, dtype=torch.float64)
    assert torch.allclose(squash(torch.tensor([-1.0, 1.0])), torch.tensor([-1.0, 1.0]), atol=1e-4)
    bend = np.gradient(np.gradient(squash(a).numpy(), a.numpy()), a.numpy())
    assert abs(a[np.abs(bend).argmax()].item() - 1) < 0.05


def test_absent_kernels_get_no_gradient_and_stay_zero():
    layer = TableConv2d(3, [(0, 2), (1,)], side=3)
    with torch.no_grad():
        layer.kernels.copy_(torch.randn(3, 3, 3, generator=torch.Generator().manual_seed(0)))
    assert (layer.weight[0, 1] == 0).all() and (layer.weight[1, [0, 2]] == 0).all()
    layer(torch.ones(1, 3, 5, 5)).sum().backward()
    assert torch.allclose(layer.kernels.grad, torch.full((3, 3, 3), 9.0))
    assert torch.equal(layer.weight[1, 1], layer.kernels[2])


def test_weights_start_uniform_within_the_fan_in_of_their_unit():
    network = LeNet5(1)
    fan_ins = network.fan_ins()
    for name, parameter in network.named_parameters():
        inside = parameter.detach().abs() * fan_ins[name] / INITIAL
        assert inside.max() <= 1 + 1e-6, name
        if parameter.numel() > 1000:
            # Uniform in (0, 1): mean 1/2, and both ends are reached.
            assert abs(inside.mean() - 0.5) < 0.03 and inside.max() > 0.99, name
    # A kernel of a map with three inputs has 75 of them, of one with six 150.
    assert fan_ins["c3.kernels"].flatten()[[0, -1]].tolist() == [75.0, 150.0]
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), LeNet5(1).parameters(), strict=True))
    assert not torch.equal(network.c1.weight, LeNet5(2).c1.weight)


@pytest.mark.parametrize("kind", ["clothes", "random"])
def test_codes_are_signs_of_which_no_two_agree(kind):
    codes = output_codes(kind, seed=5)
    assert codes.shape == (len(CLASSES), 84) and set(np.unique(codes)) == {-1.0, 1.0}
    distances = code_distances(codes)
    assert np.array_equal(distances, distances.T) and distances[~np.eye(10, dtype=bool)].min() >= 10
    squared = ((codes[:, None] - codes[None]) ** 2).sum(-1)
    assert np.array_equal(squared, 4 * distances)
    # Only the random ones know the seed.
    assert np.array_equal(codes, output_codes(kind, seed=6)) == (kind == "clothes")


PENALTIES = st.lists(st.floats(0, 300), min_size=3, max_size=3)


@settings(max_examples=60, deadline=None)
@given(PENALTIES, st.integers(0, 2), st.floats(1, 200))
def test_the_map_loss_is_a_cross_entropy_with_one_more_class(values, label, rubbish):
    penalties, labels = torch.tensor([values], dtype=torch.float64), torch.tensor([label])
    loss = penalty_loss(penalties, labels, "map", rubbish)
    eleven = torch.tensor([[*(-v for v in values), -rubbish]], dtype=torch.float64)
    assert torch.isclose(loss, torch.nn.functional.cross_entropy(eleven, labels), atol=1e-9)
    assert loss >= 0
    # The other loss is the penalty of the right class.
    assert penalty_loss(penalties, labels, "mse").item() == pytest.approx(values[label])
    # A class beyond the rubbish is left alone: its push is smaller than that of the rubbish class.
    penalties.requires_grad_(True)
    penalty_loss(penalties, labels, "map", rubbish).backward()
    for other in {0, 1, 2} - {label}:
        assert -1 <= penalties.grad[0, other] <= 0
        if values[other] > rubbish + 40:
            assert abs(penalties.grad[0, other]) < 1e-15


def test_rubbish_is_the_penalty_of_a_silent_layer():
    assert (LeNet5().output(torch.zeros(1, 84)) == RUBBISH).all()


def pictures(count=96, seed=0):
    """Two classes that are easy to tell apart: bright above, bright below."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    images = 0.3 * torch.randn(count, 1, 32, 32, generator=generator)
    images[labels == 0, :, :16] += 1
    images[labels == 1, :, 16:] += 1
    return images, labels


@pytest.mark.parametrize("loss", LOSSES)
def test_training_learns_and_repeats_itself(loss):
    data = Images(*pictures(), *pictures(60, seed=1))
    first, again = (train_lenet(data, seed=4, epochs=10, batch=16, loss=loss) for _ in range(2))
    assert first.losses[-1] < first.losses[0] and first.accuracy > 0.9
    assert np.array_equal(first.losses, again.losses)
    assert all(torch.equal(a, b) for a, b in zip(first.network.parameters(), again.network.parameters(), strict=True))
    start = LeNet5(4)
    assert all(torch.equal(a, b) for a, b in zip(first.before.parameters(), start.parameters(), strict=True))
    assert torch.equal(first.network.output.codes, start.output.codes)
    assert not torch.equal(first.network.c3.kernels, start.c3.kernels)


def test_images_are_padded_with_background(monkeypatch):
    grey = torch.arange(5.0)[:, None, None, None].expand(5, 1, 28, 28)
    monkeypatch.setattr(lenet_training, "fashion_mnist_tensors", lambda split, folder: (grey, torch.arange(5)))
    data = lenet_images(4, 3, seed=2)
    assert data.train.shape == (4, 1, 32, 32) and data.test.shape == (3, 1, 32, 32)
    background = -lenet_training.FASHION_MEAN / lenet_training.FASHION_STD
    for images, labels in ((data.train, data.train_labels), (data.test, data.test_labels)):
        assert torch.equal(images[:, 0, 16, 16], labels.float())
        assert torch.allclose(images[:, 0, [0, 1, 30, 31]], torch.tensor(background)) and len(set(labels.tolist())) == len(
            labels
        )
    refused(lambda: lenet_images(6, 1), "6 train images were asked for: expected at most 5")


def test_classified_says_where_the_least_penalty_is_right():
    network, (images, labels) = LeNet5(), pictures(20)
    with torch.no_grad():
        least = network(images).argmin(1)
    assert np.array_equal(classified(network, images, labels, batch=7), (least == labels).numpy())


def test_only_the_first_layer_has_masks():
    network, (images, _) = LeNet5(2), pictures(4)
    first, deep = unit_gradients(network, images, "a1"), unit_gradients(network, images, "a3")
    assert np.allclose(first, network.c1.weight.detach().numpy()[:, 0])
    assert deep.shape == (4, 16, 14, 14)
    assert np.allclose(alignment(first), 1) and alignment(deep).mean() < 0.99


@pytest.mark.parametrize("layer, place, field", [("a1", 14, (14, 19)), ("a3", 5, (10, 24)), ("a5", 0, (0, 32))])
def test_gradients_predict_small_changes_and_the_field_is_all_there_is(layer, place, field):
    network, (images, _) = LeNet5(2).double(), pictures(1)
    found = unit_gradients(network, images.double(), layer)[0]
    change = torch.randn(1, 1, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ahead, behind = (network.maps(images + s * 1e-4 * change)[layer][0, :, place, place] for s in (1, -1))
    inside = change[0, 0, slice(*field), slice(*field)].numpy()
    assert np.allclose((ahead - behind).numpy() / 2e-4, (found * inside).sum((1, 2)), atol=1e-7)


@each("call, message", [
    (lambda: LeNet5(-1), "seed is -1: expected an integer of at least 0"),
    (lambda: LeNet5(codes=np.ones((10, 80))), "codes has shape (10, 80): expected (classes, 84)"),
    (lambda: LeNet5(table=[(0, 0)]), "table row 0 is (0, 0): expected different integers from 0 to 5"),
    (lambda: LeNet5(table=[(0,), (6,)]), "table row 1 is (6,): expected different integers from 0 to 5"),
    (lambda: LeNet5(table=[]), "table is empty: expected a row of input maps for each output map"),
    (lambda: output_codes("shoes"), "unknown kind 'shoes': expected one of clothes, random"),
    (lambda: penalty_loss(torch.zeros(1, 2), torch.tensor([0]), "hinge"), "unknown kind 'hinge': expected one of mse, map"),
    (lambda: train_lenet(Images(*pictures(4), *pictures(4)), epochs=0), "epochs is 0: expected an integer of at least 1"),
    (lambda: train_lenet(Images(*pictures(4), *pictures(4)), loss="x"), "unknown loss 'x': expected one of mse, map"),
    (lambda: unit_gradients(LeNet5(), torch.zeros(1, 1, 32, 32), "f6"), "unknown layer 'f6': expected one of a1, a3, a5"),
    (lambda: alignment(np.ones((1, 2, 3, 3))),
     "pictures has shape (1, 2, 3, 3): expected (images, maps, n, n) with at least two images"),
])  # fmt: skip
def test_mistakes_are_named(call, message):
    assert said(call) == message
