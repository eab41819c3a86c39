"""Files of weights as others write them: names of other libraries, wrappers, and pickles that would run something."""

import os
import pickle

import torch


def equal(one, other):
    """Whether two states have the same names and the same numbers."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def behind(prefix, state):
    return {prefix + name: value for name, value in state.items()}


def facebook(state, head=True):
    """timm's names of a ConvNeXt V2 to those of Facebook's files, with their shapes."""
    out = {}
    for name, value in state.items():
        if name.startswith("head.") and not head:
            continue
        for ours, theirs in (
            ("mlp.grn.weight", "grn.gamma"), ("mlp.grn.bias", "grn.beta"), ("mlp.fc", "pwconv"), ("conv_dw", "dwconv"),
            ("head.fc.", "head."), ("head.norm.", "norm."), (".blocks.", "."), ("stem.", "downsample_layers.0."),
        ):  # fmt: skip
            name = name.replace(ours, theirs)
        if ".downsample." in name:
            name = name.replace("stages.", "downsample_layers.").replace(".downsample.", ".")
        out[name] = value.reshape(1, 1, 1, -1) if ".grn." in name else value
    return out


class Payload:
    """Pickled, it is a call that makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def pickled(path, content, way):
    """Write by torch, in its new or its old format, or by pickle with a protocol."""
    if way in ("zip", "legacy"):
        torch.save(content, path, _use_new_zipfile_serialization=way == "zip")
    else:
        path.write_bytes(pickle.dumps(content, protocol=int(way)))
