"""The reduced ConvNeXt V2, and the package's own face."""

import subprocess
import sys

import pytest
import torch
from each import each

from keyfilters.networks import SmallConvNeXt, find_depthwise
from keyfilters_book.paper.architecture import layers


@pytest.mark.parametrize("depths, dims, kernel", [((2, 2), (24, 48), 7), ((1, 3, 1), (4, 8, 16), 5), ((2,), (6,), 3)])
def test_shapes_and_depthwise_layers(depths, dims, kernel):
    network = SmallConvNeXt(5, 2, depths, dims, kernel)
    x = torch.randn(3, 2, 16, 16)
    assert network(x).shape == (3, 5)
    side = 8 // 2 ** (len(dims) - 1)
    assert network.forward_features(x).shape == (3, dims[-1], side, side)
    found = find_depthwise(network)
    assert [layer.channels for layer in found] == [w for d, w in zip(depths, dims, strict=True) for _ in range(d)]
    assert {layer.kernel_size for layer in found} == {(kernel, kernel)}


def test_a_block_has_the_parameters_of_a_convnext_block():
    block = SmallConvNeXt(dims=(96,), depths=(1,)).stages[0].blocks[0]
    table = [layer for layer in layers("tiny") if layer.stage == 1 and layer.block == 1]
    assert sum(p.numel() for p in block.parameters()) == sum(layer.parameters for layer in table)


def test_drop_path_acts_in_training_only():
    torch.manual_seed(0)
    network, x = SmallConvNeXt(dims=(8, 8), drop_path_rate=0.9), torch.randn(4, 1, 28, 28)
    with torch.no_grad():
        assert not torch.equal(network.train()(x), network(x))
        assert torch.equal(network.eval()(x), network(x))


@each("options, message", [
    ({"depths": (2,)}, "depths has 1 entries and dims 2: expected one of each per stage"),
    ({"dims": (4, 0)}, "dims is (4, 0): expected positive integers, one per stage"),
    ({"dims": 4}, "dims is 4: expected positive integers, one per stage"),
    ({"kernel_size": 4}, "kernel_size is 4: expected an odd integer of at least 3"),
])  # fmt: skip
def test_mistakes_are_named(options, message):
    with pytest.raises(ValueError) as caught:
        SmallConvNeXt(**options)
    assert str(caught.value) == message


def test_every_public_name_is_there():
    import keyfilters.networks as networks

    for name in networks.__all__:
        assert getattr(networks, name) is not None
    assert set(networks.__all__) <= set(dir(networks))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        networks.nothing  # noqa: B018


@pytest.mark.parametrize("package", ["torch", "timm"])
def test_without_the_extra_one_line_says_what_to_install(package):
    block = (
        f"import sys, importlib.util as u; f = u.find_spec; u.find_spec = lambda n, *a: None if n == {package!r} else f(n, *a);"
    )
    asked = subprocess.run(
        [sys.executable, "-c", block + "import keyfilters.networks as n\ntry: n.replace\nexcept ImportError as e: print(e)"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert asked.stdout == "keyfilters.networks needs torch and timm: pip install 'keyfilters[networks]'\n", asked.stderr
    called = subprocess.run(
        [sys.executable, "-c", block + "from keyfilters.cli import main; sys.exit(main(['inspect', 'efficientnet_lite0']))"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert called.returncode == 2
    assert called.stderr == f"keyfilters: inspect needs {package}: pip install 'keyfilters[networks]'\n"
