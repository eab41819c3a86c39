"""Activation maximisation and inversion: gradients, regularisers, determinism, errors in one line."""

from functools import partial

import numpy as np
import pytest
import torch
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import message as said
from torch import nn

from keyfilters_book.background import regularisers as r
from keyfilters_book.background.inversion import invert, pixel_correlation, reconstruction_error
from keyfilters_book.background.probing import channels_of, fused, responses, run_to
from keyfilters_book.background.visualisation import baseline, descend, fine_share, maximise, start, unit_score
from keyfilters_book.figures.image_grids import image_grid, range_rows, stretched

SIZE = 9


def network(seed=0):
    """Smooth, so that finite differences hold everywhere."""
    torch.manual_seed(seed)
    layers = [nn.Conv2d(3, 6, 3, stride=2), nn.BatchNorm2d(6), nn.Softplus(), nn.Conv2d(6, 6, 3, padding=1, groups=6), nn.Tanh(),
              nn.Conv2d(6, 4, 1), nn.Flatten(), nn.Linear(64, 5)]  # fmt: skip
    return nn.Sequential(*layers).double().eval()


def images(n=3, seed=0, size=SIZE, scale=0.7):
    return scale * torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def finite_differences(function, x, places, step=1e-5):
    """Derivatives of a function of one image at some of its numbers."""
    steps = step * torch.eye(x.numel(), dtype=x.dtype)[places].reshape(-1, *x.shape)
    return np.array([(function(x + move) - function(x - move)).item() / (2 * step) for move in steps])


def assert_gradient(function, x, seed=0, count=40):
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(function(x), x)
    places = np.random.default_rng(seed).choice(x.numel(), count, replace=False)
    found = gradient.flatten()[places].numpy()
    expected = finite_differences(function, x.detach(), places)
    assert np.abs(expected).max() > 1e-6
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max() + 1e-10)


# --- gradients


@pytest.mark.parametrize(("layer", "channels"), [("0", [0, 5, 2]), ("3", [1, 1, 4]), ("5", [3, 0, 2]), ("7", [4, 0, 1])])
def test_gradient_of_the_activation_objective(layer, channels):
    model = network()
    known = baseline(model, images(12, seed=5), layer)
    assert_gradient(lambda x: unit_score(model, x, layer, channels, known).sum(), images())


@pytest.mark.parametrize("layer", ["1", "4", "7"])
def test_gradient_of_the_inversion_error(layer):
    model = network()
    wanted = run_to(model, images(2, seed=8), layer).detach()
    assert_gradient(lambda x: reconstruction_error(run_to(model, x, layer), wanted).sum(), images(2))


@each("penalty", [
    *(partial(r.total_variation, beta=beta) for beta in (1.0, 1.5, 2.0, 3.0)),
    *(partial(r.alpha_norm, alpha=alpha) for alpha in (1.0, 2.0, 6.0)),
])  # fmt: skip
def test_gradients_of_the_penalties(penalty):
    assert_gradient(lambda x: penalty(x).sum(), images(2))


def test_gradients_are_finite_where_the_image_is_flat():
    for function in (lambda x: r.total_variation(x, 1.0), lambda x: r.alpha_norm(x, 1.0), r.total_variation, r.alpha_norm):
        x = torch.zeros(1, 3, 4, 4, requires_grad=True)
        (gradient,) = torch.autograd.grad(function(x).sum(), x)
        assert torch.equal(gradient, torch.zeros_like(x))


# --- regularisers


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 12), st.integers(2, 12), st.integers(-30, 30), st.integers(-30, 30), st.floats(0.5, 4), st.floats(0.1, 2))
def test_total_variation_of_a_ramp(rows, columns, along, down, beta, slope):
    """a u + b v: inside |(a, b)|^beta, at the last column |b|^beta, at the last row |a|^beta, at the corner 0."""
    along, down = along / 10, down / 10
    v, u = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    ramp = (along * u + down * v).double().expand(1, 3, rows, columns)
    inside = (rows - 1) * (columns - 1) * np.hypot(along, down) ** beta
    edges = (rows - 1) * abs(down) ** beta + (columns - 1) * abs(along) ** beta
    expected = 3 * (inside + edges) / (rows * columns * slope**beta)
    np.testing.assert_allclose(r.total_variation(ramp, beta, slope).item(), expected, rtol=1e-6, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.floats(-2, 2), st.floats(0.1, 5), st.floats(1, 8))
