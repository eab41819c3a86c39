"""The words that options take, as types for editors and type checkers; at run time :func:`keyfilters.checks.choice` sees to them."""

from __future__ import annotations

from typing import Literal

__all__ = [
    "Border",
    "DC",
    "Edge",
    "JointName",
    "KernelKind",
    "LayerKernel",
    "MethodName",
    "ModeName",
    "Norm",
    "Normalization",
    "PaddingMode",
    "Search",
    "Share",
    "Way",
]

DC = Literal["published", "exact", "none"]
"""How keys 7 and 8 are compensated for a constant: see :func:`keyfilters.normalize`."""
Edge = Literal["crop", "exact"]
"""Kernels cropped before or after they are differenced: see :func:`keyfilters.ideal_filter`."""
Border = Literal["mirror", "zero", "shrink"]
"""What a difference takes beyond the last sample: see :func:`keyfilters.difference`."""
KernelKind = Literal["discrete", "sampled", "normalized-sampled", "integrated"]
"""Analogues of the Gaussian: see :func:`keyfilters.gaussian_kernel`."""
MethodName = Literal["A", "B", "C1", "C2", "D1", "D2"]
"""Methods of :func:`keyfilters.fit`."""
JointName = Literal["A-joint", "B-joint", "C-joint", "D-joint"]
"""Methods of :func:`keyfilters.fit_joint`."""
Search = Literal["exact", "grid"]
"""Optima certified, or as in the published scans: see :func:`keyfilters.fit`."""
Norm = Literal["l1", "l2"]
"""Norms of the difference of model and filter."""
Way = Literal["bootstrap", "profile"]
"""Ways to an interval: see :func:`keyfilters.fitting.interval`."""
Share = Literal["channel", "key", "layer"]
"""What has scales of its own in a layer."""
Normalization = Literal["none", "l1", "l2"]
"""The norm to which a layer brings its filters."""
LayerKernel = Literal["discrete", "sampled"]
"""Analogues of the Gaussian that a layer computes."""
PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
"""Padding of a convolution, as torch names it."""
ModeName = Literal["unit", "affine", "own", "learnable", "master", "random", "impulse", "gaussian"]
"""What becomes of the filters of a network: see :func:`keyfilters.networks.replace`."""
