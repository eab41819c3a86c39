"""Surgery: depthwise convolutions replaced, in the ways of one table, and folded back to plain ones."""

from __future__ import annotations

import copy
import gc
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from ...checks import choice, integer
from ...fitting.joint import key_parameters
from ..layers.base import ComputedWeight, DepthwiseKernelConv, DepthwiseKernelConv2d, parametrise, weight_of, write_out
from ..layers.filter_bank import FilterBankConv2d, FilterBankWeight
from ..layers.scale_space import ScaleSpaceConv2d, ScaleSpaceWeight
from .branches import merged
from .depthwise import DepthwiseLayer, as_stack, depthwise_or_error, is_strip, key_filters, key_filters_at
from .ideas import IDEAS
from .matching import LayerMatch, Matches, centred, match_layer, unit
from .printing import by_x, layer_table
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


_SCALED = ("own", "learnable")
_OPTIONS = ("learn_scales", "learn_gamma", "learn_gain", "share", "kind", "edge", "normalize")
"""What mode learnable leaves to be chosen: the rest follows from the network and from the match."""


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
    new_parameters : tuple of str
        Names of the parameters that the network did not have before. An optimiser made before holds the weights
        that are gone instead: make it anew, or add these (see :func:`keyfilters.networks.scale_parameters`).
    notes : tuple of str
        What was done to the network before: branches that it merges for deployment were merged.
    """

    model: nn.Module
    report: object
    matches: Matches
    new_parameters: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        new = [f"new parameters, for the optimiser: {', '.join(self.new_parameters)}"] if self.new_parameters else []
        return layer_table(self.report, self.summary(), *new, *self.notes)

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


def _identity(module) -> int:
    """Equal for modules that share their weight."""
    computed = weight_of(module)
    if computed is None:
        return id(module.weight)
    if computed is not module:
        return id(computed)
    # Stand-alone layers share tensors.
    return id(computed.gain)


def _tie(new: nn.Module, first: nn.Module) -> None:
    """Let a layer whose convolution shared its weight with another share what that was replaced by."""
    for own, theirs in ((new._parameters, first._parameters), (new._buffers, first._buffers)):
        own.update({name: value for name, value in theirs.items() if name != "bias"})


def _checked(model, method, mode, options) -> tuple[list[DepthwiseLayer], Mode, object]:
    choice(mode, MODES, "mode")
    layers = depthwise_or_error(model)
    if options and mode != "learnable":
        raise ValueError(f"{', '.join(options)}: only mode 'learnable' takes options of its layers")
    if unknown := [name for name in options if name not in _OPTIONS]:
        raise ValueError(f"unknown option {unknown[0]!r}: mode 'learnable' takes {', '.join(_OPTIONS)}")
    if isinstance(method, str):
        if mode in _SCALED and method in ("learned", "impulse"):
            raise ValueError(
                f"method is {method!r}: mode {mode!r} needs idealised filters, 'A' to 'D2' or 'A-joint' to 'D-joint'"
            )
        key_filters(method)
    elif mode in _SCALED:
        raise ValueError(f"method is an array: mode {mode!r} needs idealised filters, 'A' to 'D2' or 'A-joint' to 'D-joint'")
    else:
        method = as_stack(method, "method")
        key_filters(method)
    return layers, MODES[mode], method


def replace(
    model: nn.Module,
    method: str = "B",
    mode: Mode = "affine",
    *,
    layers: Any = None,
    seed: int = 0,
    inplace: bool = False,
    standalone: bool = False,
    **options: Any,
) -> Replacement:
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

    The convolutions themselves stay, with their classes, hooks, padding and biases: their weight alone becomes
    computed, by a parametrisation of ``torch.nn.utils.parametrize`` (``conv.parametrizations.weight[0]``, a
    :class:`ScaleSpaceWeight <keyfilters.networks.layers.scale_space.ScaleSpaceWeight>` or a
    :class:`FilterBankWeight <keyfilters.networks.layers.filter_bank.FilterBankWeight>`); :func:`fold` removes it.
    Filters of other odd sizes are matched at their size; those of one row or one column, also of 1-D convolutions, become
    the factor of their key along their axis. Left as they are, with a note in the report: kernels that are 1x1, even, or
    neither square nor one row or column (with ``standalone`` these too), and convolutions that do not use their weight as it stands (weight norm, spectral
    norm, pruning, a forward that changes the weight or was replaced, hooks that handle it, quantised) or share it
    with a module that is not replaced. Dead channels stay at
    their mean (which is what they are, but for less than 1e-4 of the layer's median). Convolutions that share a
    weight share what replaces it.

    Branches that a network merges for deployment (MobileOne, FastViT, RepViT) are merged before, with their batch norms:
    a filter is then what the network computes, and the weights are those of its merged form, which
    :func:`keyfilters.networks.load_model` loads as well.

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
        Change ``model`` itself instead of a copy. A warning says so if an optimiser holds a weight that is gone then.
    standalone : bool
        Put layers of our own, :class:`keyfilters.networks.ScaleSpaceConv2d` or ``FilterBankConv2d``, in the place of
        the convolutions. They convolve as ``nn.Conv2d`` or timm's Conv2dSame do, and have no hooks.
    **options
        Mode learnable: ``learn_scales`` (there True), ``learn_gamma``, ``learn_gain``, ``share``, ``kind``, ``edge`` and
        ``normalize`` as in :class:`keyfilters.networks.ScaleSpaceConv2d`.

    Returns
    -------
    Replacement

    Raises
    ------
    ValueError
        For an unknown method, mode, option or layer, a network without depthwise convolutions, and NaN or
        infinity in the weights of a layer (naming it); a network that cannot be copied, without ``inplace``; a
        convolution that no layer can stand for, with ``standalone``. The model is then as it was.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 16, 7, padding=3, groups=8))
    >>> done = replace(network, "B", "affine")
    >>> done.summary()
    '16 of 16 channels replaced in 1 layers, 0 dead, 0 layers left as they are'
    >>> isinstance(done.model[1], nn.Conv2d), done.model[1].parametrizations.weight[0].keys.shape
    (True, torch.Size([16]))
    >>> type(replace(network, standalone=True).model[1]).__name__, type(fold(done.model)[1]).__name__
    ('ScaleSpaceConv2d', 'Conv2d')
    """
    source, notes = merged(model)
    found, chosen, method = _checked(source, method, mode, options)
    wanted = _selected(found, layers)
    seed = integer(seed, "seed", 0)
    bank = method if chosen.filters is None else chosen.filters
    # All new weights are made before the first is put in: an error leaves the model as it was.
    built: dict[str, ComputedWeight] = {}
    first_of: dict[int, tuple[int, ComputedWeight]] = {}
    matches, rows, keys = [], [], len(key_filters(bank))
    tied = _tied_elsewhere(
        source, [layer.module for layer, take in zip(found, wanted, strict=True) if take and layer.matchable]
    )
    for place, (layer, take) in enumerate(zip(found, wanted, strict=True)):
        elsewhere = tied.get(id(layer.module))
        no_layer = standalone and is_strip(layer.kernel_size)
        if not (take and layer.matchable) or elsewhere or no_layer:
            stays = f"its weight is also {elsewhere}, which is not replaced" if elsewhere else "not selected"
            if no_layer and take:
                stays = "one row or column: no stand-alone layer takes its place; without standalone its weight is replaced"
            rows.append(_row(layer, keys, layer.note or stays))
            continue
        filters, matched = layer.filters, match_layer(layer, bank)
        # Tied weights draw the same random numbers.
        place, first = first_of.get(_identity(layer.module), (place, None))
        job = Job(layer.module, filters, matched, method, np.random.default_rng([seed, place]), options, standalone)
        try:
            new = chosen.build(job)
        except ValueError as error:
            raise ValueError(f"layer {layer.name}: {error}") if standalone else error from None
        if first is None:
            first_of[_identity(layer.module)] = place, new
        elif standalone:
            _tie(new, first)
        else:
            new = first
        after = new.kernels().detach().cpu().double().numpy().reshape(filters.shape)
        norm = np.linalg.norm(filters)
        change = float(np.linalg.norm(after - filters) / norm) if norm else 0.0
        built[layer.name] = new
        matches.append(matched)
        rows.append(_row(layer, keys, "" if first is None else "weight shared", matched, change))
    before = dict(model.named_parameters())
    if source is model:
        result = model if inplace else _copied(model)
    else:
        result = merged(model, inplace=True)[0] if inplace else source
    if not inplace:
        before = dict(result.named_parameters())
    places = _places(result)
    by_name = dict(result.named_modules())
    for name, new in built.items():
        old = by_name[name]
        if standalone:
            if old.bias is not None:
                # The copy has a bias of its own; the new layer was built from the original.
                new.bias = old.bias
            result = _put(result, places[id(old)], new)
            continue
        if isinstance(old, DepthwiseKernelConv2d):
            conv = old.fold()
            conv.bias = old.bias
            result = _put(result, places[id(old)], conv)
            old = conv
        parametrise(old, new)
    new_names = _new_names(before, result, inplace)
    return Replacement(result, pd.DataFrame(rows), Matches(matches, keys, tuple(notes)), new_names, tuple(notes))