def test_total_variation_ignores_a_constant_and_scales_by_its_power_as_does_the_norm_of_equal_colours(
    seed, constant, factor, power
):
    x = images(2, seed)
    np.testing.assert_allclose(r.total_variation(x + constant), r.total_variation(x), rtol=1e-9)
    np.testing.assert_allclose(r.total_variation(factor * x, 1.5), factor**1.5 * r.total_variation(x, 1.5), rtol=1e-9)
    # Every pixel has colour norm c B, in any direction: the value is c^alpha.
    equal = x / x.norm(dim=1, keepdim=True) * factor * r.TYPICAL
    np.testing.assert_allclose(r.alpha_norm(equal, power), factor**power, rtol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.floats(0.2, 3))
def test_projection_onto_the_bound(seed, limit):
    x = images(2, seed)
    once = r.shorten_colours(x, limit)
    norms, before = once.norm(dim=1), x.norm(dim=1)
    assert (norms <= limit * (1 + 1e-12)).all()
    inside = (before <= limit)[:, None].expand_as(x)
    assert torch.equal(once[inside], x[inside])
    torch.testing.assert_close(once * before[:, None], x * norms[:, None])  # the hue stays
    torch.testing.assert_close(r.shorten_colours(once, limit), once)
    other = r.shorten_colours(images(2, seed + 1), limit)
    assert (
        (once - other).norm() <= (x - images(2, seed + 1)).norm() * (1 + 1e-12)
    ).all()  # as any projection onto a convex set


@settings(max_examples=30, deadline=None)
@given(st.integers(-20, 20), st.integers(-20, 20), st.integers(2, 7), st.integers(2, 7))
def test_jitter_is_a_permutation(rows, columns, height, width):
    x = torch.arange(2.0 * 3 * height * width).reshape(2, 3, height, width)
    moved = r.jitter(x, rows, columns)
    assert torch.equal(moved.flatten(2).sort().values, x.flatten(2))  # within each channel
    assert torch.equal(r.jitter(moved, -rows, -columns), x)
    assert moved[0, 0, rows % height, columns % width] == x[0, 0, 0, 0]


def test_a_penalty_is_the_weighted_sum():
    x = images()
    torch.testing.assert_close(r.penalty(x, {"norm": 2, "tv": 0.5}), 2 * r.alpha_norm(x) + 0.5 * r.total_variation(x))
    assert torch.equal(r.penalty(x, {}), torch.zeros(3, dtype=torch.float64))


# --- optimising


def test_a_linear_unit_gets_its_own_mask_as_a_picture():
    """One place, a linear layer: under the bound alone the picture is the mask, each pixel at the limit."""
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(3, 2, 5)).double().eval()
    known = baseline(model, images(10, size=5), "0")
    recipe = r.Recipe({}, bounded=True, jitter=False)
    found = maximise(model, "0", [1], known, recipe=recipe, size=5, steps=400, weight=1.0).images[0]
    mask = model[0].weight[1].detach()
    best = mask / mask.norm(dim=0) * r.LIMIT
    reached, largest = ((mask * x).sum().item() for x in (found, best))
    assert 0.98 * largest < reached <= largest * (1 + 1e-9)


@pytest.mark.parametrize("recipe", list(r.IMAGE_RECIPES))
def test_maximising_beats_the_start_and_is_the_same_for_a_seed(recipe):
    model = network()
    known = baseline(model, images(12, seed=5), "5")
    options = {"recipe": recipe, "size": SIZE, "stride": 8, "steps": 25}
    one = maximise(model, "5", [0, 3], known, seed=1, **options)
    same = maximise(model, "5", [0, 3], known, seed=1, **options)
    assert torch.equal(one.images, same.images) and np.array_equal(one.scores, same.scores)
    begin = unit_score(model, start(2, SIZE, 1, like=one.images), "5", [0, 3], known).detach().numpy()
    assert (one.scores > begin + 0.2).all()
    if r.IMAGE_RECIPES[recipe].bounded:
        assert one.images.norm(dim=1).max() <= r.LIMIT * (1 + 1e-12)
    assert not torch.equal(one.images, maximise(model, "5", [0, 3], known, seed=2, **options).images)
    # The images of a batch do not know of each other.
    both, alone = (maximise(model, "5", units, known, **options | {"steps": 10}).images[-1] for units in ([0, 3], [3]))
    torch.testing.assert_close(both, alone)


def test_total_variation_makes_images_smooth():
    model = network()
    known = baseline(model, images(12, seed=5, size=32), "0")
    rough, smooth = (
        fine_share(maximise(model, "0", [0, 1, 2], known, recipe=name, size=32, steps=30).images)
        for name in ("bound, norm", "bound, norm, TV")
    )
    assert (smooth < rough).all()


def test_the_network_is_left_as_it_was():
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    known = baseline(model, images(4), "3")
    maximise(model, "3", [0], known, size=SIZE, steps=3)
    invert(model, images(1), "3", steps=3)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks for m in model.modules())


