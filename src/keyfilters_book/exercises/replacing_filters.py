"""Checks of chapter 16, replacing the filters of a network."""

from __future__ import annotations

import copy

import numpy as np
from scipy.stats import spearmanr

from .verdict import alike, array, call, exercise, hint_if, hints, near, number

__all__ = ["check_16_1", "check_16_2", "check_16_3"]

_EXPLAINED = np.array([0.9, 0.4, 0.7, 0.7, 0.2, 0.6, 0.8])
_HARM = np.array([0.01, 0.3, 2.5, 0.02, 5.0, 0.1, 0.1])


@exercise("a function of explained shares and divergences that returns the rank correlation", answers="foretold")
def check_16_1(answer):
    """Rank correlation of the unexplained part with the harm."""
    found = number(call(answer, _EXPLAINED, _HARM))
    result = spearmanr(1 - _EXPLAINED, _HARM)
    right = float(result.statistic)
    of_values = np.corrcoef(1 - _EXPLAINED, _HARM)[0, 1]
    order = [np.argsort(np.argsort(values)) for values in (1 - _EXPLAINED, _HARM)]
    hints(
        *alike(
            found,
            (-right, "The sign: a worse match, that is more unexplained, should count as more."),
            (of_values, "That is the correlation of the values; their ranks are to be correlated."),
            (-of_values, "That is the correlation of the values, and of the explained part."),
            (result.pvalue, "That is a p-value."),
            (np.corrcoef(order)[0, 1], "Equal values share a rank, the mean of the places that they take."),
        ),
        right=near(found, right),
        otherwise="Replace the values of both by their ranks, then correlate the ranks.",
    )


@exercise("a function of a network and a method that returns a network of plain convolutions", answers="as_plain")
def check_16_2(answer):
    """A network with replaced filters, in the form of the original."""
    import torch

    from keyfilters.networks import replace
    from keyfilters.networks.zoo.small import SmallConvNeXt

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = SmallConvNeXt(depths=(1,), dims=(8,)).eval()
        images = torch.randn(2, 1, 14, 14)
    before = copy.deepcopy(network)
    found = call(answer, network, "B")
    hint_if(
        not isinstance(found, torch.nn.Module),
        "The function should return the network itself; replace() returns it together with a report.",
    )
    now = network.state_dict()
    hint_if(
        set(now) != set(before.state_dict()) or any(not torch.equal(now[n], v) for n, v in before.state_dict().items()),
        "The network that was handed in has changed: work on a copy.",
    )
    shapes = {name: tuple(value.shape) for name, value in before.state_dict().items()}
    hint_if(
        {name: tuple(value.shape) for name, value in found.state_dict().items()} != shapes,
        "The tensors have other names or shapes than the original's: the filters are still computed.",
    )
    with torch.no_grad():
        outputs, original = found.eval()(images), before(images)
        unit, affine = (replace(before, "B", mode).model.eval()(images) for mode in ("unit", "affine"))
    hints(
        (
            torch.allclose(outputs, original, rtol=0, atol=1e-7),
            "It computes what the original computes: were the filters replaced?",
        ),
        (
            torch.allclose(outputs, unit, rtol=0, atol=1e-6),
            "Gains and offsets of the channels are lost: which mode keeps them?",
        ),
        (
            not torch.allclose(outputs, affine, rtol=0, atol=1e-5),
            "The outputs differ from those of the network whose filters are computed.",
        ),
    )


@exercise(
    "a function of g, t, m0 and v0 that returns the mean and the variance which the normalisation should have",
    answers="corrected",
)
def check_16_3(answer):
    """What the correction makes of a change of gain and offset."""
    rng = np.random.default_rng(16)
    for _ in range(3):
        g, t = rng.uniform(0.3, 3), rng.normal()
        m0, mr = rng.normal(size=2)
        v0, vr = rng.uniform(0.5, 2, size=2)
        m, v = g * mr + t, g**2 * vr  # the statistics of g x + t on the images for mending
        mean, variance = m + np.sqrt(v / vr) * (m0 - mr), v0 * v / vr
        found = array(call(answer, g, t, m0, v0), [2], "what the function returns")
        hints(
            (
                near(found[1], g * v0) or near(found[1], v0 / g**2),
                "The variance: how does it change when all values are multiplied by a gain?",
            ),
            (
                near(found[1], v0) or near(found[0], m0),
                "Something is as it was. Gain and offset both change what the normalisation meets.",
            ),
            (
                near(found[0], g * (m0 + t)) or near(found[0], (m0 - t) / g),
                "The mean: gain first, offset second, and the statistics follow the signal.",
            ),
            (
                not near(found[1], variance),
                "The variance is not what the correction gives: put the new m and v into the equation.",
            ),
            (not near(found[0], mean), "The mean is not what the correction gives: put the new m and v into the equation."),
        )
