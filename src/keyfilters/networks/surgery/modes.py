"""What a depthwise filter can be replaced by: one table of modes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from ...fitting.parameters import key_parameters
from ..layers.scale_space import FilterBankConv2d, FilterBankWeight, ScaleSpaceConv2d, ScaleSpaceWeight
from .depthwise import key_filters_at
from .ideas import IDEAS
from .matching import LayerMatch, centred, unit
from .scale_fits import fit_scales


@dataclass(frozen=True)
class Job:
    """What a mode needs to build the weights of one layer, or a stand-alone layer.

    Attributes
    ----------
    conv : torch.nn.Module
        The convolution that is replaced.
    filters : ndarray, shape (C, n, n), (C, 1, n) or (C, n, 1)
    found : LayerMatch
    method : str or ndarray
        As in :func:`keyfilters.networks.replace`.
    rng : numpy.random.Generator
    options : dict
        Of the weights to be built.
    standalone : bool
    """

    conv: nn.Module
    filters: np.ndarray
    found: LayerMatch
    method: object
    rng: np.random.Generator
    options: dict
    standalone: bool = False

    def scale_space(self, gain: Any, scales: Any = None, offset: Any = None, **options: Any) -> ScaleSpaceWeight:
        """Idealised filters of the matched keys; dead channels stay at their mean."""
        # A dead channel needs some key; its gain is 0.
        keys = np.where(self.found.live, self.found.key, 8)
        if not isinstance(self.method, str) or self.method in ("learned", "impulse"):
            return self.bank(self.method, np.where(self.found.live, gain, 0.0), offset)
        sigma_x, sigma_y, gamma = key_parameters(self.method)[:, keys - 1] if scales is None else scales
        rows, columns = self.found.kernel_size
        if rows != columns:
            # One row or column has one scale, that along it.
            sigma_x, sigma_y = (None, sigma_y) if columns == 1 else (sigma_x, None)
        build = ScaleSpaceConv2d.from_conv if self.standalone else ScaleSpaceWeight.of
        return build(
            self.conv,
            keys,
            sigma_x,
            sigma_y,
            gamma,
            gain=gain,
            offset=self.found.offset if offset is None else offset,
            **options,
        )

    def bank(self, filters: np.ndarray, gain: Any, offset: Any = None) -> FilterBankWeight:
        """Filters of a set, by the matched key."""
        index = np.maximum(self.found.key, 1) - 1
        chosen = key_filters_at(filters, self.found.kernel_size)
        return self._of_bank(chosen, index, gain, self.found.offset if offset is None else offset)

    def _of_bank(self, filters, index, gain, offset):
        build = FilterBankConv2d.from_conv if self.standalone else FilterBankWeight.of
        return build(self.conv, filters, index, gain, offset)

    def own(self, filters: np.ndarray) -> FilterBankWeight:
        """One filter per channel, mean-free, with the channel's own mean; dead channels stay at it."""
        mean = centred(self.filters.reshape(len(self.filters), -1))[1]
        filters = np.where(self.found.live[:, None, None], filters.reshape(self.filters.shape), 0.0)
        return self._of_bank(filters, np.arange(len(filters)), 1.0, mean)


def _unit(job):
    return job.scale_space(np.sign(job.found.gain), offset=np.where(job.found.live, 0.0, job.found.offset))


def _affine(job):
    return job.scale_space(job.found.gain)


def _own(job):
    scales = fit_scales(job.filters, job.found.key, *key_parameters(job.method))
    return job.scale_space(scales.gain, (scales.sigma_x, scales.sigma_y, scales.gamma), scales.offset)


def _learnable(job):
    return job.scale_space(job.found.gain, **({"learn_scales": True} | job.options))


def _random(job):
    noise = unit(centred(job.rng.standard_normal((len(job.filters), job.filters[0].size)))[0])
    return job.own(noise * np.sqrt(job.found.energy)[:, None])


def _gaussian(job):
    bare = centred(job.filters.reshape(len(job.filters), -1))[0][job.found.live]
    if not len(bare):
        return job.own(np.zeros_like(job.filters))
    # Not the symmetric root of the nulls: the published control of the chapter on replacing was drawn by this one. Where LAPACK
    # chooses other signs of eigenvectors, other filters of the same distribution are drawn.
    values, axes = np.linalg.eigh(bare.T @ bare / len(bare))
    root = (np.sqrt(np.maximum(values, 0.0)) * axes).T
    return job.own(job.rng.standard_normal((len(job.filters), len(root))) @ root)


@dataclass(frozen=True)
class Mode:
    """One row of the table of modes.

    Attributes
    ----------
    name, idea : str
    build : callable
        Job -> computed weight.
    filters : str or None
        The filters that are matched; None for those of the method.
    """

    name: str
    idea: str
    build: Callable
    filters: str | None = None


_BUILDERS: dict[str, tuple[Callable, str | None]] = {
    "unit": (_unit, None), "affine": (_affine, None), "own": (_own, None), "learnable": (_learnable, None),
    "master": (lambda job: job.bank("learned", job.found.gain), "learned"), "random": (_random, None),
    "impulse": (lambda job: job.bank("impulse", job.found.gain), "impulse"), "gaussian": (_gaussian, None),
}  # fmt: skip
MODES: dict[str, Mode] = {name: Mode(name, idea, *_BUILDERS[name]) for name, idea in IDEAS.items()}
"""What a depthwise filter can be replaced by."""