# --- inversion


def test_inversion_of_an_invertible_layer():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.Flatten()).double().eval()
    target = images(2, seed=2, scale=0.2)
    plain = r.Recipe({}, bounded=True, jitter=False)
    found = invert(model, target, "0", recipe=plain, steps=400)
    assert found.errors.max() < 1e-3 and pixel_correlation(found.images, target).min() > 0.99
    again = invert(model, target, "0", recipe=plain, steps=400)
    assert torch.equal(found.images, again.images)


def test_inversion_uses_jitter_only_before_its_last_steps():
    model, target = network(), images(1, seed=2)
    still, shaken = (invert(model, target, "3", stride=stride, steps=40).images for stride in (1, 16))
    assert not torch.equal(still, shaken)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), st.floats(0.1, 3), st.floats(-3, 3))
def test_similarity_ignores_gain_and_offset_and_the_error_of_a_multiple_is_known(seed, gain, offset):
    x, y = images(2, seed), images(2, seed + 1)
    np.testing.assert_allclose(reconstruction_error(offset * x, x), (offset - 1) ** 2, atol=1e-12)
    np.testing.assert_allclose(pixel_correlation(x, gain * x + offset), 1)
    np.testing.assert_allclose(pixel_correlation(x, gain * y + offset), pixel_correlation(x, y))
    assert (np.abs(pixel_correlation(x, y)) <= 1).all()


# --- spectra


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 0.5), st.floats(0, 6), st.floats(-2, 2))
def test_fine_share_of_a_wave(frequency, phase, offset):
    """A wave well below or above the cut; the window spreads it by two lines of the transform."""
    n = 64
    u = np.arange(n)
    wave = np.cos(2 * np.pi * frequency * u + phase) * np.ones((n, 1)) + offset
    if np.ptp(wave) < 0.1 or min(frequency, abs(frequency - 0.25)) < 4 / n:
        return
    np.testing.assert_allclose(fine_share(wave[None, None]), float(frequency > 0.25), atol=0.02)


def test_fine_share_of_white_noise_is_the_area_beyond_the_circle():
    noise = np.random.default_rng(0).normal(size=(40, 3, 64, 64))
    np.testing.assert_allclose(fine_share(noise).mean(), 1 - np.pi * 0.25**2, atol=0.01)


# --- reading layers


def test_reading_a_layer_is_what_a_whole_pass_computes():
    model, x = network(), images()
    torch.testing.assert_close(run_to(model, x, "3"), model[:4](x))
    torch.testing.assert_close(responses(model, x, "3"), model[:4](x).mean((2, 3)))
    torch.testing.assert_close(responses(model, x, "7"), model(x))


def test_a_fused_network_computes_the_same():
    model = network()
    with torch.no_grad():
        model[1].running_mean.copy_(torch.linspace(-1, 1, 6))
        model[1].running_var.copy_(torch.linspace(0.5, 3, 6))
        model[1].weight.copy_(torch.linspace(-2, 2, 6))
    one = fused(model, images())
    torch.testing.assert_close(one(images(seed=4)), model(images(seed=4)))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in one.modules())
    assert isinstance(model[1], nn.BatchNorm2d) and not any(p.requires_grad for p in one.parameters())


