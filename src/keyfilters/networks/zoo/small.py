"""A reduced ConvNeXt V2 for small grey images, that trains on a laptop."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from timm.layers import LayerNorm2d, trunc_normal_
from timm.layers.grn import GlobalResponseNorm
from timm.models.convnext import ConvNeXtStage
from torch import nn

from ...checks import odd_size


def _widths(value, what: str) -> tuple[int, ...]:
    numbers = tuple(value) if isinstance(value, (list, tuple)) else ()
    if not numbers or not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in numbers):
        raise ValueError(f"{what} is {value!r}: expected positive integers, one per stage")
    return numbers


class ResponseNorm(GlobalResponseNorm):
    r"""Global response normalisation, timm's in fewer passes over the maps.

    .. math:: y_c = x_c\, \Bigl(1 + w_c\, \frac{\|x_c\|}{\epsilon + \frac1C \sum_k \|x_k\|}\Bigr) + b_c

    with the norm over all places of map c. Input and output (N, H, W, C), or (N, C, H, W) without ``channels_last``.

    Source: Woo et al. (2023).

    Examples
    --------
    >>> ours, timms = ResponseNorm(3), GlobalResponseNorm(3)
    >>> x = torch.linspace(-1, 1, 24).reshape(2, 2, 2, 3)
    >>> with torch.no_grad(): _ = ours.weight.fill_(2.0), timms.weight.fill_(2.0)
    >>> torch.allclose(ours(x), timms(x)), torch.equal(ours(0 * x), 0 * x)
    (True, True)
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The normalised feature maps, of the shape of ``x``."""
        wide = torch.promote_types(x.dtype, torch.float32)
        energy = x.to(wide).square().sum(self.spatial_dim, keepdim=True)
        # The least number keeps the gradient of a silent map finite.
        norm = energy.clamp_min(torch.finfo(wide).tiny).sqrt()
        gain = 1 + self.weight.view(self.wb_shape) * (norm / (norm.mean(self.channel_dim, keepdim=True) + self.eps))
        return torch.addcmul(self.bias.view(self.wb_shape), x, gain)


class SmallConvNeXt(nn.Module):
    """ConvNeXt V2 with a 2x2 stem and few stages, its blocks those of timm but for a faster response normalisation.

    Each block is a depthwise convolution, layer normalisation, a pointwise convolution to four times the
    channels, GELU, global response normalisation, a pointwise convolution back, and the residual
    connection. The stem halves the image; each stage but the first halves it again.

    Parameters
    ----------
    num_classes, in_chans : int
    depths, dims : sequence of int
        Blocks and channels per stage.
    kernel_size : int
        Odd side of the depthwise kernels.
    drop_path_rate : float
        Stochastic depth of the last block; it grows linearly from 0.

    Input (N, in_chans, H, W), output (N, num_classes): logits.

    Raises
    ------
    ValueError
        For depths and dims that do not fit together, and an even kernel size.

    Source: Woo et al. (2023) for the block.

    Examples
    --------
    >>> network = SmallConvNeXt()
    >>> network(torch.zeros(2, 1, 28, 28)).shape, sum(p.numel() for p in network.parameters())
    (torch.Size([2, 10]), 60898)
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_chans: int = 1,
        depths: Sequence[int] = (2, 2),
        dims: Sequence[int] = (24, 48),
        kernel_size: int = 7,
        drop_path_rate: float = 0.0,
    ):
        super().__init__()
        depths, dims = _widths(depths, "depths"), _widths(dims, "dims")
        if len(depths) != len(dims):
            raise ValueError(f"depths has {len(depths)} entries and dims {len(dims)}: expected one of each per stage")
        odd_size(kernel_size, "kernel_size")
        self.num_classes, self.in_chans, self.depths, self.dims = num_classes, in_chans, depths, dims
        self.stem = nn.Sequential(nn.Conv2d(in_chans, dims[0], 2, stride=2), LayerNorm2d(dims[0], eps=1e-6))
        rates = torch.linspace(0, drop_path_rate, sum(depths)).split(list(depths))
        stages, channels = [], dims[0]
        for i, (depth, width, rate) in enumerate(zip(depths, dims, rates, strict=True)):
            stages.append(ConvNeXtStage(
                channels, width, kernel_size=kernel_size, stride=1 if i == 0 else 2, depth=depth,
                drop_path_rates=rate.tolist(), ls_init_value=None, conv_mlp=False, use_grn=True,
                norm_layer=partial(LayerNorm2d, eps=1e-6), norm_layer_cl=partial(nn.LayerNorm, eps=1e-6),
            ))  # fmt: skip
            for block in stages[-1].blocks:
                block.mlp.grn = ResponseNorm(4 * width)
            channels = width
        self.stages = nn.Sequential(*stages)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.head = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """The last feature maps, shape (N, dims[-1], H', W')."""
        return self.stages(self.stem(x))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The scores of the classes, shape (N, K)."""
        return self.head(self.norm(self.forward_features(x).mean((-2, -1))))
