"""Statistics of a network with replaced filters put right: recalibrated, or corrected by what the replacement changed."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import nn

from keyfilters.networks.evaluation.finetuning import match_statistics, recalibrate

from .replacement_images import as_batches


def _norms(model: nn.Module) -> list[nn.Module]:
    return [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.running_mean is not None]


class Mender:
    r"""Puts the statistics of a network right, with a few images and without gradients.

    *Recalibrated*: each batch norm takes mean and variance (m, v) of these images. They are few and not
    ImageNet's, which does harm of its own. *Corrected*: it takes only what the replacement changed. With
    :math:`(m_0, v_0)` as trained and :math:`(m_r, v_r)` of the unmodified network on the same images,

    .. math:: m' = m + \sqrt{v / v_r}\, (m_0 - m_r), \qquad v' = v_0\, v / v_r :

    the change of gain and offset that takes (m_r, v_r) to (m, v), applied to what was trained. It leaves
    the unmodified network as it is, and undoes any change of gain and offset in front of a norm. Networks
    without batch norms are corrected by
    :func:`keyfilters.networks.evaluation.finetuning.match_statistics`, which compares with the unmodified one as well.

    Parameters
    ----------
    reference : nn.Module
        The unmodified network.
    images : Tensor

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    >>> mender = Mender(network, torch.rand(4, 3, 8, 8))
    >>> found = mender.corrected(copy.deepcopy(network))[1]
    >>> torch.equal(found.running_mean, network[1].running_mean), torch.equal(found.running_var, network[1].running_var)
    (True, True)
    """

    def __init__(self, reference: nn.Module, images: torch.Tensor) -> None:
        self.reference, self.images = reference, images
        self.trained = self._statistics(reference)
        other = copy.deepcopy(reference)
        recalibrate(other, as_batches(images))
        self.there = self._statistics(other)

    @staticmethod
    def _statistics(model) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return [(norm.running_mean.double(), norm.running_var.double()) for norm in _norms(model)]

    def states(self, model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        """Change the network in place, step by step: pairs (state, the network in it)."""
        if not self.trained:
            match_statistics(model, self.reference, as_batches(self.images))
            yield "corrected", model
            return
        recalibrate(model, as_batches(self.images))
        yield "recalibrated", model
        yield "corrected", self._corrected(model)

    def corrected(self, model: nn.Module) -> nn.Module:
        """The network itself, corrected."""
        for _ in self.states(model):
            pass
        return model

    def _corrected(self, model):
        rows = zip(_norms(model), self._statistics(model), self.there, self.trained, strict=True)
        with torch.no_grad():
            for norm, (mean, variance), (mean_there, variance_there), (mean_trained, variance_trained) in rows:
                # A channel that was constant keeps its variance.
                ratio = torch.where(variance_there > 0, variance / variance_there.clamp(min=1e-300), 1.0)
                norm.running_mean.copy_(mean + ratio.sqrt() * (mean_trained - mean_there))
                norm.running_var.copy_(variance_trained * ratio)
        return model