def _tied_elsewhere(model: nn.Module, chosen: list[nn.Module]) -> dict[int, str]:
    """Where the stored weight of a chosen convolution also stands outside of the chosen ones: the name, by the id of the module."""
    stored = {id(m): id(m.weight) for m in chosen if weight_of(m) is None}
    chosen_ids, names = {id(m) for m in chosen}, {}
    for name, module in model.named_modules():
        for own, p in module._parameters.items():
            if id(module) not in chosen_ids:
                names[id(p)] = f"{name}.{own}" if name else own
    return {module: names[weight] for module, weight in stored.items() if weight in names}


def _copied(model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model)
    except Exception as error:  # whatever parts of a network raise that cannot be copied
        reason = str(error).split("\n")[0].split(". ")[0]
        raise ValueError(
            f"{type(model).__name__} cannot be copied ({reason}): pass inplace=True to change the network itself"
        ) from None


def _new_names(before: dict, model: nn.Module, inplace: bool) -> tuple[str, ...]:
    """The parameters that were not there before; a warning where an optimiser holds some that the network no longer has."""
    after = dict(model.named_parameters())
    left, kept = {id(p) for p in after.values()}, {id(p) for p in before.values()}
    new_names = tuple(name for name, p in after.items() if id(p) not in kept)
    gone = {id(p): name for name, p in before.items() if id(p) not in left}
    held = [] if not (inplace and gone) else [
        gone[id(p)]
        for optimiser in gc.get_objects() if issubclass(type(optimiser), torch.optim.Optimizer)
        for group in getattr(optimiser, "param_groups", ()) for p in group["params"] if id(p) in gone
    ]  # fmt: skip
    if held:
        new = f"the new parameters are {', '.join(new_names)}" if new_names else "there are no new parameters"
        warnings.warn(
            f"an optimiser holds {len(held)} weights that the network no longer has, such as {held[0]}; {new}: make the "
            "optimiser anew, for example from scale_parameters(model)", stacklevel=3,
        )  # fmt: skip
    return new_names


