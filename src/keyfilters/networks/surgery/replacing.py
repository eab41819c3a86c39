"""Surgery: depthwise convolutions replaced by idealised filters, and folded back to plain ones."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from torch import nn

from ...checks import choice, integer
from .depthwise import DepthwiseLayer, as_stack, depthwise_or_error, key_filters
from ..layers.base import DepthwiseKernelConv2d
from .matching import Matches, match_layer
from .modes import MODES, Job, Mode
from .printing import layer_table

_SCALED = ("own", "learnable")


@dataclass(frozen=True)
class Replacement:
    """What :func:`replace` returns.

    ``print`` shows one row for each layer, with the main columns of ``report``, and the summary.

    Attributes
    ----------
    model : torch.nn.Module
    report : pandas.DataFrame
        One row per depthwise layer, those left as they are included: layer, size, stride, padding,
        channels, replaced (channels), dead, explained (of the match, pooled by energy), change (norm of
        the difference of the weights over that of the old ones), key_1 .. key_K, note (why the layer was
        left, or what is special about it).
    matches : Matches
        The matches of the layers that were replaced.
    """

    model: nn.Module
    report: object
    matches: Matches

    def __str__(self) -> str:
        return layer_table(self.report, self.summary())

    def summary(self) -> str:
        """One line."""
        layers = int((self.report.replaced > 0).sum())
        left = len(self.report) - layers
        return (
            f"{int(self.report.replaced.sum())} of {int(self.report.channels.sum())} channels replaced in {layers} layers, "
            f"{int(self.report.dead.sum())} dead, {left} layers left as they are"
        )


def _selected(layers: list[DepthwiseLayer], patterns) -> list[bool]:
    if patterns is None:
        return [True] * len(layers)
    patterns = [patterns] if isinstance(patterns, str) else list(patterns)
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise ValueError(f"layers holds {pattern!r}: expected names of layers or patterns such as 'stages.0.*'")
        if not any(fnmatchcase(d.name, pattern) for d in layers):
            ends = f"{layers[0].name!r} to {layers[-1].name!r}"
            raise ValueError(f"layers: no depthwise layer is named {pattern!r}; there are {ends}")
    return [any(fnmatchcase(d.name, p) for p in patterns) for d in layers]


def _places(model) -> dict[int, list[str]]:
    """Every name of every module, by its id."""
    places: dict[int, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        places.setdefault(id(module), []).append(name)
    return places


def _put(model, names, module):
    """Put ``module`` at all its places; returns the model, which is the module itself at the place ""."""
    for name in names:
        if not name:
            return module
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, module)
    return model


def _identity(module) -> tuple[int, ...]:
    """Equal for modules that share their weight."""
    if isinstance(module, nn.Conv2d):
        return (id(module.weight),)
    learned = tuple(id(p) for name, p in module.named_parameters() if name != "bias")
    return learned or (id(module if module._frozen is None else module._frozen),)


def _tie(new: nn.Module, first: nn.Module) -> None:
    """Let a layer whose convolution shared its weight with another share what that was replaced by."""
    for own, theirs in ((new._parameters, first._parameters), (new._buffers, first._buffers)):
        own.update({name: value for name, value in theirs.items() if name != "bias"})


def _checked(model, method, mode, options) -> tuple[list[DepthwiseLayer], Mode, object]:
    choice(mode, MODES, "mode")
    layers = depthwise_or_error(model)
    if options and mode != "learnable":
        raise ValueError(f"{', '.join(options)}: only mode 'learnable' takes options of its layers")
    if isinstance(method, str):
        if mode in _SCALED and method in ("learned", "impulse"):
            raise ValueError(f"method is {method!r}: mode {mode!r} needs idealised filters, 'A' to 'D2' or 'A-joint' to 'D-joint'")
        key_filters(method)
    elif mode in _SCALED:
        raise ValueError(f"method is an array: mode {mode!r} needs idealised filters, 'A' to 'D2' or 'A-joint' to 'D-joint'")
    else:
        method = as_stack(method, "method")
        key_filters(method)
    return layers, MODES[mode], method


def replace(model, method="B", mode="affine", *, layers=None, seed=0, inplace=False, **options) -> Replacement:
    """Replace the depthwise filters of a network.

    ========= ===========================================================================
    mode      each filter becomes
    ========= ===========================================================================
    unit      the idealised filter of the matched key with the sign of the gain, no offset
    affine    gain * idealised filter of the matched key + offset
    own       the same with scales (and gamma) fitted to each channel by least squares
    learnable as affine, and the scales are parameters to be trained
    master    gain * learned master key + offset
    random    a random filter with the channel's mean and norm (control)
    impulse   gain * unit impulse + offset (control)
    gaussian  a normal filter with the layer's covariance, plus the channel's mean (control)
    ========= ===========================================================================

    Filters of other odd sizes are matched at their size; stride, padding, dilation, bias, device and
    dtype stay. Kernels that are 1x1, even or not square, and classes that compute their weights
    themselves, stay as they are and the report says so. Dead channels stay at their mean (which is what
    they are, but for less than 1e-4 of the layer's median). Convolutions that share a weight share what
    replaces it.

    Parameters
    ----------
    model : torch.nn.Module
    method : str or array_like
        Where the idealised filters take their scales from, ``"A"`` to ``"D2"`` or a joint one. In modes
        unit and affine also ``"learned"`` or arrays (K, n, n) of your own.
    mode : str
        A name of ``MODES``.
    layers : str or sequence of str, optional
        Names of layers or patterns such as ``"stages.0.*"``; default: all.
    seed : int
        For random and gaussian.
    inplace : bool
        Change ``model`` itself instead of a copy.
    **options
        Mode learnable: passed to :class:`keyfilters.networks.ScaleSpaceConv2d` (``share="key"``,
        ``learn_gain=True``, ...).

    Returns
    -------
    Replacement

    Raises
    ------
    ValueError
        For an unknown method, mode or layer, a network without depthwise convolutions, and NaN or
        infinity in the weights of a layer (naming it); the model is then as it was.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 16, 7, padding=3, groups=8))
    >>> done = replace(network, "B", "affine")
    >>> done.summary()
    '16 of 16 channels replaced in 1 layers, 0 dead, 0 layers left as they are'
    >>> type(done.model[1]).__name__, type(fold(done.model)[1]).__name__
    ('ScaleSpaceConv2d', 'Conv2d')
    """
    found, chosen, method = _checked(model, method, mode, options)
    wanted = _selected(found, layers)
    seed = integer(seed, "seed", 0)
    bank = method if chosen.filters is None else chosen.filters
    # All new layers are built before the first is put in: an error leaves the model as it was.
    built: dict[str, nn.Module] = {}
    first_of: dict[tuple, tuple[int, nn.Module]] = {}
    matches, rows = [], []
    for place, (layer, take) in enumerate(zip(found, wanted, strict=True)):
        if not (take and layer.matchable):
            rows.append(_row(layer, None, 0, float("nan"), layer.note or "not selected"))
            continue
        filters, matched = layer.filters, match_layer(layer, bank)
        # Tied weights draw the same random numbers.
        place, first = first_of.get(_identity(layer.module), (place, None))
        new = chosen.build(Job(layer.module, filters, matched, method, np.random.default_rng([seed, place]), options))
        if first is None:
            first_of[_identity(layer.module)] = place, new
        else:
            _tie(new, first)
        after = new.weight.detach().cpu().double().numpy()[:, 0]
        norm = np.linalg.norm(filters)
        change = float(np.linalg.norm(after - filters) / norm) if norm else 0.0
        built[layer.name] = new
        matches.append(matched)
        rows.append(_row(layer, matched, matched.channels - matched.dead, change, "" if first is None else "weight shared"))
    result = model if inplace else copy.deepcopy(model)
    places = _places(result)
    by_name = dict(result.named_modules())
    for name, new in built.items():
        old = by_name[name]
        if not inplace and old.bias is not None:
            # The copy has a bias of its own; the new layer was built from the original.
            new.bias = old.bias
        result = _put(result, places[id(old)], new)
    keys = len(key_filters(bank))
    return Replacement(result, _report(rows, keys), Matches(matches, keys))


def _row(layer, matched, replaced, change, note) -> dict:
    def text(pair):
        return pair if isinstance(pair, str) else "x".join(map(str, pair))

    return {
        "layer": layer.name, "size": text(layer.kernel_size), "stride": text(layer.stride), "padding": text(layer.padding),
        "channels": layer.channels, "replaced": replaced, "dead": matched.dead if matched else 0,
        "explained": matched.pooled() if matched else float("nan"), "change": change, "keys": matched.key if matched else None,
        "note": note,
    }  # fmt: skip


def _report(rows, keys):
    import pandas as pd

    records = []
    for row in rows:
        key, note = row.pop("keys"), row.pop("note")
        counts = np.zeros(keys, dtype=int) if key is None else np.bincount(key, minlength=keys + 1)[1:]
        records.append(row | {f"key_{k}": int(c) for k, c in enumerate(counts, start=1)} | {"note": note})
    return pd.DataFrame(records)


def fold(model, inplace=False) -> nn.Module:
    """Write the weights of all replaced layers out into plain convolutions of the original class.

    The output stays the same and the keys of ``state_dict()`` are those of the original architecture.

    Parameters
    ----------
    model : torch.nn.Module
    inplace : bool
        Change ``model`` itself instead of a copy.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    ValueError
        If ``model`` is not a ``torch.nn.Module``.

    Examples
    --------
    >>> from keyfilters.networks.layers.scale_space import ScaleSpaceConv2d
    >>> network = nn.Sequential(ScaleSpaceConv2d(8), nn.ReLU())
    >>> list(fold(network).state_dict())
    ['0.weight', '0.bias']
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"model is a {type(model).__name__}: expected a torch.nn.Module")
    result = model if inplace else copy.deepcopy(model)
    places = _places(result)
    tied: dict[tuple, nn.Module] = {}
    for layer in [m for m in result.modules() if isinstance(m, DepthwiseKernelConv2d)]:
        plain = layer.fold()
        if layer.bias is not None:
            plain.bias = layer.bias
        first = tied.setdefault(_identity(layer), plain)
        if first is not plain:
            plain.weight = first.weight
        result = _put(result, places[id(layer)], plain)
    return result
