"""Networks loaded in another way than usual: weights that may be out of reach, another padding."""

from __future__ import annotations

import copy
import hashlib
import re
from pathlib import Path

from torch import nn

from keyfilters.networks.zoo.loading import LoadedModel, load_model

from .mending import Mender
from .replacement import Judge, sweep
from .replacement_images import images_for


def with_symmetric_padding(model: nn.Module) -> nn.Module:
    """A copy in which every convolution with TensorFlow's padding (timm's Conv2dSame) pads both sides alike.

    Examples
    --------
    >>> import torch
    >>> from timm.layers import Conv2dSame
    >>> network = with_symmetric_padding(nn.Sequential(Conv2dSame(2, 2, 5, stride=2, groups=2)))
    >>> type(network[0]).__name__, network[0].padding, network(torch.zeros(1, 2, 8, 8)).shape[2]
    ('Conv2d', (2, 2), 4)
    """
    from timm.layers import Conv2dSame

    model = copy.deepcopy(model)
    for name, module in list(model.named_modules()):
        if isinstance(module, Conv2dSame):
            plain = nn.Conv2d(
                module.in_channels, module.out_channels, module.kernel_size, module.stride,
                tuple(d * (k - 1) // 2 for k, d in zip(module.kernel_size, module.dilation, strict=True)),
                module.dilation, module.groups, module.bias is not None,
            )  # fmt: skip
            plain.load_state_dict(module.state_dict())
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, plain)
    return model.eval()


def weights_or_reason(name: str, weights: str = "", timeout: float = 3.0) -> tuple[LoadedModel | None, str]:
    """A network with trained weights, from a file or else from the hub; or None and why there are none.

    A file that does not fit is an error (ValueError), not a reason. The text names no folder.

    Examples
    --------
    >>> weights_or_reason("small_convnext")
    (None, 'not run here: small_convnext has no published weights')
    """
    if weights:
        loaded = load_model(name, weights=weights)
        digest = hashlib.sha256(Path(weights).read_bytes()).hexdigest()[:12]
        return loaded, f"weights from the file {Path(weights).name} (sha256 {digest})"
    try:
        loaded = load_model(name, pretrained=True, timeout=timeout)
    except ValueError as error:
        reason = str(error).removeprefix(f"{name}: ").partition(": ")[0]
        # The hub's address may be that of a mirror, which is nobody's business.
        return None, "not run here: " + re.sub(r"\band \S+ (is out of reach|does not)", r"and the hub \1", reason)
    return loaded, f"weights from {loaded.source}"


def replacement_or_reason(name: str, weights: str, variants, crops_per_photograph: int, calibration: int, timeout: float = 3.0):
    """:func:`sweep` of a network whose weights may be out of reach, with the unmodified network as its first row.

    Returns
    -------
    frame : pandas.DataFrame
        As :func:`sweep`, with the columns network and weights in front; one row without numbers where
        there are no weights.
    ran : bool
    """
    import pandas as pd

    loaded, source = weights_or_reason(name, weights, timeout)
    if loaded is None:
        return pd.DataFrame([{"network": name, "weights": source, "variant": None, "state": "not run here"}]), False
    judge = Judge(loaded.model, images_for(loaded, crops_per_photograph, calibration))
    frame, _ = sweep(judge, variants, mender=Mender(loaded.model, judge.images.calibration))
    own = pd.DataFrame([{"variant": None, "state": "unmodified"} | judge.own.row() | {"p": 1.0}])
    frame = pd.concat([own, frame], ignore_index=True)
    return frame.assign(network=name, weights=source)[["network", "weights", *frame.columns]], True
