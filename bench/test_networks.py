"""Speed of the layers and of surgery, each beside what it stands for (`make bench`); ratios of one run."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

CHANNELS, SIDE, BATCH = 96, 56, 4
TINY_FILTERS = 6624

pytestmark = pytest.mark.benchmark  # `make bench` runs nothing else


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def image():
    # Inside a network a layer hands a gradient on to what lies before it.
    return torch.randn(BATCH, CHANNELS, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).requires_grad_()


def training_step(layer, x):
    optimizer = torch.optim.SGD(layer.parameters(), lr=1e-6)

    def step():
        optimizer.zero_grad()
        layer(x).square().mean().backward()
        optimizer.step()

    return step


@torch.no_grad()
@pytest.mark.parametrize("mode", ["affine", "learnable", "master"])
def test_forward_of_a_parametrised_convolution(benchmark, compare, image, mode):
    from keyfilters.networks import replace

    conv = torch.nn.Conv2d(CHANNELS, CHANNELS, 7, padding=3, groups=CHANNELS)
    own = replace(conv, mode=mode).model
    compare(f"forward, parametrised ({mode}) / nn.Conv2d", lambda: own(image), lambda: conv(image), "at most 1.05", rounds=100)
    benchmark.pedantic(lambda: own(image), rounds=3)


@pytest.mark.parametrize("mode", ["affine", "learnable", "master"])
def test_training_step_of_a_parametrised_convolution(benchmark, compare, image, mode):
    from keyfilters.networks import replace

    conv = torch.nn.Conv2d(CHANNELS, CHANNELS, 7, padding=3, groups=CHANNELS)
    ours = training_step(replace(conv, mode=mode).model, image)
    compare(f"training step, parametrised ({mode}) / nn.Conv2d", ours, training_step(conv, image), "at most 1.10")
    benchmark.pedantic(ours, rounds=3)


def test_training_step_of_frozen_filters(benchmark, compare, image):
    from keyfilters.networks import ScaleSpaceConv2d

    conv = torch.nn.Conv2d(CHANNELS, CHANNELS, 7, padding=3, groups=CHANNELS)
    ours = training_step(ScaleSpaceConv2d(CHANNELS), image)
    compare("training step, stand-alone layer / nn.Conv2d", ours, training_step(conv, image), "below 1")
    benchmark.pedantic(ours, rounds=3)


@pytest.mark.parametrize("learned", [False, True])
def test_training_step_in_three_dimensions(benchmark, compare, learned):
    from keyfilters.networks import ScaleSpaceConv3d

    volume = torch.randn(2, 20, 16, 24, 24, generator=torch.Generator().manual_seed(0)).requires_grad_()
    conv = torch.nn.Conv3d(20, 20, 5, padding=2, groups=20)
    ours = training_step(ScaleSpaceConv3d(20, 5, sigma=0.7, learn_scales=learned), volume)
    work = f"training step, ScaleSpaceConv3d{', scales learned' if learned else ''} / nn.Conv3d"
    compare(work, ours, training_step(conv, volume), "at most 1.10" if learned else "below 1", rounds=8)
    benchmark.pedantic(ours, rounds=3)


@torch.no_grad()
def test_folded_inference(benchmark, compare, image):
    from keyfilters.networks import ScaleSpaceConv2d

    conv = torch.nn.Conv2d(CHANNELS, CHANNELS, 7, padding=3, groups=CHANNELS)
    folded = ScaleSpaceConv2d(CHANNELS, learn_scales=True).fold()
    compare("inference, folded / nn.Conv2d", lambda: folded(image), lambda: conv(image), "1.00")
    benchmark.pedantic(lambda: folded(image), rounds=3)


@torch.no_grad()
def test_kernels_of_convnext_v2_tiny(benchmark, compare):
    from keyfilters import ideal_filter
    from keyfilters.networks.layers.kernels import KernelTable, kernels_from

    rng = np.random.default_rng(0)
    keys, sigma = rng.integers(1, 9, TINY_FILTERS), rng.uniform(0.3, 1.2, (2, TINY_FILTERS))
    table, numbers = KernelTable(7, dtype=torch.float32), torch.tensor(keys)
    variance, gamma = torch.tensor(sigma**2, dtype=torch.float32), torch.full((TINY_FILTERS,), 0.5)

    def one_by_one():
        for key in range(1, 9):
            own = keys == key
            ideal_filter(key, *sigma[:, own], gamma=0.5 if key == 7 else None)

    def ours():
        return kernels_from(table, numbers, *variance, gamma)

    compare(f"kernels of {TINY_FILTERS:,} channels / numpy, key by key", ours, one_by_one, "10 ms")
    benchmark.pedantic(ours, rounds=3)


def test_surgery_on_convnext_v2_tiny(benchmark, compare):
    import timm

    from keyfilters.networks import replace

    network = timm.create_model("convnextv2_tiny", pretrained=False)
    replace(network)  # the fits of method B are kept from the first call on

    def ours():
        return replace(network)

    compare("match and replace 6,624 channels / copy the network", ours, lambda: copy.deepcopy(network), "1 s", rounds=5)
    benchmark.pedantic(ours, rounds=2)