class Backwards(nn.Module):
    """The norm is registered after the convolution, but runs before it."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
        nn.init.constant_(self.norm.running_mean, 5.0)

    def forward(self, x):
        return self.conv(self.norm(x))


def test_constant_channels_score_zero():
    model = nn.Sequential(nn.Conv2d(3, 2, 1))
    nn.init.zeros_(model[0].weight)
    known = baseline(model, torch.randn(5, 3, 4, 4), "0")
    assert torch.equal(known.scores(known.values), torch.zeros(5, 2))


# --- errors


def model_with_a_spare():
    model = network()
    model.add_module("spare", nn.Conv2d(3, 3, 1).double())
    model.forward = lambda x: nn.Sequential.forward(nn.Sequential(*list(model)[:-1]), x)
    return model


@each(
    ("call", "words"),
    [
        (lambda: run_to(network(), images(), "9"), "unknown layer '9': expected a name of model.named_modules()"),
        (lambda: run_to(network(), images(), 3), "unknown layer 3"),
        (lambda: run_to("net", images(), "3"), "model is a str: expected a torch.nn.Module"),
        (lambda: run_to(model_with_a_spare(), images(), "spare"), "'spare' is not on the way"),
        (lambda: fused(Backwards().double().eval(), images()), "does not run its layers in the order"),
        (lambda: maximise(network(), "nine", [0], None, size=SIZE), "unknown layer 'nine'"),
        (lambda: maximise(network(), "3", [6], None, size=SIZE), "unknown unit 6 of layer '3': expected integers from 0 to 5"),
        (
            lambda: maximise(network(), "7", [-1], None, size=SIZE),
            "unknown unit -1 of layer '7': expected integers from 0 to 4",
        ),
        (lambda: maximise(network(), "3", [True], None, size=SIZE), "unknown unit True"),
        (lambda: maximise(network(), "3", [], None, size=SIZE), "there are no units"),
        (
            lambda: maximise(network(), "3", [0], None, recipe="some", size=SIZE),
            "unknown recipe 'some': expected one of nothing",
        ),
        (lambda: maximise(network(), "3", [0], None, size=0), "size is 0: expected an integer of at least 2"),
        (lambda: channels_of(network(), "3", "a", SIZE), "unknown unit 'a'"),
        (lambda: baseline(network(), images(1), "3"), "there are 1 images: expected at least 2"),
        (lambda: descend(lambda x: x, images(), r.IMAGE_RECIPES["all"], 0), "steps is 0: expected an integer of at least 1"),
        (lambda: start(1, 8, seed=-1), "seed is -1: expected an integer of at least 0"),
        (lambda: invert(network(), images()[:, :, :4], "3"), "targets have shape (3, 3, 4, 9)"),
        (lambda: invert(network(), images(), "3", recipe="some"), "unknown recipe 'some'"),
        (lambda: reconstruction_error(images(), images(2)), "expected the same"),
        (lambda: reconstruction_error(images(), 0 * images()), "a wanted representation is all zero"),
        (lambda: pixel_correlation(images(), images(2)), "expected the same"),
        (lambda: pixel_correlation(images(), 0 * images()), "image 0 of a pair is flat"),
        (lambda: fine_share(0 * images()), "image 0 is flat"),
        (lambda: fine_share(images()[0]), "expected (n, channels, rows, columns)"),
        (lambda: r.penalty(images(), {"l2": 1}), "unknown penalty 'l2': expected one of norm, tv"),
        (lambda: r.alpha_norm(images(), alpha=0), "alpha is 0: expected a number above 0"),
        (lambda: r.total_variation(images(), slope=-1), "slope is -1: expected a number above 0"),
        (lambda: r.shorten_colours(images().int()), "dtype torch.int32: expected a floating-point tensor"),
        (lambda: r.shorten_colours([1.0]), "type list: expected a floating-point tensor"),
        (lambda: r.stride_shift(0), "stride is 0: expected an integer of at least 1"),
        (lambda: stretched(np.zeros((2, 4, 4))), "expected (3, rows, columns)"),
        (lambda: image_grid({"a": [None]}, ["x", "y"]), "row 'a' has 1 images: expected 2"),
        (lambda: range_rows({"a": [[0, 0, 0]]}, ["x", "y"], xlabel=""), "series 'a' has shape (1, 3): expected (2, 3)"),
        (lambda: image_grid({"a": [None]}, ["x"], groups={"g": 2}), "groups has 2 columns: expected 1"),
    ],
)
def test_errors_are_one_line(call, words):
    assert words in said(call)


# --- figures


def test_images_stand_upright_in_the_grid():

    image = np.zeros((3, 4, 4))
    image[:, 0] = 1.0  # the top row
    fig = image_grid({"a": [image, None], "b": [image, image]}, ["x", "y"], groups={"left": 1, "right": 1}, as_is=[1])
    shown = [ax for ax in fig.axes if ax.images]
    assert len(shown) == 3
    for ax in shown:
        assert ax.get_ylim()[0] > ax.get_ylim()[1]  # row 0 on top
        assert ax.images[0].get_array()[0].min() == 1.0 and ax.images[0].get_array()[1:].max() == 0.5


def test_ranges_stand_in_their_rows():

    fig = range_rows({"a": [[1, 0, 2], [4, 3, 5]], "b": [[1, 0, 2], [4, 3, 5]]}, ["x", "y"], xlabel="z")
    lines = [line for line in fig.axes[0].lines if line.get_marker() in "os"]
    assert [line.get_xdata().tolist() for line in lines] == [[1, 4], [1, 4]]
    for row in range(2):
        places = [line.get_ydata()[row] for line in lines]
        assert row - 0.5 < places[0] < places[1] < row + 0.5


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 99), st.floats(0.01, 100))
def test_stretching_does_not_depend_on_the_gain(seed, gain):
    image = np.random.default_rng(seed).normal(size=(3, 6, 6))
    np.testing.assert_allclose(stretched(gain * image), stretched(image), atol=1e-12)
