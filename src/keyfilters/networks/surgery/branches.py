"""Branches that are trained side by side and merged for deployment: merged before their filters are looked at."""

from __future__ import annotations

from torch import nn

from .depthwise import is_depthwise

__all__: list[str] = []
# Serves the readers and reports: on no page of the reference.

MERGE_METHODS = ("reparameterize", "switch_to_deploy")
"""What modules with such branches are told to merge by: timm's, and those of RepVGG and its followers."""
OTHERS = ("reparam", "rep", "convert_to_deploy", "merge_kernel", "get_equivalent_kernel_bias", "_fuse_bn_tensor")
"""The same of other libraries, which timm does not call."""
ITSELF = "the network itself"
"""In the place of the name of the outermost module."""


def _has(module: nn.Module, names) -> bool:
    return any(callable(getattr(type(module), name, None)) for name in names)


def _open(module: nn.Module) -> bool:
    """True for a module that is not merged yet: with batch norms in it, or convolutions side by side."""
    if any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in module.modules()):
        return True
    # Convolutions deeper down may be those of a gate, which stays.
    return sum(isinstance(part, nn.Conv2d) for part in module.children()) > 1


def _mergeable(module: nn.Module) -> bool:
    # timm's ``fuse`` returns what takes the module's place; that of other libraries may not.
    own_fuse = type(module).__module__.startswith("timm.") and _has(module, ("fuse",))
    branches = (
        own_fuse
        and sum(isinstance(p, nn.Conv2d) for p in module.children()) + sum(_has(p, ("fuse",)) for p in module.children()) > 1
    )
    return _has(module, MERGE_METHODS) or branches


def _branched(module: nn.Module | None) -> bool:
    return module is not None and (_mergeable(module) or _has(module, OTHERS)) and _open(module)


def merged(model: nn.Module, inplace: bool = False) -> tuple[nn.Module, list[str]]:
    """Return a network with its branches of depthwise convolutions merged, and notes; the network itself where there are none.

    By timm's ``reparameterize_model``, in a copy: the batch norms are merged as well, with the statistics that
    they hold, so that the outputs of evaluation stay the same. ``inplace`` is for a network that was merged as a copy
    before: one that cannot be is left half merged.

    Examples
    --------
    >>> model = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4))
    >>> merged(model)[0] is model
    True
    """
    if not isinstance(model, nn.Module):
        return model, []
    branched = [
        (name or ITSELF, m) for name, m in model.named_modules() if _branched(m) and any(map(is_depthwise, m.modules()))
    ]
    able = [name for name, m in branched if _mergeable(m)]
    left = [name for name, m in branched if not _mergeable(m)]
    if able:
        from timm.utils import reparameterize_model

        try:
            done = reparameterize_model(nn.ModuleList([model]), inplace)[0]
            if any(part is None and before is not None for before, part in _pairs(model, done)):
                raise ValueError("a module is gone")
            after = dict(done.named_modules())
            if still := [name for name in able if _branched(done if name == ITSELF else after.get(name))]:
                raise ValueError(f"{still[0]} is as it was")
            return done, [
                f"the branches of {len(able)} modules ({able[0]}, ...) are merged with their batch norms, as for deployment"
            ]
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            return model, [
                f"the branches of {len(able)} modules ({able[0]}, ...) could not be merged ({reason}): each is looked at on its own"
            ]
    if left:
        return model, [
            f"{len(left)} modules ({left[0]}, ...) have branches that are merged for deployment: merge them first; here each is looked at on its own"
        ]
    return model, []


def _pairs(model: nn.Module, done: nn.Module):
    """Children of the same place before and after."""
    after = dict(done.named_modules())
    for name, module in model.named_modules():
        if name in after:
            yield from (
                (child, after[name]._modules[key]) for key, child in module._modules.items() if key in after[name]._modules
            )