def _row(layer, keys: int, note: str, matched=None, change=float("nan")) -> dict:
    counts = np.bincount(matched.key if matched else [], minlength=keys + 1)[1:]
    return {
        "layer": layer.name, "size": by_x(layer.kernel_size), "stride": by_x(layer.stride), "padding": by_x(layer.padding),
        "channels": layer.channels, "replaced": matched.channels - matched.dead if matched else 0,
        "dead": matched.dead if matched else 0, "explained": matched.pooled() if matched else float("nan"), "change": change,
        **{f"key_{k}": int(c) for k, c in enumerate(counts, start=1)}, "note": note,
    }  # fmt: skip


def fold(model: nn.Module, inplace: bool = False) -> nn.Module:
    """Write the weights of all replaced layers out into plain convolutions of the original class.

    The output stays the same and the keys of ``state_dict()`` are those of the original architecture. A weight that was
    frozen before, or whose scales and gains are all frozen, is frozen.

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
        If ``model`` is not a ``torch.nn.Module``, or cannot be copied, without ``inplace``.

    Examples
    --------
    >>> from keyfilters.networks.layers.scale_space import ScaleSpaceConv2d
    >>> network = nn.Sequential(ScaleSpaceConv2d(8), nn.ReLU())
    >>> list(fold(network).state_dict())
    ['0.weight', '0.bias']
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"model is a {type(model).__name__}: expected a torch.nn.Module")
    result = model if inplace else _copied(model)
    before = dict(result.named_parameters())
    places = _places(result)
    tied: dict[int, nn.Module] = {}
    for layer in [m for m in result.modules() if weight_of(m) is not None and not _is_inner(m)]:
        identity = _identity(layer)
        if isinstance(layer, DepthwiseKernelConv):
            plain = layer.fold()
            if layer.bias is not None:
                plain.bias = layer.bias
        else:
            plain = layer
            write_out(plain)
        first = tied.setdefault(identity, plain)
        if first is not plain:
            plain.weight = first.weight
        result = _put(result, places[id(layer)], plain) if plain is not layer else result
    if inplace:
        _new_names(before, result, inplace)
    return result


def _is_inner(module) -> bool:
    """True for a parametrisation, which is part of a convolution."""
    return isinstance(module, ComputedWeight) and not isinstance(module, DepthwiseKernelConv)
