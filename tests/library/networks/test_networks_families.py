"""Surgery on one network of each of 25 families of timm, as timm makes it, with random weights."""

import pytest

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")

from keyfilters.networks import find_depthwise, fold, match, replace, weight_of  # noqa: E402
from keyfilters.networks.surgery.branches import merged  # noqa: E402

NAMES = (
    "coat_lite_tiny", "convnext_atto", "convnextv2_atto", "edgenext_xx_small", "efficientformerv2_s0", "efficientnet_lite0", "efficientvit_b0",
    "efficientvit_m0", "fastvit_t8", "ghostnet_050", "hgnetv2_b0", "inception_next_atto", "lcnet_035", "mambaout_femto", "mixnet_s",
    "mnasnet_small", "mobilenetv3_small_050", "mobilenetv4_conv_small_035", "mobileone_s0", "mobilevit_xxs", "pvt_v2_b0", "repghostnet_050",
    "repvit_m0_9", "starnet_s050", "tf_efficientnetv2_b0",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", NAMES)
def test_found_matched_replaced_and_folded(name):
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=5).eval()
    deployed, notes = merged(model)
    layers, found = find_depthwise(deployed), match(model)
    assert layers and sum(d.matchable for d in layers) and found.notes == tuple(notes)
    for d, m in zip(layers, found.layers, strict=True):
        assert (m.name, m.kernel_size, m.channels, m.note) == (d.name, d.kernel_size, d.channels, d.note)
        assert m.note or 0 < m.pooled() <= 1
    image = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        expected = model(image)
        assert torch.allclose(deployed(image), expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
        done = replace(model, mode="learnable")
        assert [weight_of(d.module) is not None for d in find_depthwise(done.model)] == [d.matchable for d in layers]
        replaced, folded = done.model(image), fold(done.model)
        # The affine idealised filter of the match, tap by tap, in convolutions of the network's own classes and names.
        ideal = replace(deployed).model
        for d, new in zip(find_depthwise(folded), find_depthwise(fold(ideal)), strict=True):
            assert torch.allclose(d.module.weight, new.module.weight, atol=1e-6)
        assert torch.allclose(folded(image), replaced, rtol=1e-4, atol=1e-5 * float(replaced.abs().max()))
    assert [type(m) for m in folded.modules()] == [type(m) for m in deployed.modules()]
    assert list(folded.state_dict()) == list(deployed.state_dict())
    assert done.report.replaced.tolist() == [
        d.channels - m.dead if d.matchable else 0 for d, m in zip(layers, found.layers, strict=True)
    ]
